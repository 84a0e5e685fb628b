// The part of a cross-validated ridge regression that label permutations change: sums over the labels of each fold, and
// their products with the scores. Dense labels go through panel products, labels that are mostly zeros (classes,
// one-hot) through class sums: n n_columns additions a permutation, whatever the number of classes.
#pragma once

#include <cstddef>
#include <vector>

#include "crossphase/ridge_cv.hpp"
#include "ridge_cv_folds.hpp"

namespace crossphase::cpu {

// Moments of a group of permuted label columns in every fold, about the fold's means; padded with zeros to whole
// panels.
struct LabelMoments {
    LabelMoments(const ScoreFolds& folds, std::ptrdiff_t n_used);

    const double* squares_of(std::ptrdiff_t fold) const { return squares.data() + fold * n_columns; }

    const std::ptrdiff_t n_columns;
    FoldMeans means;
    std::vector<double> squares;  // n_folds x n_columns: sums of squares about the fold's mean
    // n_folds x score columns x n_columns: products with the scores, both about the fold's means.
    std::vector<double> cross;
};

class Labels {
  public:
    explicit Labels(MatrixView<const double> labels);

    // Moments for `count` permutations from `first` on; column k * n_labels + l is label l under permutation first + k.
    LabelMoments moments(const ScoreFolds& folds, MatrixView<const std::ptrdiff_t> permutations, std::ptrdiff_t first,
                         std::ptrdiff_t count) const;

  private:
    // Both fill `means` (n_folds x n_columns) with the means in each fold, and squares and products of `moments`.
    void sum_dense(const ScoreFolds& folds, MatrixView<const std::ptrdiff_t> permutations, std::ptrdiff_t first,
                   std::ptrdiff_t count, std::vector<double>& means, LabelMoments& moments) const;
    void sum_sparse(const ScoreFolds& folds, MatrixView<const std::ptrdiff_t> permutations, std::ptrdiff_t first,
                    std::ptrdiff_t count, std::vector<double>& means, LabelMoments& moments) const;

    std::ptrdiff_t n_labels_;
    std::vector<double> dense_;  // n x n_labels, centred on the overall means; empty if the labels are sparse

    struct Entry {
        std::ptrdiff_t column;
        double value;
    };
    std::vector<std::size_t> first_entry_;  // n + 1: where each row begins in entries_
    std::vector<Entry> entries_;            // the values that are not zero, as given
};

}  // namespace crossphase::cpu
