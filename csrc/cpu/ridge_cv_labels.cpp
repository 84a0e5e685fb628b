#include "ridge_cv_labels.hpp"

#include <algorithm>
#include <utility>

#include "crossphase/instruction_set.hpp"
#include "packed_panels.hpp"

namespace crossphase::cpu {
namespace {

using Buffer = std::vector<double>;
using Index = std::ptrdiff_t;

constexpr Index kChunkRows = 256;  // rows of a score panel that stay in the first-level cache: 32 KiB

std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

// Rows first ... first + count - 1 of a fold's scores, packed.
PackedPanels pack_scores(const ScoreFolds& folds, Index fold, Index first, Index count) {
    PackedPanels panels(count, folds.n_columns);
    for (Index i = 0; i < count; ++i) {
        const double* scores = folds.scores(fold, first + i);
        for (Index p = 0; p < panels.n_panels(); ++p) {
            const Index n_here = std::min(kPanelWidth, folds.n_columns - p * kPanelWidth);
            std::copy_n(scores + p * kPanelWidth, n_here, panels.panel(p) + i * kPanelWidth);
        }
    }
    return panels;
}

// cross += scores^T labels, for one fold.
void add_products(const PackedPanels& scores, const PackedPanels& labels, const ScoreFolds& folds, Index fold,
                  LabelMoments& moments) {
    const PanelProduct product = instruction_set().panel_product;
    for (Index s = 0; s < scores.n_panels(); ++s) {
        const Index n_here = std::min(kPanelWidth, folds.n_columns - s * kPanelWidth);
        for (Index l = 0; l < labels.n_panels(); ++l) {
            double tile[kPanelWidth * kPanelWidth] = {};
            product(scores.panel(s), labels.panel(l), labels.n_rows(), tile);
            for (Index i = 0; i < n_here; ++i) {
                const Index row = fold * folds.n_columns + s * kPanelWidth + i;
                double* into = moments.cross.data() + row * moments.n_columns + l * kPanelWidth;
                for (Index j = 0; j < kPanelWidth; ++j) {
                    into[j] += tile[i * kPanelWidth + j];
                }
            }
        }
    }
}

}  // namespace

LabelMoments::LabelMoments(const ScoreFolds& folds, Index n_used)
    : n_columns((n_used + kPanelWidth - 1) / kPanelWidth * kPanelWidth),
      squares(at(folds.n_folds * n_columns)),
      cross(at(folds.n_folds * folds.n_columns * n_columns)) {}

Labels::Labels(MatrixView<const double> labels) : n_labels_(labels.n_columns) {
    Buffer means(at(labels.n_columns));
    first_entry_.push_back(0);
    for (Index i = 0; i < labels.n_rows; ++i) {
        for (Index j = 0; j < labels.n_columns; ++j) {
            means[at(j)] += labels(i, j) / static_cast<double>(labels.n_rows);
            if (labels(i, j) != 0.0) {
                entries_.push_back({j, labels(i, j)});
            }
        }
        first_entry_.push_back(entries_.size());
    }
    // A panel product spends about half as much on an entry as a class sum does, but spends it on the zeros too. Class
    // sums need ones: means and squares of anything else could cancel.
    const bool is_indicator = std::all_of(entries_.begin(), entries_.end(), [](Entry e) { return e.value == 1.0; });
    if (!is_indicator || 2 * entries_.size() >= at(labels.n_rows * labels.n_columns)) {
        entries_ = {};
        dense_.reserve(at(labels.n_rows * labels.n_columns));
        for (Index i = 0; i < labels.n_rows; ++i) {
            for (Index j = 0; j < labels.n_columns; ++j) {
                dense_.push_back(labels(i, j) - means[at(j)]);
            }
        }
    }
}

LabelMoments Labels::moments(const ScoreFolds& folds, MatrixView<const Index> permutations, Index first,
                             Index count) const {
    LabelMoments moments(folds, count * n_labels_);
    Buffer means(moments.squares.size());
    if (dense_.empty()) {
        sum_sparse(folds, permutations, first, count, means, moments);
    } else {
        sum_dense(folds, permutations, first, count, means, moments);
    }
    moments.means = folds.merge(std::move(means), moments.n_columns);
    return moments;
}

void Labels::sum_dense(const ScoreFolds& folds, MatrixView<const Index> permutations, Index first_permutation,
                       Index count, Buffer& means, LabelMoments& moments) const {
    Buffer row(at(moments.n_columns));
    const auto gather = [&](Index fold, Index i) {
        for (Index k = 0; k < count; ++k) {
            const Index label_row = permutations(first_permutation + k, folds.row_number(fold, i));
            std::copy_n(dense_.data() + label_row * n_labels_, n_labels_, row.data() + k * n_labels_);
        }
    };
    for (Index fold = 0; fold < folds.n_folds; ++fold) {
        double* mean = means.data() + fold * moments.n_columns;
        double* squares = moments.squares.data() + fold * moments.n_columns;
        for (Index i = 0; i < folds.rows_in(fold); ++i) {
            gather(fold, i);
            for (Index j = 0; j < moments.n_columns; ++j) {
                mean[j] += row[at(j)];
            }
        }
        for (Index j = 0; j < moments.n_columns; ++j) {
            mean[j] /= static_cast<double>(folds.rows_in(fold));
        }
        for (Index first = 0; first < folds.rows_in(fold); first += kChunkRows) {
            PackedPanels labels(std::min(kChunkRows, folds.rows_in(fold) - first), moments.n_columns);
            for (Index i = 0; i < labels.n_rows(); ++i) {
                gather(fold, first + i);
                for (Index j = 0; j < moments.n_columns; ++j) {
                    row[at(j)] -= mean[j];
                    squares[j] += row[at(j)] * row[at(j)];
                }
                for (Index l = 0; l < labels.n_panels(); ++l) {
                    std::copy_n(row.data() + l * kPanelWidth, kPanelWidth, labels.panel(l) + i * kPanelWidth);
                }
            }
            add_products(pack_scores(folds, fold, first, labels.n_rows()), labels, folds, fold, moments);
        }
    }
}

void Labels::sum_sparse(const ScoreFolds& folds, MatrixView<const Index> permutations, Index first_permutation,
                        Index count, Buffer& means, LabelMoments& moments) const {
    Buffer class_sums(at(n_labels_ * folds.n_columns));  // of the scores, by label column
    for (Index fold = 0; fold < folds.n_folds; ++fold) {
        const auto n_test = static_cast<double>(folds.rows_in(fold));
        for (Index k = 0; k < count; ++k) {
            double* mean = means.data() + fold * moments.n_columns + k * n_labels_;
            double* squares = moments.squares.data() + fold * moments.n_columns + k * n_labels_;
            std::fill(class_sums.begin(), class_sums.end(), 0.0);
            for (Index i = 0; i < folds.rows_in(fold); ++i) {
                const std::size_t label_row = at(permutations(first_permutation + k, folds.row_number(fold, i)));
                const double* scores = folds.scores(fold, i);
                for (std::size_t e = first_entry_[label_row]; e < first_entry_[label_row + 1]; ++e) {
                    const Index column = entries_[e].column;
                    mean[column] += 1.0;
                    double* into = class_sums.data() + column * folds.n_columns;
                    for (Index j = 0; j < folds.n_columns; ++j) {
                        into[j] += scores[j];
                    }
                }
            }
            for (Index l = 0; l < n_labels_; ++l) {
                mean[l] /= n_test;
                squares[l] = n_test * mean[l] * (1.0 - mean[l]);  // of zeros and ones about their mean
                for (Index s = 0; s < folds.n_columns;
                     ++s) {  // the scores sum to 0, so their product with the mean is 0
                    moments.cross[at((fold * folds.n_columns + s) * moments.n_columns + k * n_labels_ + l)] =
                        class_sums[at(l * folds.n_columns + s)];
                }
            }
        }
    }
}

}  // namespace crossphase::cpu
