// The k largest eigenvalues of a symmetric matrix, with their eigenvectors.
//
//   matrix v_i = lambda_i v_i,  lambda_1 >= ... >= lambda_k
//
// Reduction to tridiagonal form and LAPACK's dsyevr for part of its spectrum: 4/3 p^3 multiply-adds and O(p^2 k) more,
// against about 9 p^3 for all of the vectors. All float64, workspace p^2 + 70 p doubles. It may find fewer than k where
// eigenvalues coincide. Source: Dhillon & Parlett (2004), SIAM J. Matrix Anal. Appl. 25(3), 858-899.
#pragma once

#include <cstddef>
#include <span>

#include "crossphase/matrix_view.hpp"

namespace crossphase::cpu {

// Fills `values` (k) and the rows of `vectors` (k x p, contiguous), both ascending, and returns how many it found.
std::ptrdiff_t leading_eigenvectors(MatrixView<const double> matrix, std::span<double> values,
                                    MatrixView<double> vectors);

}  // namespace crossphase::cpu
