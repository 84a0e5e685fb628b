#include "ridge_cv_labels.hpp"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "crossphase/instruction_set.hpp"

namespace crossphase::cpu {
namespace {

using Buffer = std::vector<double>;
using Index = std::ptrdiff_t;

// Rows multiplied at a time: a group of scores and a panel of labels are 30 KB together, the first-level cache of most
// processors. In float32 it also bounds how many products are summed before they join a float64 sum.
constexpr Index kChunkRows = 128;
constexpr Index kColumnMultiple = isa::kPanelColumns<float>;  // the wider of the two panels

std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

template <typename Real>
const isa::ProductLoops<Real>& product_loops() {
    if constexpr (std::is_same_v<Real, float>) {
        return instruction_set().ridge_cv->in_float32;
    } else {
        return instruction_set().ridge_cv->in_float64;
    }
}

// Score columns in as few groups of nearly equal size as the loops can take.
struct ScoreGroups {
    Index n_columns;
    Index count;

    Index first(Index group) const { return group * n_columns / count; }
    Index size(Index group) const { return first(group + 1) - first(group); }
};

template <typename Real>
ScoreGroups score_groups(Index n_columns) {
    const Index most = product_loops<Real>().most_scores;
    return {n_columns, (n_columns + most - 1) / most};
}

// Calls visit(first row, number of rows) for every chunk of a fold.
template <typename Visitor>
void for_each_chunk(const ScoreFolds& folds, Index fold, Visitor visit) {
    for (Index first = 0; first < folds.rows_in(fold); first += kChunkRows) {
        visit(first, std::min(kChunkRows, folds.rows_in(fold) - first));
    }
}

// Chunk after chunk, group after group, row after row.
template <typename Real>
std::vector<Real> packed(const ScoreFolds& folds) {
    const ScoreGroups groups = score_groups<Real>(folds.n_columns);
    std::vector<Real> scores;
    scores.reserve(at(folds.n_rows * folds.n_columns));
    for (Index fold = 0; fold < folds.n_folds; ++fold) {
        for_each_chunk(folds, fold, [&](Index first, Index n_rows) {
            for (Index g = 0; g < groups.count; ++g) {
                for (Index i = first; i < first + n_rows; ++i) {
                    for (Index s = groups.first(g); s < groups.first(g + 1); ++s) {
                        scores.push_back(static_cast<Real>(folds.scores(fold, i)[s]));
                    }
                }
            }
        });
    }
    return scores;
}

}  // namespace

LabelMoments::LabelMoments(const ScoreFolds& folds, Index n_used)
    : n_columns((n_used + kColumnMultiple - 1) / kColumnMultiple * kColumnMultiple),
      squares(at(folds.n_folds * n_columns)),
      cross(at(folds.n_folds * folds.n_columns * n_columns)) {}

isa::LabelFolds LabelMoments::folds(const ScoreFolds& scores, Index c) const {
    return {n_columns,
            means.of(0),
            means.before(0),
            means.after(0),
            means.train(0),
            squares.data(),
            cross.data() + c * scores.d * n_columns,
            scores.n_columns * n_columns};
}

Labels::Labels(MatrixView<const double> labels, const ScoreFolds& folds, Precision precision)
    : folds_(folds), n_labels_(labels.n_columns), stride_((n_labels_ + 7) / 8 * 8) {
    // A product spends about half as much on a value as a class sum does, but spends it on the zeros too. Class sums
    // need ones: means and squares of anything else could cancel.
    const auto row = [&](Index i) { return labels.data + i * labels.row_stride; };
    bool has_only_ones = true;
    Index n_ones = 0;
    for (Index i = 0; i < labels.n_rows && has_only_ones; ++i) {
        for (Index j = 0; j < n_labels_; ++j) {
            const double value = row(i)[j];
            n_ones += value == 1.0;
            has_only_ones &= (value == 1.0) | (value == 0.0);
        }
    }
    if (has_only_ones && 2 * n_ones < labels.n_rows * n_labels_) {
        first_class_.push_back(0);
        for (Index i = 0; i < labels.n_rows; ++i) {
            for (Index j = 0; j < n_labels_; ++j) {
                if (row(i)[j] == 1.0) {
                    classes_.push_back(j);
                }
            }
            first_class_.push_back(classes_.size());
        }
        return;
    }
    Buffer means(at(n_labels_));
    for (Index i = 0; i < labels.n_rows; ++i) {
        for (Index j = 0; j < n_labels_; ++j) {
            means[at(j)] += row(i)[j] / static_cast<double>(labels.n_rows);
        }
    }
    dense_.resize(at(labels.n_rows * stride_));
    for (Index i = 0; i < labels.n_rows; ++i) {
        for (Index j = 0; j < n_labels_; ++j) {
            dense_[at(i * stride_ + j)] = row(i)[j] - means[at(j)];
        }
    }
    if (precision == Precision::float32) {
        scores_in_float32_ = packed<float>(folds);
    } else {
        scores_in_float64_ = packed<double>(folds);
    }
}

LabelMoments Labels::moments(MatrixView<const Index> permutations, Index first, Index count) const {
    LabelMoments moments(folds_, count * stride_);
    Buffer means(moments.squares.size());
    if (is_indicator()) {
        sum_classes(permutations, first, count, means, moments);
    } else if (!scores_in_float32_.empty()) {
        sum_dense(scores_in_float32_, permutations, first, count, means, moments);
    } else {
        sum_dense(scores_in_float64_, permutations, first, count, means, moments);
    }
    moments.means = folds_.merge(std::move(means), moments.n_columns);
    return moments;
}

template <typename Real>
void Labels::sum_dense(const std::vector<Real>& packed_scores, MatrixView<const Index> permutations,
                       Index first_permutation, Index count, Buffer& means, LabelMoments& moments) const {
    const isa::ProductLoops<Real>& loops = product_loops<Real>();
    const ScoreGroups groups = score_groups<Real>(folds_.n_columns);
    const Index n_columns = moments.n_columns;
    constexpr Index kColumns = isa::kPanelColumns<Real>;
    const Index n_used = count * stride_;  // the last panel may go on behind: what it holds there is finite, and unused
    AlignedVector<Real> panels(at(kChunkRows * n_columns));
    std::vector<const double*> label_rows;  // of one chunk, permutation after permutation
    const auto find_rows = [&](Index fold, Index first, Index n_rows) {
        label_rows.clear();
        for (Index k = 0; k < count; ++k) {
            for (Index i = first; i < first + n_rows; ++i) {
                const Index row = permutations(first_permutation + k, folds_.row_number(fold, i));
                label_rows.push_back(dense_.data() + row * stride_);
            }
        }
    };
    const Real* scores = packed_scores.data();
    for (Index fold = 0; fold < folds_.n_folds; ++fold) {
        // Sums of squares about the mean follow from those about a shift. With the mean of some of the rows as the
        // shift they lose a factor of at most (rows / those rows) to cancellation, and none to speak of in rows without
        // order.
        AlignedVector<double> shift(at(n_columns));
        const Index n_first = std::min(kChunkRows, folds_.rows_in(fold));
        find_rows(fold, 0, n_first);
        for (Index k = 0; k < count; ++k) {
            for (Index i = 0; i < n_first; ++i) {
                for (Index l = 0; l < n_labels_; ++l) {
                    shift[at(k * stride_ + l)] += label_rows[at(k * n_first + i)][l];
                }
            }
        }
        for (double& value : shift) {
            value /= static_cast<double>(n_first);
        }
        double* sums = means.data() + fold * n_columns;
        double* squares = moments.squares.data() + fold * n_columns;
        double* products = moments.cross.data() + fold * folds_.n_columns * n_columns;
        for_each_chunk(folds_, fold, [&](Index first, Index n_rows) {
            find_rows(fold, first, n_rows);
            for (Index column = 0; column < n_used; column += 8) {
                const Index k = column / stride_;
                loops.pack_columns(label_rows.data() + k * n_rows, column % stride_, n_rows, shift.data() + column,
                                   panels.data() + column / kColumns * kColumns * n_rows + column % kColumns,
                                   sums + column, squares + column);
            }
            // Label rows are met in random order: the memory is asked for the next ones while these are multiplied.
            find_rows(fold, first + n_rows, std::clamp<Index>(folds_.rows_in(fold) - first - n_rows, 0, kChunkRows));
            std::size_t next = 0;
            const std::size_t step = label_rows.size() / at(groups.count * (n_used / kColumns + 1)) + 1;
            // The scores of a fold sum to 0, so that the shift has no part in their products.
            for (Index g = 0; g < groups.count; ++g) {
                for (Index column = 0; column < n_used; column += kColumns) {
                    for (const std::size_t last = std::min(next + step, label_rows.size()); next < last; ++next) {
                        for (Index l = 0; l < n_labels_; l += 8) {
                            __builtin_prefetch(label_rows[next] + l, 0, 2);
                        }
                    }
                    loops.add_products(scores, groups.size(g), panels.data() + column * n_rows, n_rows,
                                       products + groups.first(g) * n_columns + column, n_columns);
                }
                scores += n_rows * groups.size(g);
            }
        });
        for (Index j = 0; j < n_columns; ++j) {
            const double step = sums[j] / folds_.n_in(fold);
            squares[j] = std::max(squares[j] - sums[j] * step, 0.0);
            sums[j] = shift[at(j)] + step;  // the mean, from here on
        }
    }
}

void Labels::sum_classes(MatrixView<const Index> permutations, Index first_permutation, Index count, Buffer& means,
                         LabelMoments& moments) const {
    const auto add_to_classes = instruction_set().ridge_cv->add_to_classes;
    AlignedVector<double> class_sums(at(n_labels_ * folds_.stride));  // of the scores, by label column
    std::vector<Index> label_rows;
    for (Index fold = 0; fold < folds_.n_folds; ++fold) {
        const double n_test = folds_.n_in(fold);
        label_rows.resize(at(folds_.rows_in(fold)));
        for (Index k = 0; k < count; ++k) {
            double* mean = means.data() + fold * moments.n_columns + k * stride_;
            double* squares = moments.squares.data() + fold * moments.n_columns + k * stride_;
            for (Index i = 0; i < folds_.rows_in(fold); ++i) {
                label_rows[at(i)] = permutations(first_permutation + k, folds_.row_number(fold, i));
            }
            std::fill(class_sums.begin(), class_sums.end(), 0.0);
            add_to_classes(folds_.scores(fold, 0), folds_.stride, label_rows.data(), folds_.rows_in(fold),
                           first_class_.data(), classes_.data(), class_sums.data(), mean);
            for (Index l = 0; l < n_labels_; ++l) {
                mean[l] /= n_test;
                squares[l] = n_test * mean[l] * (1.0 - mean[l]);  // of zeros and ones about their mean
            }
            // The scores sum to 0, so their product with the mean is 0.
            for (Index s = 0; s < folds_.n_columns; ++s) {
                double* into = moments.cross.data() + (fold * folds_.n_columns + s) * moments.n_columns + k * stride_;
                for (Index l = 0; l < n_labels_; ++l) {
                    into[l] = class_sums[at(l * folds_.stride + s)];
                }
            }
        }
    }
}

}  // namespace crossphase::cpu
