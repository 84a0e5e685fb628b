// The one loop behind every panel product. Only the translation units in this folder include it, each under its own
// compiler flags, so it stays in an unnamed namespace and includes no header with inline functions: the linker could
// otherwise keep an AVX-512 copy of something the baseline calls.
#pragma once

#include <cstddef>

namespace {

constexpr std::ptrdiff_t kWidth = 16;
typedef double Vector __attribute__((vector_size(64)));  // 8 doubles: one, two or four registers

// Keeps kTileRows x 16 sums in registers while it streams both panels once per group of kTileRows.
template <int kTileRows>
inline void panel_product(const double* a, const double* b, std::ptrdiff_t n_rows, double* tile) {
    for (int first = 0; first < kWidth; first += kTileRows) {
        Vector sums[kTileRows][2];
        __builtin_memcpy(sums, tile + first * kWidth, sizeof sums);
        for (std::ptrdiff_t r = 0; r < n_rows; ++r) {
            Vector left, right;
            __builtin_memcpy(&left, b + r * kWidth, sizeof left);
            __builtin_memcpy(&right, b + r * kWidth + 8, sizeof right);
#pragma GCC unroll 16
            for (int i = 0; i < kTileRows; ++i) {
                const double weight = a[r * kWidth + first + i];
                sums[i][0] += weight * left;
                sums[i][1] += weight * right;
            }
        }
        __builtin_memcpy(tile + first * kWidth, sums, sizeof sums);
    }
}

}  // namespace
