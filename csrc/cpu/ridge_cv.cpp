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

// Scatter of one score column with the label columns over two sets of rows as one: into += theirs + (n_a n_b / n) dx
// dy.
void merge_cross(double n_a, double n_b, double step_x, const double* mean_a, const double* mean_b,
                 const double* theirs, Index n_columns, double* into) {
    const double weight = n_a * (n_b / (n_a + n_b)) * step_x;
    for (Index j = 0; j < n_columns; ++j) {
        into[j] += theirs[j] + (n_a > 0.0 ? weight * (mean_b[j] - mean_a[j]) : 0.0);
    }
}

// Sums of squared errors of one component, for every label column of the group.
class Errors {
  public:
    Errors(const ScoreFolds& folds, const LabelMoments& labels)
        : folds_(folds),
          labels_(labels),
          d_(folds.d),
          n_columns_(labels.n_columns),
          before_(at((folds.n_folds + 1) * d_ * n_columns_)),
          after_(at(d_ * n_columns_)),
          train_(at(d_ * n_columns_)),
          errors_(at(n_columns_)) {}

    const Buffer& of_component(Index c) {
        std::fill(before_.begin(), before_.end(), 0.0);
        std::fill(after_.begin(), after_.end(), 0.0);
        std::fill(errors_.begin(), errors_.end(), 0.0);
        for (Index fold = 0; fold + 1 < folds_.n_folds; ++fold) {
            std::copy_n(before(fold), d_ * n_columns_, before(fold + 1));
            add_fold(fold, c, folds_.n_before(fold), folds_.means().before(fold), labels_.means.before(fold),
                     before(fold + 1));
        }
        for (Index fold = folds_.n_folds - 1; fold >= 0; --fold) {
            std::copy_n(before(fold), d_ * n_columns_, train_.data());
            for (Index a = 0; a < d_; ++a) {
                const Index s = c * d_ + a;
                merge_cross(folds_.n_before(fold), folds_.n_after(fold),
                            folds_.means().after(fold)[s] - folds_.means().before(fold)[s], labels_.means.before(fold),
                            labels_.means.after(fold), after_.data() + a * n_columns_, n_columns_,
                            train_.data() + a * n_columns_);
            }
            add_errors(fold, c);
            add_fold(fold, c, folds_.n_after(fold), folds_.means().after(fold), labels_.means.after(fold),
                     after_.data());
        }
        return errors_;
    }

  private:
    double* before(Index fold) { return before_.data() + fold * d_ * n_columns_; }
    const double* cross(Index fold, Index s) const {
        return labels_.cross.data() + (fold * folds_.n_columns + s) * n_columns_;
    }

    // Merges a fold into the scatter of n_so_far rows with the given means.
    void add_fold(Index fold, Index c, double n_so_far, const double* mean_x, const double* mean_y, double* into) {
        for (Index a = 0; a < d_; ++a) {
            const Index s = c * d_ + a;
            merge_cross(n_so_far, static_cast<double>(folds_.rows_in(fold)), folds_.means().of(fold)[s] - mean_x[s],
                        mean_y, labels_.means.of(fold), cross(fold, s), n_columns_, into + a * n_columns_);
        }
    }

    // sum over the fold of (y - mean_train - w^T (x - mean_train))^2, from moments about the fold's own means.
    void add_errors(Index fold, Index c) {
        const auto n_test = static_cast<double>(folds_.rows_in(fold));
        const double* inverse = folds_.inverse(fold, c);
        const double* scatter = folds_.scatter(fold, c);
        const double* mean_y = labels_.means.of(fold);
        const double* train_mean_y = labels_.means.train(fold);
        const double* squares_y = labels_.squares_of(fold);
        double offset_x[kMaxScoresPerComponent];
        for (Index a = 0; a < d_; ++a) {
            offset_x[a] = folds_.means().of(fold)[c * d_ + a] - folds_.means().train(fold)[c * d_ + a];
        }
        for (Index j = 0; j < n_columns_; ++j) {
            double weights[kMaxScoresPerComponent] = {};
            for (Index a = 0; a < d_; ++a) {
                for (Index b = 0; b < d_; ++b) {
                    weights[a] += inverse[a * d_ + b] * train_[at(b * n_columns_ + j)];
                }
            }
            double offset = mean_y[j] - train_mean_y[j];  // of the fold's mean residual
            double sum_squared = squares_y[j];
            for (Index a = 0; a < d_; ++a) {
                offset -= weights[a] * offset_x[a];
                double explained = -2.0 * cross(fold, c * d_ + a)[j];
                for (Index b = 0; b < d_; ++b) {
                    explained += scatter[a * d_ + b] * weights[b];
                }
                sum_squared += weights[a] * explained;
            }
            errors_[at(j)] += sum_squared + n_test * offset * offset;
        }
    }

    const ScoreFolds& folds_;
    const LabelMoments& labels_;
    const Index d_, n_columns_;
    Buffer before_;  // by fold: scatter (d x n_columns) of scores and labels over all folds before it
    Buffer after_;   // over all folds after the current one
    Buffer train_;   // over all folds but the current one
    Buffer errors_;
};

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
        const LabelMoments moments = labels.moments(folds, input.permutations, first, count);
        const Buffer total = total_squares(folds, moments);
        Errors errors(folds, moments);
        for (Index c = 0; c < folds.n_components; ++c) {
            const Buffer& error = errors.of_component(c);
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
