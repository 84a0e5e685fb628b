// Factorizations of several small matrices at once, one matrix to a SIMD lane; compiled once per instruction set, each
// in its own translation unit with that set's flags. Every lane runs the same operations in the same order, and none
// reads another, so a matrix's result does not depend on its neighbours nor on its place among them.
#pragma once

#include <cstddef>

namespace crossphase::cpu::isa {

// Up to n_lanes symmetric matrices of p x p, rows contiguous; a null pointer leaves its lane idle. They are read as
// their average with the mirror image. `is_covariance` becomes 0 for one that is not finite or not symmetric within
// rounding.
struct LaneMatrices {
    const double* const* covs;
    std::ptrdiff_t p;
    double* work;  // work_size(p) doubles, aligned to 64 bytes
    int* is_covariance;
    double largest_asymmetry;  // in units of two deviations: kLargestAsymmetry
    double largest_inflation;  // of a column's variance by the others: largest_inflation(p)
};

// sum over poles of weight (T + shift I)^-1 for a symmetric tridiagonal T that every shift makes positive definite.
struct Resolvents {
    const double* diagonal;  // n
    const double* beside;    // n - 1
    std::ptrdiff_t n;
    const double* shifts;
    const double* weights;
    std::ptrdiff_t n_poles;
    std::ptrdiff_t row_stride;  // of the sum: at least n rounded up to 8
};

struct LaneKernels {
    std::ptrdiff_t n_lanes;

    // L^-1 of cov + ridge I = L L^T into whiteners[lane], row by row. is_definite becomes 0 where it is not.
    std::ptrdiff_t (*cholesky_work_size)(std::ptrdiff_t p);
    void (*cholesky)(const LaneMatrices& in, double ridge, double* const* whiteners, int* is_definite);

    // Eigenvalues into values[lane] (p, in no order) and eigenvectors into panels[lane]: p rows, one a vector, of 16
    // coordinates in panel after panel, as packed_panels.hpp has them (its padding is left alone). has_converged
    // becomes 0 where it takes too many sweeps.
    std::ptrdiff_t (*eigen_work_size)(std::ptrdiff_t p);
    void (*eigen)(const LaneMatrices& in, double* const* values, double* const* panels, int* has_converged);

    // The upper triangle of `sums`, row by row; what lies below it is overwritten too.
    std::ptrdiff_t (*resolvents_work_size)(std::ptrdiff_t n, std::ptrdiff_t n_poles);
    void (*sum_resolvents)(const Resolvents& in, double* work, double* sums);
};

extern const LaneKernels lane_kernels_baseline;
extern const LaneKernels lane_kernels_avx2;
extern const LaneKernels lane_kernels_avx512;

}  // namespace crossphase::cpu::isa
