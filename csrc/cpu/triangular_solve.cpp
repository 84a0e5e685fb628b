#include "crossphase/triangular_solve.hpp"

#include <algorithm>
#include <cstddef>
#include <stdexcept>

#include "crossphase/lapack.hpp"
#include "crossphase/thread_pool.hpp"

namespace crossphase::cpu {
namespace {

constexpr std::ptrdiff_t kTaskRows = 256;  // packing L, once a task, then costs under a hundredth of the products

}  // namespace

void solve_lower(MatrixView<const double> lower, MatrixView<double> rows, int n_threads) {
    const std::ptrdiff_t p = lower.n_rows;
    if (lower.n_columns != p || lower.row_stride != p || lower.column_stride != 1 || rows.n_columns != p ||
        rows.row_stride != p || rows.column_stride != 1) {
        throw std::invalid_argument("solve_lower: expected a square matrix and rows of its width, both contiguous");
    }
    if (p == 0) {
        return;
    }
    parallel_for((rows.n_rows + kTaskRows - 1) / kTaskRows, n_threads, [&](std::ptrdiff_t task) {
        const std::ptrdiff_t first = task * kTaskRows;
        const LapackInt n = p;
        const LapackInt n_rows = std::min(kTaskRows, rows.n_rows - first);
        const double one = 1.0;
        // In BLAS's order of columns the rows are columns, and L is the transpose of an upper triangle.
        lapack().dtrsm("L", "U", "T", "N", &n, &n_rows, &one, lower.data, &n, rows.data + first * p, &n);
    });
}

}  // namespace crossphase::cpu
