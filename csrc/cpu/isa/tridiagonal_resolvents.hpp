// Sums of resolvents of a symmetric tridiagonal matrix, entry by entry in O(n^2).
#pragma once

#include "lanes.hpp"

namespace {

inline std::ptrdiff_t resolvents_work_size(std::ptrdiff_t n, std::ptrdiff_t n_poles) {
    return (2 * n + padded(n)) * n_poles;
}

// Below the diagonal a resolvent G = (T + shift I)^-1 falls by the ratio r_i = -off_i / pivot_i a row:
// G_ij = r_i G_{i+1,j} for j > i, from the pivots of T from above; G_ii = 1 / (a_i - off^2 / above - off^2 / below).
template <int kLanes>
void sum_resolvents(const crossphase::cpu::isa::Resolvents& in, double* work, double* sums) {
    using Vector = typename Lanes<kLanes>::Vector;
    const Index n = in.n, n_poles = in.n_poles;
    double* ratios = work;                      // n x n_poles
    double* diagonals = ratios + n * n_poles;   // n x n_poles, times the pole's weight
    double* columns = diagonals + n * n_poles;  // row i of every resolvent: kLanes columns of pole after pole
    for (Index pole = 0; pole < n_poles; ++pole) {
        double above = in.diagonal[0] + in.shifts[pole];
        for (Index i = 0; i < n; ++i) {
            diagonals[i * n_poles + pole] = above;
            const double ratio = i + 1 < n ? -in.beside[i] / above : 0.0;
            ratios[i * n_poles + pole] = ratio;
            above = i + 1 < n ? in.diagonal[i + 1] + in.shifts[pole] + in.beside[i] * ratio : 0.0;
        }
        double correction = 0.0;  // off^2 / pivot from below
        for (Index i = n - 1; i >= 0; --i) {
            const double pivot = in.diagonal[i] + in.shifts[pole] - correction;
            diagonals[i * n_poles + pole] = in.weights[pole] / (diagonals[i * n_poles + pole] - correction);
            correction = i > 0 ? in.beside[i - 1] * in.beside[i - 1] / pivot : 0.0;
        }
    }
    for (Index k = 0; k < padded(n) * n_poles; ++k) {
        columns[k] = 0.0;
    }
    for (Index i = n - 1; i >= 0; --i) {
        const Index own = i / kLanes * kLanes;
        for (Index j = own; j < n; j += kLanes) {
            double* block = columns + j * n_poles;
            Vector sum = {};
            for (Index pole = 0; pole < n_poles; ++pole) {
                Vector entry = load<Vector>(block + pole * kLanes) * ratios[i * n_poles + pole];
                // Far from the diagonal entries fade into subnormal numbers, which are slow and weigh nothing.
                entry = absolute<kLanes>(entry) > Vector{} + 0x1p-900 ? entry : Vector{};
                if (j == own) {
                    entry[i - own] = diagonals[i * n_poles + pole];
                }
                store(block + pole * kLanes, entry);
                sum += entry;
            }
            store(sums + i * in.row_stride + j, sum);
        }
    }
}

}  // namespace
