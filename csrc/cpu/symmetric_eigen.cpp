#include "symmetric_eigen.hpp"

#include <stdexcept>
#include <string>

#include "crossphase/lapack.hpp"

namespace crossphase::cpu {

EigenSystem eigen_decompose(std::vector<double>& matrix, std::ptrdiff_t p) {
    EigenSystem system(p);
    const LapackInt n = p;
    // Sizes that dsyevd documents as sufficient for jobz = 'V'.
    const LapackInt lwork = 1 + 6 * n + 2 * n * n;
    const LapackInt liwork = 3 + 5 * n;
    std::vector<double> work(static_cast<std::size_t>(lwork));
    std::vector<LapackInt> iwork(static_cast<std::size_t>(liwork));
    LapackInt info = 0;
    // LAPACK counts by columns: column k of its vectors is our row k.
    lapack().dsyevd("V", "L", &n, matrix.data(), &n, system.values.data(), work.data(), &lwork, iwork.data(), &liwork,
                    &info);
    if (info != 0) {
        throw std::runtime_error("LAPACK's dsyevd failed (info " + std::to_string(info) + ")");
    }
    for (std::ptrdiff_t k = 0; k < p; ++k) {
        for (std::ptrdiff_t j = 0; j < p; ++j) {
            system.vectors(k, j) = matrix[static_cast<std::size_t>(k * p + j)];
        }
    }
    return system;
}

}  // namespace crossphase::cpu
