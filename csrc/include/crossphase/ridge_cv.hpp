// Cross-validated ridge R^2 of every component against every label, for many label permutations.
//
// A component is d score columns (d = 1 or 2 in the published procedure); every component is a regression of its own.
// In fold f the fit sees the other folds, centred on their means:
//
//   w = (X_c^T X_c + alpha I)^-1 X_c^T y_c        R^2 = max(0, 1 - sum_f SSE_f / sum_f SST_f)
//
// with SST_f about the mean of the test fold. All of it follows from count, means and scatters of x and y in each fold,
// each about the fold's own means; the training moments are merges of the other folds (Chan, Golub & LeVeque 1983),
// never differences, so that neither a fold far from the others nor an outlying row costs digits. Only x y depends on
// the permutation, and it is a matrix product: 2 n (n_components d) n_labels flop a permutation (n (n_components d)
// additions for class labels, which are mostly zeros), against n_components * n_folds passes over the rows in a loop.
// Source: Kamai et al. (2026), published code, _r2_ridge_1d and _r2_ridge_2d.
#pragma once

#include <cstddef>
#include <span>

#include "crossphase/matrix_view.hpp"
#include "crossphase/precision.hpp"

namespace crossphase::cpu {

inline constexpr std::ptrdiff_t kMaxScoresPerComponent = 8;

struct RidgeCvInput {
    MatrixView<const double> scores;          // n x (n_components d): component c is columns c d ... c d + d - 1
    std::ptrdiff_t scores_per_component = 1;  // d
    MatrixView<const double> labels;          // n x n_labels
    std::span<const std::ptrdiff_t> folds;    // n, values 0 ... n_folds - 1, none empty
    std::ptrdiff_t n_folds = 0;
    MatrixView<const std::ptrdiff_t> permutations;  // n_permutations x n: row i of the scores meets label row (k, i)
    double alpha = 1.0;                             // in squared units of the scores
    // Of the products with labels that are not zeros and ones, float64 or float32: then R^2 is within 1e-5 or so.
    Precision precision = Precision::float64;
};

// r2: n_permutations * n_components x n_labels; row k * n_components + c is component c under permutation k.
// Score columns are scaled to unit variance, alpha with them. Directions of a component that are then null to rounding
// (two collinear scores under a negligible alpha) are left out of its regression.
void component_r2(const RidgeCvInput& input, MatrixView<double> r2, int n_threads);

}  // namespace crossphase::cpu
