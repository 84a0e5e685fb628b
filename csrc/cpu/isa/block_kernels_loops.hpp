// The loops behind every table of block kernels. Only the translation units in this folder include it, each under
// its own compiler flags, so it stays in an unnamed namespace and calls nothing inline from elsewhere: the linker could
// otherwise keep an AVX-512 copy of something the baseline calls.
#pragma once

#include "block_kernels.hpp"
#include "vectors.hpp"

namespace {

using crossphase::cpu::isa::BlockKernels;
using crossphase::cpu::isa::Centring;
using crossphase::cpu::isa::kStripRows;
using crossphase::cpu::isa::kSumRows;
using crossphase::cpu::isa::kTileWidth;
using crossphase::cpu::isa::Strip;
using crossphase::cpu::isa::StripType;

typedef float Floats __attribute__((vector_size(64)));      // 16: one, two or four registers
typedef float HalfFloats __attribute__((vector_size(32)));  // 8
typedef double Doubles __attribute__((vector_size(64)));    // 8
typedef std::uint32_t Words __attribute__((vector_size(64)));
typedef std::uint32_t HalfWords __attribute__((vector_size(32)));
typedef std::uint16_t Shorts __attribute__((vector_size(16)));  // 8

constexpr int kGroups = 4;  // of 8 columns: a panel's width in Doubles

// Eight neighbouring values of a row as float64.
template <StripType type>
inline Doubles load_eight(const char* at) {
    if constexpr (type == StripType::float64) {
        return load<Doubles>(at);
    } else if constexpr (type == StripType::float32) {
        return __builtin_convertvector(load<HalfFloats>(at), Doubles);
    } else {
        const HalfWords words = __builtin_convertvector(load<Shorts>(at), HalfWords) << 16;
        return __builtin_convertvector(load<HalfFloats>(&words), Doubles);
    }
}

template <StripType type>
constexpr std::ptrdiff_t width_of() {
    return type == StripType::float64 ? 8 : type == StripType::float32 ? 4 : 2;
}

// Columns 8 g ... 8 g + 7 of a row of n_columns; zeros past the last.
template <StripType type>
inline Doubles load_group(const char* row, int g, std::ptrdiff_t n_columns) {
    const char* at = row + 8 * g * width_of<type>();
    const std::ptrdiff_t count = n_columns - 8 * g;
    if (count >= 8) {
        return load_eight<type>(at);
    }
    char eight[64] = {};
    if (count > 0) {
        __builtin_memcpy(eight, at, static_cast<std::size_t>(count * width_of<type>()));
    }
    return load_eight<type>(eight);
}

// Up to 32 columns side by side: additions of one wait for each other, those of several do not.
template <StripType type>
inline void add_sums_of(const Strip& strip, std::ptrdiff_t n_columns, const double* origin, double* sums,
                        double* squares) {
    const auto bytes = static_cast<std::size_t>(n_columns) * sizeof(double);
    Doubles from[kGroups] = {}, sum[kGroups] = {}, square[kGroups] = {};
    __builtin_memcpy(from, origin, bytes);
    __builtin_memcpy(sum, sums, bytes);
    __builtin_memcpy(square, squares, bytes);
    const auto* at = static_cast<const char*>(strip.data);
    for (std::ptrdiff_t i = 0; i < strip.n_rows; ++i, at += strip.row_stride) {
#pragma GCC unroll 4
        for (int g = 0; g < kGroups; ++g) {
            const Doubles d = load_group<type>(at, g, n_columns) - from[g];
            sum[g] += d;
            square[g] += d * d;
        }
    }
    __builtin_memcpy(sums, sum, bytes);
    __builtin_memcpy(squares, square, bytes);
}

void add_sums(const Strip& strip, std::ptrdiff_t n_columns, const double* origin, double* sums, double* squares) {
    switch (strip.type) {
        case StripType::float64:
            return add_sums_of<StripType::float64>(strip, n_columns, origin, sums, squares);
        case StripType::float32:
            return add_sums_of<StripType::float32>(strip, n_columns, origin, sums, squares);
        case StripType::bfloat16:
            return add_sums_of<StripType::bfloat16>(strip, n_columns, origin, sums, squares);
    }
}

// Shift and scale of a panel's columns; columns that are not there become 0 whatever is read for them.
struct PanelCentring {
    Doubles shift[kGroups];
    Doubles scale[kGroups];
};

inline PanelCentring of_panel(const Centring& centring, std::ptrdiff_t n_columns) {
    PanelCentring panel = {};
    const auto bytes = static_cast<std::size_t>(n_columns) * sizeof(double);
    __builtin_memcpy(panel.shift, centring.shift, bytes);
    __builtin_memcpy(panel.scale, centring.scale, bytes);
    return panel;
}

// The 32 centred values of a row. Differences are taken in float64, so that a float64 copy of a row gives the same
// bits.
template <StripType type>
inline void centre_row(const char* at, std::ptrdiff_t n_columns, const PanelCentring& panel, Floats (&values)[2]) {
#pragma GCC unroll 4
    for (int g = 0; g < kGroups; ++g) {
        const Doubles eight = load_group<type>(at, g, n_columns);
        const HalfFloats centred = __builtin_convertvector((eight - panel.shift[g]) * panel.scale[g], HalfFloats);
        __builtin_memcpy(reinterpret_cast<char*>(values) + 32 * g, &centred, sizeof centred);
    }
}

template <StripType type>
inline void pack_double_of(const Strip& strip, std::ptrdiff_t n_columns, const Centring& centring, double* first,
                           double* second) {
    const PanelCentring panel = of_panel(centring, n_columns);
    const auto* at = static_cast<const char*>(strip.data);
    for (std::ptrdiff_t i = 0; i < strip.n_rows; ++i, at += strip.row_stride) {
#pragma GCC unroll 2
        for (int g = 0; g < 2; ++g) {
            store(first + 16 * i + 8 * g, (load_group<type>(at, g, n_columns) - panel.shift[g]) * panel.scale[g]);
        }
        for (int g = 2; n_columns > 16 && g < 4; ++g) {
            store(second + 16 * i + 8 * (g - 2),
                  (load_group<type>(at, g, n_columns) - panel.shift[g]) * panel.scale[g]);
        }
    }
}

void pack_double(const Strip& strip, std::ptrdiff_t n_columns, const Centring& centring, double* first,
                 double* second) {
    switch (strip.type) {
        case StripType::float64:
            return pack_double_of<StripType::float64>(strip, n_columns, centring, first, second);
        case StripType::float32:
            return pack_double_of<StripType::float32>(strip, n_columns, centring, first, second);
        case StripType::bfloat16:
            return pack_double_of<StripType::bfloat16>(strip, n_columns, centring, first, second);
    }
}

template <StripType type>
inline void pack_float_of(const Strip& strip, std::ptrdiff_t n_columns, const Centring& centring, float* panel) {
    const PanelCentring of_columns = of_panel(centring, n_columns);
    const auto* at = static_cast<const char*>(strip.data);
    for (std::ptrdiff_t i = 0; i < kStripRows; ++i, at += strip.row_stride) {
        Floats values[2] = {};
        if (i < strip.n_rows) {
            centre_row<type>(at, n_columns, of_columns, values);
        }
        store(panel + i * kTileWidth, values);
    }
}

void pack_float(const Strip& strip, std::ptrdiff_t n_columns, const Centring& centring, float* panel) {
    switch (strip.type) {
        case StripType::float64:
            return pack_float_of<StripType::float64>(strip, n_columns, centring, panel);
        case StripType::float32:
            return pack_float_of<StripType::float32>(strip, n_columns, centring, panel);
        case StripType::bfloat16:
            return pack_float_of<StripType::bfloat16>(strip, n_columns, centring, panel);
    }
}

// The nearest bfloat16, ties to even, in the upper half of each word. Values are finite and of ordinary size.
inline Words rounded_to_bf16(const Floats& values) {
    const auto bits = load<Words>(&values);
    return (bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u;
}

template <StripType type>
inline void pack_bf16_of(const Strip& strip, std::ptrdiff_t n_columns, const Centring& centring, int n_pieces,
                         std::ptrdiff_t piece_stride, std::uint32_t* panel, std::uint32_t* transposed) {
    const PanelCentring of_columns = of_panel(centring, n_columns);
    const auto* at = static_cast<const char*>(strip.data);
    for (std::ptrdiff_t pair = 0; pair < kStripRows / 2; ++pair, at += 2 * strip.row_stride) {
        Floats even[2] = {}, odd[2] = {};
        if (2 * pair < strip.n_rows) {
            centre_row<type>(at, n_columns, of_columns, even);
        }
        if (2 * pair + 1 < strip.n_rows) {
            centre_row<type>(at + strip.row_stride, n_columns, of_columns, odd);
        }
        for (int piece = 0; piece < n_pieces; ++piece) {
            std::uint32_t* to = panel + piece * piece_stride + pair * kTileWidth;
#pragma GCC unroll 2
            for (int half = 0; half < 2; ++half) {
                const Words low = rounded_to_bf16(even[half]);
                const Words high = rounded_to_bf16(odd[half]);
                store(to + 16 * half, (low >> 16) | high);
                even[half] -= load<Floats>(&low);
                odd[half] -= load<Floats>(&high);
            }
        }
    }
    if (transposed != nullptr) {
        for (int piece = 0; piece < n_pieces; ++piece) {
            const std::uint32_t* from = panel + piece * piece_stride;
            std::uint32_t* to = transposed + piece * piece_stride;
            for (std::ptrdiff_t column = 0; column < kTileWidth; ++column) {
                for (std::ptrdiff_t pair = 0; pair < kStripRows / 2; ++pair) {
                    to[column * (kStripRows / 2) + pair] = from[pair * kTileWidth + column];
                }
            }
        }
    }
}

void pack_bf16(const Strip& strip, std::ptrdiff_t n_columns, const Centring& centring, int n_pieces,
               std::ptrdiff_t piece_stride, std::uint32_t* panel, std::uint32_t* transposed) {
    switch (strip.type) {
        case StripType::float64:
            return pack_bf16_of<StripType::float64>(strip, n_columns, centring, n_pieces, piece_stride, panel,
                                                    transposed);
        case StripType::float32:
            return pack_bf16_of<StripType::float32>(strip, n_columns, centring, n_pieces, piece_stride, panel,
                                                    transposed);
        case StripType::bfloat16:
            return pack_bf16_of<StripType::bfloat16>(strip, n_columns, centring, n_pieces, piece_stride, panel,
                                                     transposed);
    }
}

// One step of a product: sums += (one row, or pair of rows, of column i) times (that of 16 columns).
struct FloatStep {
    using Element = float;
    static inline Floats run(const Floats& sums, float left, const Floats& right) { return sums + left * right; }
};

struct WidenedBf16Step {  // without an instruction for it: both halves of each word made floats
    using Element = std::uint32_t;
    static inline Floats run(const Floats& sums, std::uint32_t left, const Floats& right) {
        const auto words = load<Words>(&right);
        const Words low = words << 16, high = words & 0xffff0000u;
        const std::uint32_t left_low = left << 16, left_high = left & 0xffff0000u;
        return sums + load<float>(&left_low) * load<Floats>(&low) + load<float>(&left_high) * load<Floats>(&high);
    }
};

// Sums of kTileRows x 32 entries stay in registers over the steps.
template <typename Step, int kTileRows>
inline void add_steps(const typename Step::Element* a, const typename Step::Element* b, std::ptrdiff_t n_steps,
                      Floats (&sums)[kTileRows][2]) {
    for (std::ptrdiff_t s = 0; s < n_steps; ++s) {
        const auto left = load<Floats>(b + s * kTileWidth);
        const auto right = load<Floats>(b + s * kTileWidth + 16);
#pragma GCC unroll 16
        for (int i = 0; i < kTileRows; ++i) {
            const typename Step::Element weight = a[s * kTileWidth + i];
            sums[i][0] = Step::run(sums[i][0], weight, left);
            sums[i][1] = Step::run(sums[i][1], weight, right);
        }
    }
}

inline void add_to_tile(const Floats& sums, double* row) {
    HalfFloats halves[2];
    __builtin_memcpy(halves, &sums, sizeof halves);
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
        store(row + 8 * h, load<Doubles>(row + 8 * h) + __builtin_convertvector(halves[h], Doubles));
    }
}

template <int kTileRows>
void float_product(const float* a, const float* b, std::ptrdiff_t n_rows, double* tile) {
    for (std::ptrdiff_t first = 0; first < n_rows; first += kSumRows) {
        const std::ptrdiff_t count = n_rows - first < kSumRows ? n_rows - first : kSumRows;
        for (std::ptrdiff_t i = 0; i < kTileWidth; i += kTileRows) {
            Floats sums[kTileRows][2] = {};
            add_steps<FloatStep, kTileRows>(a + first * kTileWidth + i, b + first * kTileWidth, count, sums);
            for (int r = 0; r < kTileRows; ++r) {
                add_to_tile(sums[r][0], tile + (i + r) * kTileWidth);
                add_to_tile(sums[r][1], tile + (i + r) * kTileWidth + 16);
            }
        }
    }
}

template <typename Step, int kTileRows>
void bf16_product(const std::uint32_t* a, const std::uint32_t* b, std::ptrdiff_t n_rows, int n_pieces,
                  std::ptrdiff_t piece_stride, double* tile) {
    for (std::ptrdiff_t first = 0; first < n_rows; first += kSumRows) {
        const std::ptrdiff_t count = n_rows - first < kSumRows ? n_rows - first : kSumRows;
        const std::ptrdiff_t offset = first / 2 * kTileWidth;
        for (std::ptrdiff_t i = 0; i < kTileWidth; i += kTileRows) {
            Floats sums[kTileRows][2] = {};
            for (int p = n_pieces - 1; p >= 0; --p) {  // the smallest products first
                for (int q = n_pieces - 1 - p; q >= 0; --q) {
                    add_steps<Step, kTileRows>(a + p * piece_stride + offset + i, b + q * piece_stride + offset,
                                               count / 2, sums);
                }
            }
            for (int r = 0; r < kTileRows; ++r) {
                add_to_tile(sums[r][0], tile + (i + r) * kTileWidth);
                add_to_tile(sums[r][1], tile + (i + r) * kTileWidth + 16);
            }
        }
    }
}

void merge_tile(const double* from, std::ptrdiff_t from_stride, const double* step_i, const double* step_j,
                double* into) {
    const auto left = load<Doubles>(step_j), right = load<Doubles>(step_j + 8);
    for (std::ptrdiff_t i = 0; i < 16; ++i) {
        const double* row = from + i * from_stride;
        double* to = into + i * 16;
        store(to, load<Doubles>(to) + (load<Doubles>(row) + step_i[i] * left));
        store(to + 8, load<Doubles>(to + 8) + (load<Doubles>(row + 8) + step_i[i] * right));
    }
}

}  // namespace
