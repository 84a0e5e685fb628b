// Inverse square roots of symmetric positive definite matrices without their eigenvectors, in float64.
#pragma once

#include <cstddef>
#include <vector>

namespace crossphase::cpu {

// Both overwrite `matrix` (p x p, row-major, symmetric) with its inverse root and return a bound on its condition; or
// 0, `matrix` then being undefined, where it is too close to singular for them. Whatever the routine, eigenvalues must
// exceed `rcond` times the largest.

// From the tridiagonal form T = Q^T A Q: A^-1/2 = Q (sum_j w_j (T + s_j I)^-1) Q^T with the best rational approximation
// on the interval of the eigenvalues, 19 poles at a condition of 1e3. The resolvents of T cost O(p^2) each and both
// ways between A and T products of blocks: half the time of eigenvectors. Source: Hale, Higham & Trefethen (2008), SIAM
// J. Numer. Anal. 46(5), 2505-2523, method 3.
double rational_inverse_root(std::vector<double>& matrix, std::ptrdiff_t p, double rcond);

// The symmetric factor of the polar decomposition L^-1 = U A^-1/2 of the inverse Cholesky factor, U by Newton-Schulz
// iteration. The coupled iteration for A^1/2 and A^-1/2 would save L, and loses digits by the square of its condition
// when its products are kept symmetric. Sources: Higham (2008), Functions of Matrices, section 8.3; scaling: Chen &
// Chow (2014), A stable scaling of Newton-Schulz for improving the sign function computation, Argonne
// ANL/MCS-P5059-0114.
double newton_schulz_inverse_root(std::vector<double>& matrix, std::ptrdiff_t p, double rcond);

}  // namespace crossphase::cpu
