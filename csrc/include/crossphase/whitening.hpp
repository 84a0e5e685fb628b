// Whitening matrices W of covariances, W (cov + ridge I) W^T = I on the directions kept.
//
//   cov + ridge I = U diag(lambda) U^T = L L^T
//   zca       W = U diag(lambda^-1/2) U^T     symmetric; stays closest to the original coordinates
//   pca       W = diag(lambda^-1/2) U^T       rows by descending lambda, each with its largest entry positive
//   cholesky  W = L^-1                        lower triangular, the cheapest; needs full rank
//
// zca and pca drop directions with lambda <= rcond * max(lambda): inverting them only amplifies rounding noise (their
// rows are zero in pca). Source: Kessy, Lewin & Strimmer (2018), Am. Stat. 72(4), 309-314.
//
// A batch is shared out to threads. A result depends on its own matrix alone: not on the batch, the threads, nor its
// place.
#pragma once

#include <cstddef>
#include <span>

#include "crossphase/matrix_view.hpp"

namespace crossphase::cpu {

enum class WhiteningKind { zca, pca, cholesky };

// How W is computed: `cholesky` makes that kind alone, `eigh` the other two, `rational` and `newton_schulz` zca where
// cov + ridge I is far enough from singular (csrc/cpu/inverse_root.hpp).
enum class WhiteningMethod { cholesky, eigh, rational, newton_schulz };

// Covariances of at most so many columns are factored one to a SIMD lane, 8 at once: half of a second-level cache of 1
// MB. Beyond, LAPACK's blocks win.
inline constexpr std::ptrdiff_t kLargestInLanes = 96;

struct WhiteningOptions {
    WhiteningKind kind = WhiteningKind::zca;
    WhiteningMethod method = WhiteningMethod::eigh;
    double ridge = 0.0;    // added to every eigenvalue; in units of cov
    double rcond = 1e-12;  // relative eigenvalue cutoff
};

struct WhiteningOutcome {
    // -1: the covariance is not finite or not symmetric. 0 with kind cholesky: it is not positive definite. Either way
    // the whitener is zero.
    std::ptrdiff_t n_kept = 0;
    WhiteningMethod method = WhiteningMethod::eigh;  // eigh where another cannot do it
};

// Fills one whitener and one outcome a covariance; all matrices are p x p with contiguous rows.
void whitening_matrix(std::span<const MatrixView<const double>> covs, const WhiteningOptions& options,
                      std::span<const MatrixView<double>> whiteners, std::span<WhiteningOutcome> outcomes,
                      int n_threads);

}  // namespace crossphase::cpu
