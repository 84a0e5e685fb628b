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
      stride((n_columns + 7) / 8 * 8),
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
    for (std::ptrdiff_t fold = 0; fold < n_folds; ++fold) {
        n_in_.push_back(static_cast<double>(rows_in(fold)));
        n_before_.push_back(static_cast<double>(first_row_[index(fold)]));
        n_after_.push_back(static_cast<double>(n_rows - first_row_[index(fold + 1)]));
    }
}

void ScoreFolds::copy_scores(MatrixView<const double> from) {
    const auto n = static_cast<double>(n_rows);
    std::vector<double> means(index(n_columns));
    for (std::ptrdiff_t i = 0; i < n_rows; ++i) {
        for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
            means[index(j)] += from(i, j);
        }
    }
    for (double& mean : means) {
        mean /= n;
    }
    scales_.assign(index(n_columns), 0.0);
    scores_.resize(index(n_rows * stride));
    for (std::ptrdiff_t i = 0; i < n_rows; ++i) {
        const double* row = &from(row_[index(i)], 0);
        double* into = scores_.data() + i * stride;
        for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
            into[j] = row[j * from.column_stride] - means[index(j)];
            scales_[index(j)] += into[j] * into[j];
        }
    }
    for (double& scale : scales_) {
        scale = scale > 0.0 ? std::sqrt(scale / n) : 1.0;
    }
}

void ScoreFolds::centre_folds() {
    std::vector<double> means(index(n_folds * n_columns));
    std::vector<double> inverse_scales(scales_);
    for (double& scale : inverse_scales) {
        scale = 1.0 / scale;
    }
    scatters_.assign(index(n_folds * n_columns * d), 0.0);
    for (std::ptrdiff_t fold = 0; fold < n_folds; ++fold) {
        double* mean = means.data() + fold * n_columns;
        double* scatter = scatters_.data() + fold * n_columns * d;
        double* const first = scores_.data() + first_row_[index(fold)] * stride;
        double* const last = scores_.data() + first_row_[index(fold + 1)] * stride;
        for (double* x = first; x < last; x += stride) {
            for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
                x[j] *= inverse_scales[index(j)];
                mean[j] += x[j];
            }
        }
        for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
            mean[j] /= n_in(fold);
        }
        for (double* x = first; x < last; x += stride) {
            for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
                x[j] -= mean[j];
            }
            if (d == 1) {
                for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
                    scatter[j] += x[j] * x[j];
                }
                continue;
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

isa::ComponentFolds ScoreFolds::component(std::ptrdiff_t c) const {
    return {n_folds,
            d,
            n_in_.data(),
            n_before_.data(),
            n_after_.data(),
            n_columns,
            means_.of(0) + c * d,
            means_.before(0) + c * d,
            means_.after(0) + c * d,
            means_.train(0) + c * d,
            n_columns * d,
            inverses_.data() + gram_of(0, c),
            scatters_.data() + gram_of(0, c)};
}

FoldMeans ScoreFolds::merge(std::vector<double> of_fold, std::ptrdiff_t width) const {
    FoldMeans means{width, std::move(of_fold), {}, {}, {}};
    means.all_before.assign(means.all_of.size(), 0.0);
    means.all_after.assign(means.all_of.size(), 0.0);
    means.all_train.assign(means.all_of.size(), 0.0);
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
