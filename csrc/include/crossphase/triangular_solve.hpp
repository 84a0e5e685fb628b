// Solutions of many right-hand sides with one lower triangular matrix L: rows x of a matrix become L^-1 x.
//
// BLAS's triangular solve on blocks of rows, a block a task; blocks are the same whatever the threads, and so are the
// bits. p^2 multiply-adds a row. SciPy's own wrapper holds the interpreter's lock meanwhile.
#pragma once

#include "crossphase/matrix_view.hpp"

namespace crossphase::cpu {

// lower: p x p, row-major, its upper triangle is not read. rows: any number x p, contiguous.
void solve_lower(MatrixView<const double> lower, MatrixView<double> rows, int n_threads);

}  // namespace crossphase::cpu
