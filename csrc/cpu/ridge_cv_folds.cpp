#include "ridge_cv_folds.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <utility>

namespace crossphase::cpu {
namespace {

// Overwrites a symmetric positive semidefinite d x d matrix with its inverse (Gauss-Jordan; d is 1 or 2 in practice).
// A pivot of at most `null` times its diagonal entry counts as 0: its direction is left out, row and column are zero in
// the result.
void invert_in_place(double* a, std::ptrdiff_t d, double null) {
    double cutoff[kMaxScoresPerComponent];
    for (std::ptrdiff_t k = 0; k < d; ++k) {
        cutoff[k] = null * a[k * d + k];
    }
    for (std::ptrdiff_t k = 0; k < d; ++k) {
        if (!(a[k * d + k] > cutoff[k])) {
            for (std::ptrdiff_t j = 0; j < d; ++j) {
                a[k * d + j] = a[j * d + k] = 0.0;
            }
            continue;
        }
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

// Means by column of two sets of rows as one: into[j] = (n_a a[j] + n_b b[j]) / (n_a + n_b), without cancellation.
void merge_means(const double* a, double n_a, const double* b, double n_b, std::ptrdiff_t n_columns, double* into) {
    const double weight = n_b / (n_a + n_b);
    for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
        into[j] = n_a > 0.0 ? a[j] + weight * (b[j] - a[j]) : b[j];
    }
}

}  // namespace

ScoreFolds::ScoreFolds(const RidgeCvInput& input)
    : d(input.scores_per_component),
      n_columns(input.scores.n_columns),
      n_components(n_columns / d),
      n_folds(input.n_folds),
      n_rows(input.scores.n_rows) {
    sort_rows(input.folds);
    copy_scores(input.scores);
    centre_folds();
    fit_inverses(input.alpha);
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
    std::vector<double> means(index(n_columns));
    for (std::ptrdiff_t i = 0; i < n_rows; ++i) {
        for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
            means[index(j)] += from(i, j) / static_cast<double>(n_rows);
        }
    }
    scales_.assign(index(n_columns), 0.0);
    scores_.resize(index(n_rows * n_columns));
    for (std::ptrdiff_t i = 0; i < n_rows; ++i) {
        for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
            const double x = from(row_[index(i)], j) - means[index(j)];
            scores_[index(i * n_columns + j)] = x;
            scales_[index(j)] += x * x / static_cast<double>(n_rows);
        }
    }
    for (double& scale : scales_) {
        scale = scale > 0.0 ? std::sqrt(scale) : 1.0;
    }
    for (std::ptrdiff_t i = 0; i < n_rows; ++i) {
        for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
            scores_[index(i * n_columns + j)] /= scales_[index(j)];
        }
    }
}

void ScoreFolds::centre_folds() {
    std::vector<double> means(index(n_folds * n_columns));
    scatters_.assign(index(n_folds * n_columns * d), 0.0);
    for (std::ptrdiff_t fold = 0; fold < n_folds; ++fold) {
        double* mean = means.data() + fold * n_columns;
        double* scatter = scatters_.data() + fold * n_columns * d;
        for (std::ptrdiff_t i = 0; i < rows_in(fold); ++i) {
            for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
                mean[j] += scores(fold, i)[j];
            }
        }
        for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
            mean[j] /= static_cast<double>(rows_in(fold));
        }
        for (std::ptrdiff_t i = 0; i < rows_in(fold); ++i) {
            double* x = scores_.data() + (first_row_[index(fold)] + i) * n_columns;
            for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
                x[j] -= mean[j];
            }
            for (std::ptrdiff_t c = 0; c < n_columns; c += d) {
                for (std::ptrdiff_t a = c; a < c + d; ++a) {
                    for (std::ptrdiff_t b = c; b < c + d; ++b) {
                        scatter[a * d + b - c] += x[a] * x[b];
                    }
                }
            }
        }
    }
    means_ = merge(std::move(means), n_columns);
}

FoldMeans ScoreFolds::merge(std::vector<double> of_fold, std::ptrdiff_t width) const {
    FoldMeans means{width, std::move(of_fold), {}, {}, {}};
    means.all_before.assign(means.all_of.size(), 0.0);
    means.all_after.assign(means.all_of.size(), 0.0);
    means.all_train.assign(means.all_of.size(), 0.0);
    const auto n_in = [this](std::ptrdiff_t fold) { return static_cast<double>(rows_in(fold)); };
    for (std::ptrdiff_t fold = 1; fold < n_folds; ++fold) {
        merge_means(means.before(fold - 1), n_before(fold - 1), means.of(fold - 1), n_in(fold - 1), width,
                    means.all_before.data() + fold * width);
    }
    for (std::ptrdiff_t fold = n_folds - 2; fold >= 0; --fold) {
        merge_means(means.after(fold + 1), n_after(fold + 1), means.of(fold + 1), n_in(fold + 1), width,
                    means.all_after.data() + fold * width);
    }
    for (std::ptrdiff_t fold = 0; fold < n_folds; ++fold) {
        double* into = means.all_train.data() + fold * width;
        if (n_after(fold) > 0.0) {
            merge_means(means.before(fold), n_before(fold), means.after(fold), n_after(fold), width, into);
        } else {
            std::copy_n(means.before(fold), width, into);
        }
    }
    return means;
}

void ScoreFolds::fit_inverses(double alpha) {
    inverses_.assign(scatters_.size(), 0.0);
    // Rounding of a sum of n products, relative to the sum of their sizes.
    const double null = 8.0 * static_cast<double>(n_rows) * std::numeric_limits<double>::epsilon();
    for (std::ptrdiff_t fold = 0; fold < n_folds; ++fold) {
        double* gram = inverses_.data() + fold * n_columns * d;
        for (std::ptrdiff_t other = 0; other < n_folds; ++other) {
            if (other == fold) {
                continue;
            }
            const auto n_other = static_cast<double>(rows_in(other));
            const double* scatter_other = scatters_.data() + other * n_columns * d;
            for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
                for (std::ptrdiff_t b = 0; b < d; ++b) {
                    const std::ptrdiff_t k = j - j % d + b;
                    gram[j * d + b] += scatter_other[j * d + b] + n_other *
                                                                      (means_.of(other)[j] - means_.train(fold)[j]) *
                                                                      (means_.of(other)[k] - means_.train(fold)[k]);
                }
            }
        }
        for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
            gram[j * d + j % d] += alpha / scales_[index(j)] / scales_[index(j)];
        }
        for (std::ptrdiff_t c = 0; c < n_components; ++c) {
            invert_in_place(inverses_.data() + gram_of(fold, c), d, null);
        }
    }
}

}  // namespace crossphase::cpu
