// The part of a cross-validated ridge regression that label permutations change: sums over the labels of each fold, and
// their products with the scores. Dense labels go through panel products, labels that are mostly zeros (classes,
// one-hot) through class sums: n n_columns additions a permutation, whatever the number of classes.
#pragma once

#include <cstddef>
#include <vector>

#include "aligned_vector.hpp"
#include "crossphase/ridge_cv.hpp"
#include "ridge_cv_folds.hpp"

namespace crossphase::cpu {

// Moments of a group of permuted label columns in every fold, about the fold's means; padded with zeros to whole
// panels.
struct LabelMoments {
    LabelMoments(const ScoreFolds& folds, std::ptrdiff_t n_used);

    const double* squares_of(std::ptrdiff_t fold) const { return squares.data() + fold * n_columns; }
    // As the loops read them, with the products of component c.
    isa::LabelFolds folds(const ScoreFolds& folds, std::ptrdiff_t c) const;

    const std::ptrdiff_t n_columns;
    FoldMeans means;
    std::vector<double> squares;  // n_folds x n_columns: sums of squares about the fold's mean
    // n_folds x score columns x n_columns: products with the scores, both about the fold's means.
    AlignedVector<double> cross;
};

class Labels {
  public:
    // `folds` must outlive it.
    Labels(MatrixView<const double> labels, const ScoreFolds& folds, Precision precision);

    // Moments for `count` permutations from `first` on; column k * stride() + l is label l under permutation first + k.
    LabelMoments moments(MatrixView<const std::ptrdiff_t> permutations, std::ptrdiff_t first,
                         std::ptrdiff_t count) const;
    std::ptrdiff_t stride() const { return stride_; }

  private:
    bool is_indicator() const { return !first_class_.empty(); }

    // Both fill `means` (n_folds x n_columns) with the means in each fold, and squares and products of `moments`.
    template <typename Real>
    void sum_dense(const std::vector<Real>& packed_scores, MatrixView<const std::ptrdiff_t> permutations,
                   std::ptrdiff_t first, std::ptrdiff_t count, std::vector<double>& means, LabelMoments& moments) const;
    void sum_classes(MatrixView<const std::ptrdiff_t> permutations, std::ptrdiff_t first, std::ptrdiff_t count,
                     std::vector<double>& means, LabelMoments& moments) const;

    const ScoreFolds& folds_;
    const std::ptrdiff_t n_labels_;
    const std::ptrdiff_t stride_;  // n_labels in whole cache lines

    // Indicators: the label columns that are 1 in row r are classes_[first_class_[r]] ... up to the next row's first.
    std::vector<std::size_t> first_class_;
    std::vector<std::ptrdiff_t> classes_;

    // Anything else: n x stride, centred on the overall means; and the scores, packed in the precision of the products.
    AlignedVector<double> dense_;
    std::vector<double> scores_in_float64_;
    std::vector<float> scores_in_float32_;
};

}  // namespace crossphase::cpu
