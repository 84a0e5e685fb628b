// Per-element formulas, constants and cutoffs: each exists once, for every backend.
#pragma once

#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <stdexcept>

#include "crossphase/matrix_view.hpp"

namespace crossphase {

// Rows of one block of the absolute grid (DESIGN of the moments: blocks are reduced by one thread in one order).
// Large enough that merging blocks costs under a tenth of their product, small enough that a block of 1000 columns
// in float64 is 8 MB.
inline constexpr std::ptrdiff_t kBlockRows = 1024;

// IEEE binary16 bits to double; exact, infinities and NaN kept. Subnormals are built by a product of normal numbers, so
// a process that flushes them to zero still reads them right.
inline double half_to_double(std::uint16_t bits) {
    const bool is_negative = (bits & 0x8000u) != 0;
    const std::uint64_t exponent = (bits >> 10) & 0x1fu;
    const std::uint64_t mantissa = bits & 0x3ffu;
    double magnitude;
    if (exponent == 0) {
        magnitude = static_cast<double>(mantissa) * 0x1p-24;
    } else if (exponent == 31) {
        magnitude = mantissa == 0 ? HUGE_VAL : std::nan("");
    } else {
        magnitude = std::bit_cast<double>(((exponent + 1023 - 15) << 52) | (mantissa << 42));
    }
    return is_negative ? -magnitude : magnitude;
}

// bfloat16 is the upper half of a binary32.
inline double bfloat16_to_double(std::uint16_t bits) {
    return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16));
}

template <SampleType type>
double load_sample(const std::byte* at) {
    if constexpr (type == SampleType::float64) {
        double value;
        std::memcpy(&value, at, sizeof value);
        return value;
    } else if constexpr (type == SampleType::float32) {
        float value;
        std::memcpy(&value, at, sizeof value);
        return static_cast<double>(value);
    } else {
        std::uint16_t bits;
        std::memcpy(&bits, at, sizeof bits);
        return type == SampleType::float16 ? half_to_double(bits) : bfloat16_to_double(bits);
    }
}

// Calls visit.template operator()<type>() with the sample type as a compile-time constant.
template <typename Visitor>
decltype(auto) with_sample_type(SampleType type, Visitor&& visit) {
    switch (type) {
        case SampleType::float16:
            return visit.template operator()<SampleType::float16>();
        case SampleType::bfloat16:
            return visit.template operator()<SampleType::bfloat16>();
        case SampleType::float32:
            return visit.template operator()<SampleType::float32>();
        case SampleType::float64:
            return visit.template operator()<SampleType::float64>();
    }
    throw std::invalid_argument("unknown sample type");
}

// Weight of one eigenvalue in a whitening matrix: (lambda + ridge)^(-1/2), or 0 where lambda + ridge does not exceed
// `cutoff` = rcond * max(lambda + ridge): inverting such a direction only amplifies rounding noise.
inline double whitening_weight(double eigenvalue, double ridge, double cutoff) {
    const double variance = eigenvalue + ridge;
    return variance > cutoff && variance > 0.0 ? 1.0 / std::sqrt(variance) : 0.0;
}

// A covariance may differ from its mirror image by this much, in units of the two deviations: products of rounded
// numbers may differ in the last digits across the diagonal, and anything more is another matrix.
inline constexpr double kLargestAsymmetry = 1e-8;

// The diagonal of the inverse covariance times that of the covariance is 1 / (1 - R^2) of each column given the others.
// Beyond this, for p columns, it is rounding and the matrix singular, though a Cholesky factor may not notice.
inline constexpr double largest_inflation(std::ptrdiff_t p) {
    return 1.0 / (64.0 * static_cast<double>(p) * 0x1p-52);
}

// Pooled cross-validated R^2 of one label from one component: 1 - SSE / SST, clipped to [0, 1]; 0 for a label without
// spread. Source: the published procedure counts a total sum of squares of at most 1e-15 as no spread.
inline double clipped_r2(double sum_squared_error, double total_sum_squares) {
    if (!(total_sum_squares > 1e-15)) {
        return 0.0;
    }
    const double r2 = 1.0 - sum_squared_error / total_sum_squares;
    return r2 > 0.0 ? (r2 < 1.0 ? r2 : 1.0) : 0.0;
}

}  // namespace crossphase
