#include "crossphase/leading_eigenvectors.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "crossphase/lapack.hpp"

namespace crossphase::cpu {

std::ptrdiff_t leading_eigenvectors(MatrixView<const double> matrix, std::span<double> values,
                                    MatrixView<double> vectors) {
    const std::ptrdiff_t p = matrix.n_rows;
    const auto k = static_cast<std::ptrdiff_t>(values.size());
    if (matrix.n_columns != p || k < 1 || k > p || vectors.n_rows != k || vectors.n_columns != p ||
        vectors.row_stride != p || vectors.column_stride != 1) {
        throw std::invalid_argument("expected a square matrix, 1 <= k <= p values and k x p contiguous vectors");
    }
    std::vector<double> a(static_cast<std::size_t>(p * p));  // LAPACK overwrites it
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        for (std::ptrdiff_t j = 0; j < p; ++j) {
            a[static_cast<std::size_t>(i * p + j)] = matrix(i, j);
        }
    }
    const LapackInt n = p;
    const LapackInt first = p - k + 1;  // counted from 1, ascending
    const LapackInt lwork = 70 * n;     // (nb + 6) n; no build of LAPACK has blocks of more than 64 here
    const LapackInt liwork = 10 * n;
    const double unused = 0.0;
    const double tolerance = 0.0;  // the default, about p u |matrix|
    LapackInt n_found = 0;
    LapackInt info = 0;
    std::vector<double> all_values(static_cast<std::size_t>(p));  // LAPACK wants room for all
    std::vector<double> work(static_cast<std::size_t>(lwork));
    std::vector<LapackInt> iwork(static_cast<std::size_t>(liwork));
    std::vector<LapackInt> support(static_cast<std::size_t>(2 * k));
    lapack().dsyevr("V", "I", "L", &n, a.data(), &n, &unused, &unused, &first, &n, &tolerance, &n_found,
                    all_values.data(), vectors.data, &n, support.data(), work.data(), &lwork, iwork.data(), &liwork,
                    &info);
    if (info != 0) {
        throw std::runtime_error("LAPACK's dsyevr failed (info " + std::to_string(info) + ")");
    }
    std::copy_n(all_values.begin(), std::min<std::ptrdiff_t>(n_found, k), values.begin());
    return n_found;
}

}  // namespace crossphase::cpu
