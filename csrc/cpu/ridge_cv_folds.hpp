// The part of a cross-validated ridge regression that label permutations leave alone: rows by fold and, for every fold,
// sums over its scores, the means of its training rows, the inverse of their ridged Gram matrix, and the Gram matrix of
// its test rows about those means.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "crossphase/matrix_view.hpp"
#include "crossphase/ridge_cv.hpp"

namespace crossphase::cpu {

class ScoreFolds {
  public:
    explicit ScoreFolds(const RidgeCvInput& input);

    std::ptrdiff_t rows_in(std::ptrdiff_t fold) const { return first_row_[index(fold + 1)] - first_row_[index(fold)]; }
    double n_train(std::ptrdiff_t fold) const { return static_cast<double>(n_rows - rows_in(fold)); }

    // Row i of a fold: its number in the input, and its scores, centred on their overall means.
    std::ptrdiff_t row_number(std::ptrdiff_t fold, std::ptrdiff_t i) const {
        return row_[index(first_row_[index(fold)] + i)];
    }
    const double* scores(std::ptrdiff_t fold, std::ptrdiff_t i) const {
        return scores_.data() + (first_row_[index(fold)] + i) * n_columns;
    }

    // By score column.
    const double* sum(std::ptrdiff_t fold) const { return sums_.data() + fold * n_columns; }
    const double* train_mean(std::ptrdiff_t fold) const { return train_means_.data() + fold * n_columns; }

    // d x d, of component c.
    const double* inverse(std::ptrdiff_t fold, std::ptrdiff_t c) const { return inverses_.data() + gram_of(fold, c); }
    const double* test_gram(std::ptrdiff_t fold, std::ptrdiff_t c) const {
        return test_grams_.data() + gram_of(fold, c);
    }

    const std::ptrdiff_t d;          // scores per component
    const std::ptrdiff_t n_columns;  // of the scores: n_components * d
    const std::ptrdiff_t n_components;
    const std::ptrdiff_t n_folds;
    const std::ptrdiff_t n_rows;

  private:
    static std::size_t index(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }
    std::ptrdiff_t gram_of(std::ptrdiff_t fold, std::ptrdiff_t c) const { return (fold * n_components + c) * d * d; }

    void sort_rows(std::span<const std::ptrdiff_t> folds);
    void copy_scores(MatrixView<const double> from);
    void sum_scores();
    void fit_grams(double alpha);

    std::vector<std::ptrdiff_t> first_row_;  // n_folds + 1: where each fold begins in row_
    std::vector<std::ptrdiff_t> row_;        // row numbers, fold after fold
    std::vector<double> scores_;             // n_rows x n_columns, in the order of row_
    std::vector<double> sums_, grams_, train_means_, inverses_, test_grams_;
};

std::vector<double> column_means(MatrixView<const double> matrix);

}  // namespace crossphase::cpu
