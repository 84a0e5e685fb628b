#include "crossphase/ridge_cv.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "crossphase/scalar_math.hpp"
#include "crossphase/thread_pool.hpp"
#include "ridge_cv_folds.hpp"
#include "ridge_cv_labels.hpp"

namespace crossphase::cpu {
namespace {

using Buffer = std::vector<double>;
using Index = std::ptrdiff_t;

constexpr Index kLabelColumns = 64;  // permuted label columns handled together, so that one label still fills panels

std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

// Errors of component c summed over folds, for every label column of the group, added to `error`.
void add_errors(const ScoreFolds& folds, const LabelSums& sums, Index c, double* error) {
    const Index d = folds.d;
    const Index n_columns = sums.n_columns;
    for (Index fold = 0; fold < folds.n_folds; ++fold) {
        const auto n_test = static_cast<double>(folds.rows_in(fold));
        const double n_train = folds.n_train(fold);
        const double* mean_x = folds.train_mean(fold) + c * d;
        const double* sum_x = folds.sum(fold) + c * d;
        const double* inverse = folds.inverse(fold, c);
        const double* gram = folds.test_gram(fold, c);
        const double* mean_y = sums.of_fold(sums.train_mean, fold);
        const double* sum_y = sums.of_fold(sums.sum, fold);
        const double* squares_y = sums.of_fold(sums.squares, fold);
        const double* test_cross = sums.cross.data() + (fold * folds.n_columns + c * d) * n_columns;
        const double* total_cross = sums.total_cross.data() + c * d * n_columns;
        for (Index j = 0; j < n_columns; ++j) {
            double weights[kMaxScoresPerComponent] = {};
            for (Index b = 0; b < d; ++b) {
                const double train_cross =
                    total_cross[b * n_columns + j] - test_cross[b * n_columns + j] - n_train * mean_x[b] * mean_y[j];
                for (Index a = 0; a < d; ++a) {
                    weights[a] += inverse[a * d + b] * train_cross;
                }
            }
            double sum_squared = squares_y[j] - 2.0 * mean_y[j] * sum_y[j] + n_test * mean_y[j] * mean_y[j];
            for (Index a = 0; a < d; ++a) {
                const double cross = test_cross[a * n_columns + j] - mean_x[a] * sum_y[j] - sum_x[a] * mean_y[j] +
                                     n_test * mean_x[a] * mean_y[j];
                double explained = -2.0 * cross;
                for (Index b = 0; b < d; ++b) {
                    explained += gram[a * d + b] * weights[b];
                }
                sum_squared += weights[a] * explained;
            }
            error[j] += sum_squared;
        }
    }
}

// Total sum of squares of every label column of the group about the means of the test folds.
Buffer total_squares(const ScoreFolds& folds, const LabelSums& sums) {
    Buffer total(at(sums.n_columns));
    for (Index fold = 0; fold < folds.n_folds; ++fold) {
        const double* sum_y = sums.of_fold(sums.sum, fold);
        const double* squares_y = sums.of_fold(sums.squares, fold);
        for (Index j = 0; j < sums.n_columns; ++j) {
            total[at(j)] += squares_y[j] - sum_y[j] * sum_y[j] / static_cast<double>(folds.rows_in(fold));
        }
    }
    return total;
}

void require_consistent(const RidgeCvInput& input, MatrixView<double> r2) {
    const Index n = input.scores.n_rows;
    const Index d = input.scores_per_component;
    if (d < 1 || d > kMaxScoresPerComponent || input.scores.n_columns % d != 0 || input.labels.n_rows != n ||
        input.permutations.n_columns != n || static_cast<Index>(input.folds.size()) != n || !(input.alpha > 0.0) ||
        r2.n_rows != input.permutations.n_rows * (input.scores.n_columns / d) ||
        r2.n_columns != input.labels.n_columns) {
        throw std::invalid_argument("component_r2: the shapes do not fit together, or alpha is not positive");
    }
    for (Index k = 0; k < input.permutations.n_rows; ++k) {
        for (Index i = 0; i < n; ++i) {
            if (input.permutations(k, i) < 0 || input.permutations(k, i) >= n) {
                throw std::invalid_argument("component_r2: a permutation holds a row number outside 0 ... n - 1");
            }
        }
    }
}

}  // namespace

void component_r2(const RidgeCvInput& input, MatrixView<double> r2, int n_threads) {
    require_consistent(input, r2);
    const ScoreFolds folds(input);
    const Labels labels(input.labels);
    const Index n_labels = input.labels.n_columns;
    const Index n_permutations = input.permutations.n_rows;
    const Index group = std::max<Index>(1, kLabelColumns / std::max<Index>(1, n_labels));
    parallel_for((n_permutations + group - 1) / group, n_threads, [&](Index task) {
        const Index first = task * group;
        const Index count = std::min(group, n_permutations - first);
        const LabelSums sums = labels.sum(folds, input.permutations, first, count);
        const Buffer total = total_squares(folds, sums);
        Buffer error(total.size());
        for (Index c = 0; c < folds.n_components; ++c) {
            std::fill(error.begin(), error.end(), 0.0);
            add_errors(folds, sums, c, error.data());
            for (Index k = 0; k < count; ++k) {
                for (Index l = 0; l < n_labels; ++l) {
                    const std::size_t column = at(k * n_labels + l);
                    r2((first + k) * folds.n_components + c, l) = clipped_r2(error[column], total[column]);
                }
            }
        }
    });
}

}  // namespace crossphase::cpu
