#include "ridge_cv_folds.hpp"

#include <stdexcept>

namespace crossphase::cpu {
namespace {

// Overwrites a symmetric positive definite d x d matrix with its inverse (Gauss-Jordan; d is 1 or 2 in practice).
void invert_in_place(double* a, std::ptrdiff_t d) {
    for (std::ptrdiff_t k = 0; k < d; ++k) {
        const double pivot = 1.0 / a[k * d + k];
        a[k * d + k] = 1.0;
        for (std::ptrdiff_t j = 0; j < d; ++j) {
            a[k * d + j] *= pivot;
        }
        for (std::ptrdiff_t i = 0; i < d; ++i) {
            if (i == k) {
                continue;
            }
            const double factor = a[i * d + k];
            a[i * d + k] = 0.0;
            for (std::ptrdiff_t j = 0; j < d; ++j) {
                a[i * d + j] -= factor * a[k * d + j];
            }
        }
    }
}

}  // namespace

std::vector<double> column_means(MatrixView<const double> matrix) {
    std::vector<double> means(static_cast<std::size_t>(matrix.n_columns));
    for (std::ptrdiff_t i = 0; i < matrix.n_rows; ++i) {
        for (std::ptrdiff_t j = 0; j < matrix.n_columns; ++j) {
            means[static_cast<std::size_t>(j)] += matrix(i, j);
        }
    }
    for (double& mean : means) {
        mean /= static_cast<double>(matrix.n_rows);
    }
    return means;
}

ScoreFolds::ScoreFolds(const RidgeCvInput& input)
    : d(input.scores_per_component),
      n_columns(input.scores.n_columns),
      n_components(n_columns / d),
      n_folds(input.n_folds),
      n_rows(input.scores.n_rows) {
    sort_rows(input.folds);
    copy_scores(input.scores);
    sum_scores();
    fit_grams(input.alpha);
}

void ScoreFolds::sort_rows(std::span<const std::ptrdiff_t> folds) {
    first_row_.assign(index(n_folds + 1), 0);
    row_.resize(index(n_rows));
    for (const std::ptrdiff_t fold : folds) {
        if (fold < 0 || fold >= n_folds) {
            throw std::invalid_argument("a fold number lies outside 0 ... n_folds - 1");
        }
        ++first_row_[index(fold + 1)];
    }
    for (std::ptrdiff_t fold = 0; fold < n_folds; ++fold) {
        if (first_row_[index(fold + 1)] == 0 || first_row_[index(fold + 1)] == n_rows) {
            throw std::invalid_argument("a fold is empty or holds every row");
        }
        first_row_[index(fold + 1)] += first_row_[index(fold)];
    }
    std::vector<std::ptrdiff_t> next(first_row_.begin(), first_row_.end() - 1);
    for (std::ptrdiff_t i = 0; i < n_rows; ++i) {
        row_[index(next[index(folds[index(i)])]++)] = i;
    }
}

void ScoreFolds::copy_scores(MatrixView<const double> from) {
    const std::vector<double> means = column_means(from);
    scores_.resize(index(n_rows * n_columns));
    for (std::ptrdiff_t i = 0; i < n_rows; ++i) {
        for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
            scores_[index(i * n_columns + j)] = from(row_[index(i)], j) - means[index(j)];
        }
    }
}

void ScoreFolds::sum_scores() {
    sums_.assign(index(n_folds * n_columns), 0.0);
    grams_.assign(index(n_folds * n_columns * d), 0.0);
    for (std::ptrdiff_t fold = 0; fold < n_folds; ++fold) {
        double* sum = sums_.data() + fold * n_columns;
        double* gram = grams_.data() + fold * n_columns * d;
        for (std::ptrdiff_t i = 0; i < rows_in(fold); ++i) {
            const double* x = scores(fold, i);
            for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
                sum[j] += x[j];
            }
            for (std::ptrdiff_t c = 0; c < n_columns; c += d) {
                for (std::ptrdiff_t a = c; a < c + d; ++a) {
                    for (std::ptrdiff_t b = c; b < c + d; ++b) {
                        gram[a * d + b - c] += x[a] * x[b];
                    }
                }
            }
        }
    }
}

void ScoreFolds::fit_grams(double alpha) {
    train_means_.assign(sums_.size(), 0.0);
    inverses_.assign(grams_.size(), 0.0);
    test_grams_.assign(grams_.size(), 0.0);
    for (std::ptrdiff_t fold = 0; fold < n_folds; ++fold) {
        double* mean = train_means_.data() + fold * n_columns;
        double* train_gram = inverses_.data() + fold * n_columns * d;
        for (std::ptrdiff_t other = 0; other < n_folds; ++other) {
            for (std::ptrdiff_t j = 0; other != fold && j < n_columns; ++j) {
                mean[j] += sum(other)[j];
            }
            for (std::ptrdiff_t j = 0; other != fold && j < n_columns * d; ++j) {
                train_gram[j] += grams_[index(other * n_columns * d + j)];
            }
        }
        for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
            mean[j] /= n_train(fold);
        }
        const auto n_test = static_cast<double>(rows_in(fold));
        for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
            for (std::ptrdiff_t b = 0; b < d; ++b) {
                const std::ptrdiff_t k = j - j % d + b;
                const std::ptrdiff_t entry = (fold * n_columns + j) * d + b;
                inverses_[index(entry)] += (j == k ? alpha : 0.0) - n_train(fold) * mean[j] * mean[k];
                test_grams_[index(entry)] =
                    grams_[index(entry)] - mean[j] * sum(fold)[k] - sum(fold)[j] * mean[k] + n_test * mean[j] * mean[k];
            }
        }
        for (std::ptrdiff_t c = 0; c < n_components; ++c) {
            invert_in_place(inverses_.data() + gram_of(fold, c), d);
        }
    }
}

}  // namespace crossphase::cpu
