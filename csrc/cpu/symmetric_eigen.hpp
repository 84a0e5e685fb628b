// Eigenvalues and eigenvectors of a symmetric matrix by LAPACK. Small ones go in lanes instead: isa/lane_kernels.hpp.
#pragma once

#include <vector>

#include "packed_panels.hpp"

namespace crossphase::cpu {

struct EigenSystem {
    explicit EigenSystem(std::ptrdiff_t p) : values(static_cast<std::size_t>(p)), vectors(p, p) {}

    std::vector<double> values;  // in no order
    PackedPanels vectors;        // row k is the unit vector of values[k]
};

// Overwrites `matrix` (p x p). Throws std::runtime_error where LAPACK fails.
EigenSystem eigen_decompose(std::vector<double>& matrix, std::ptrdiff_t p);

}  // namespace crossphase::cpu
