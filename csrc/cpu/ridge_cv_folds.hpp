// The part of a cross-validated ridge regression that label permutations leave alone: rows by fold and, for every fold,
// its scores about their means, the means of its training rows, the inverse of their ridged scatter, and its own
// scatter.
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

    // Row i of a fold: its number in the input, and its scores, scaled to unit variance and centred on the fold's
    // means.
    std::ptrdiff_t row_number(std::ptrdiff_t fold, std::ptrdiff_t i) const {
        return row_[index(first_row_[index(fold)] + i)];
    }
    const double* scores(std::ptrdiff_t fold, std::ptrdiff_t i) const {
        return scores_.data() + (first_row_[index(fold)] + i) * n_columns;
    }

    // Means by score column: of the fold, of the rows of all folds before it, of all folds after it, of its training
    // rows.
    const double* mean(std::ptrdiff_t fold) const { return means_.data() + fold * n_columns; }
    const double* mean_before(std::ptrdiff_t fold) const { return means_before_.data() + fold * n_columns; }
    const double* mean_after(std::ptrdiff_t fold) const { return means_after_.data() + fold * n_columns; }
    const double* train_mean(std::ptrdiff_t fold) const { return train_means_.data() + fold * n_columns; }
    double n_before(std::ptrdiff_t fold) const { return static_cast<double>(first_row_[index(fold)]); }
    double n_after(std::ptrdiff_t fold) const { return static_cast<double>(n_rows - first_row_[index(fold + 1)]); }

    // d x d, of component c: inverse of the training rows' scatter plus ridge, and the fold's own scatter.
    const double* inverse(std::ptrdiff_t fold, std::ptrdiff_t c) const { return inverses_.data() + gram_of(fold, c); }
    const double* scatter(std::ptrdiff_t fold, std::ptrdiff_t c) const { return scatters_.data() + gram_of(fold, c); }

    const std::ptrdiff_t d;          // scores per component
    const std::ptrdiff_t n_columns;  // of the scores: n_components * d
    const std::ptrdiff_t n_components;
    const std::ptrdiff_t n_folds;
    const std::ptrdiff_t n_rows;

  private:
    static std::size_t index(std::ptrdiff_t i) { return static_cast<std::size_t>(i); }
    std::ptrdiff_t gram_of(std::ptrdiff_t fold, std::ptrdiff_t c) const { return (fold * n_components + c) * d * d; }

    void sort_rows(std::span<const std::ptrdiff_t> folds);
    void copy_scores(MatrixView<const double> from);  // sets scales_
    void centre_folds();                              // sets means_, scatters_
    void merge_means();                               // sets means_before_, means_after_, train_means_
    void fit_inverses(double alpha);

    std::vector<std::ptrdiff_t> first_row_;  // n_folds + 1: where each fold begins in row_
    std::vector<std::ptrdiff_t> row_;        // row numbers, fold after fold
    std::vector<double> scores_;             // n_rows x n_columns, in the order of row_
    std::vector<double> scales_;             // n_columns: standard deviations of the scores as given (1 for constants)
    std::vector<double> means_, means_before_, means_after_, train_means_, scatters_, inverses_;
};

// Means by column of two sets of rows as one: into[j] = (n_a a[j] + n_b b[j]) / (n_a + n_b), without cancellation.
void merge_means(const double* a, double n_a, const double* b, double n_b, std::ptrdiff_t n_columns, double* into);

}  // namespace crossphase::cpu
