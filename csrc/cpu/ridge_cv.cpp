#include "crossphase/ridge_cv.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "crossphase/instruction_set.hpp"
#include "crossphase/scalar_math.hpp"
#include "crossphase/thread_pool.hpp"
#include "isa/ridge_cv_loops.hpp"
#include "ridge_cv_folds.hpp"
#include "ridge_cv_labels.hpp"

namespace crossphase::cpu {
namespace {

using Buffer = std::vector<double>;
using Index = std::ptrdiff_t;

// Permuted label columns handled together: enough for whole panels, and few enough that one fold's products with the
// scores, 512 KB, stay in the second-level cache.
constexpr Index kFewestLabelColumns = 64, kMostLabelColumns = 256, kProducts = 1 << 16;

static_assert(kMaxScoresPerComponent == isa::kMostScores);

std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

// Sums of squares of every label column about the means of the test folds.
Buffer total_squares(const ScoreFolds& folds, const LabelMoments& labels) {
    Buffer total(at(labels.n_columns));
    for (Index fold = 0; fold < folds.n_folds; ++fold) {
        for (Index j = 0; j < labels.n_columns; ++j) {
            total[at(j)] += labels.squares_of(fold)[j];
        }
    }
    return total;
}

void require_consistent(const RidgeCvInput& input, MatrixView<double> r2) {
    const Index n = input.scores.n_rows;
    const Index d = input.scores_per_component;
    if (d < 1 || d > kMaxScoresPerComponent || input.scores.n_columns % d != 0 || input.labels.n_rows != n ||
        input.labels.column_stride != 1 || input.permutations.n_columns != n ||
        static_cast<Index>(input.folds.size()) != n || !(input.alpha > 0.0) ||
        r2.n_rows != input.permutations.n_rows * (input.scores.n_columns / d) ||
        r2.n_columns != input.labels.n_columns) {
        throw std::invalid_argument("component_r2: the shapes do not fit together, or alpha is not positive");
    }
    if (input.precision != Precision::float64 && input.precision != Precision::float32) {
        throw std::invalid_argument("component_r2: products are formed in float64 or float32");
    }
    for (Index k = 0; k < input.permutations.n_rows; ++k) {
        std::size_t largest = 0;  // a negative number would be larger than any
        for (Index i = 0; i < n; ++i) {
            largest = std::max(largest, at(input.permutations(k, i)));
        }
        if (largest >= at(n)) {
            throw std::invalid_argument("component_r2: a permutation holds a row number outside 0 ... n - 1");
        }
    }
}

}  // namespace

void component_r2(const RidgeCvInput& input, MatrixView<double> r2, int n_threads) {
    require_consistent(input, r2);
    const ScoreFolds folds(input);
    const Labels labels(input.labels, folds, input.precision);
    const Index n_labels = input.labels.n_columns;
    const Index n_permutations = input.permutations.n_rows;
    const Index n_shares = (n_permutations + n_threads - 1) / std::max(n_threads, 1);
    const Index n_together = std::clamp(kProducts / folds.n_columns, kFewestLabelColumns, kMostLabelColumns);
    const Index group = std::clamp<Index>(n_together / labels.stride(), 1, std::max<Index>(n_shares, 1));
    const auto sum_errors = instruction_set().ridge_cv->sum_errors;
    parallel_for((n_permutations + group - 1) / group, n_threads, [&](Index task) {
        const Index first = task * group;
        const Index count = std::min(group, n_permutations - first);
        const LabelMoments moments = labels.moments(input.permutations, first, count);
        const Buffer total = total_squares(folds, moments);
        AlignedVector<double> workspace(at(folds.n_folds * folds.d * isa::kErrorColumns));
        AlignedVector<double> errors(at(moments.n_columns));
        for (Index c = 0; c < folds.n_components; ++c) {
            sum_errors(folds.component(c), moments.folds(folds, c), workspace.data(), errors.data());
            for (Index k = 0; k < count; ++k) {
                for (Index l = 0; l < n_labels; ++l) {
                    const std::size_t column = at(k * labels.stride() + l);
                    r2((first + k) * folds.n_components + c, l) = clipped_r2(errors[column], total[column]);
                }
            }
        }
    });
}

}  // namespace crossphase::cpu
