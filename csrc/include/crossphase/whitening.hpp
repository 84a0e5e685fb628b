// Whitening matrices W of covariances, W (cov + ridge I) W^T = I on the directions kept.
//
//   cov + ridge I = U diag(lambda) U^T = L L^T
//   zca       W = U diag(lambda^-1/2) U^T     symmetric; stays closest to the original coordinates
//   pca       W = diag(lambda^-1/2) U^T       rows by descending lambda, each with its largest entry positive
//   cholesky  W = L^-1                        lower triangular, the cheapest; needs full rank
//
// zca and pca drop directions with lambda <= rcond * max(lambda): inverting them only amplifies rounding noise (their
// rows are zero in pca). All float64. Cost O(p^3), workspace 5 p^2 doubles a matrix; a batch is shared out to threads.
// Source: Kessy, Lewin & Strimmer (2018), Am. Stat. 72(4), 309-314.
#pragma once

#include <cstddef>
#include <span>

#include "crossphase/matrix_view.hpp"

namespace crossphase::cpu {

enum class WhiteningKind { zca, pca, cholesky };

struct WhiteningOptions {
    WhiteningKind kind = WhiteningKind::zca;
    double ridge = 0.0;    // added to every eigenvalue; in units of cov
    double rcond = 1e-12;  // relative eigenvalue cutoff
};

// Fills one whitener and one n_kept a covariance; all are p x p. n_kept is 0 where cholesky meets a matrix that is not
// positive definite, and the whitener is then zero.
void whitening_matrix(std::span<const MatrixView<const double>> covs, const WhiteningOptions& options,
                      std::span<const MatrixView<double>> whiteners, std::span<std::ptrdiff_t> n_kept, int n_threads);

}  // namespace crossphase::cpu
