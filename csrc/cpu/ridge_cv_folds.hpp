// The part of a cross-validated ridge regression that label permutations leave alone: rows by fold and, for every fold,
// its scores about their means, the means of its training rows, the inverse of their ridged scatter, and its own
// scatter.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "aligned_vector.hpp"
#include "crossphase/matrix_view.hpp"
#include "crossphase/ridge_cv.hpp"
#include "isa/ridge_cv_loops.hpp"

namespace crossphase::cpu {

// Means by column: of each fold, of the rows of all folds before it, of all after it, and of its training rows (both).
struct FoldMeans {
    const double* of(std::ptrdiff_t fold) const { return all_of.data() + fold * width; }
    const double* before(std::ptrdiff_t fold) const { return all_before.data() + fold * width; }
    const double* after(std::ptrdiff_t fold) const { return all_after.data() + fold * width; }
    const double* train(std::ptrdiff_t fold) const { return all_train.data() + fold * width; }

    std::ptrdiff_t width = 0;
    std::vector<double> all_of, all_before, all_after, all_train;  // n_folds x width each
};

class ScoreFolds {
  public:
    explicit ScoreFolds(const RidgeCvInput& input);

    std::ptrdiff_t rows_in(std::ptrdiff_t fold) const { return first_row_[index(fold + 1)] - first_row_[index(fold)]; }

    // Row i of a fold: its number in the input, and its scores, scaled to unit variance and centred on the fold's
    // means.
    std::ptrdiff_t row_number(std::ptrdiff_t fold, std::ptrdiff_t i) const {
        return row_[index(first_row_[index(fold)] + i)];
    }
    // Row i + 1 begins `stride` values later; those past n_columns are 0.
    const double* scores(std::ptrdiff_t fold, std::ptrdiff_t i) const {
        return scores_.data() + (first_row_[index(fold)] + i) * stride;
    }

    // Of the score columns.
    const FoldMeans& means() const { return means_; }
    // Of any columns, from their means in each fold (n_folds x width).
    FoldMeans merge(std::vector<double> of_fold, std::ptrdiff_t width) const;
    double n_in(std::ptrdiff_t fold) const { return n_in_[index(fold)]; }
    double n_before(std::ptrdiff_t fold) const { return n_before_[index(fold)]; }
    double n_after(std::ptrdiff_t fold) const { return n_after_[index(fold)]; }

    // Everything about the regressions of component c.
    isa::ComponentFolds component(std::ptrdiff_t c) const;

    const std::ptrdiff_t d;          // scores per component
    const std::ptrdiff_t n_columns;  // of the scores: n_components * d
    const std::ptrdiff_t stride;     // n_columns in whole cache lines
    const std::ptrdiff_t n_components;
    const std::ptrdiff_t n_folds;
    const std::ptrdiff_t n_rows;

  private:
    static std::size_t index(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }
    std::ptrdiff_t gram_of(std::ptrdiff_t fold, std::ptrdiff_t c) const { return (fold * n_components + c) * d * d; }

    void sort_rows(std::span<const std::ptrdiff_t> folds);
    void copy_scores(MatrixView<const double> from);  // sets scales_
    void centre_folds();                              // sets means_, scatters_
    void fit_inverses(double alpha);

    std::vector<std::ptrdiff_t> first_row_;          // n_folds + 1: where each fold begins in row_
    std::vector<std::ptrdiff_t> row_;                // row numbers, fold after fold
    std::vector<double> n_in_, n_before_, n_after_;  // rows of each fold, of all before it, of all after it
    AlignedVector<double> scores_;                   // n_rows x stride, in the order of row_
    std::vector<double> scales_;  // n_columns: standard deviations of the scores as given (1 for constants)
    FoldMeans means_;
    std::vector<double> scatters_, inverses_;
};

}  // namespace crossphase::cpu
