// What becomes of a block of rows on its way into the moments, up to the float64 products (panel_product.hpp): one
// table of functions an instruction set, each compiled in its own translation unit with that set's flags.
//
// Columns are packed into panels of 32; a product of two panels is a 32 x 32 tile. Rows come in strips of 32, zeros
// past the last row:
//   float panel   row after row, 32 floats each
//   bf16 panel    for each piece: pairs of rows, 32 words each; the low half of word j is row 2k of column j, the high
//                 half row 2k + 1
//   bf16 panel, transposed (what matrix units want of the left factor)
//                 for each piece and strip: columns 0 ... 15, then 16 ... 31; of each the 16 words of the strip
#pragma once

#include <cstddef>
#include <cstdint>

namespace crossphase::cpu::isa {

inline constexpr std::ptrdiff_t kTileWidth = 32;
inline constexpr std::ptrdiff_t kStripRows = 32;

// Rows whose products are summed in float32 before the sum goes on in float64: a float32 sum of k products is off by
// about 2^-24 sqrt(k) of its largest partial sum, 1e-6 for 256 equal rows, far less for others.
inline constexpr std::ptrdiff_t kSumRows = 256;

enum class StripType { float32, float64, bfloat16 };

// At most 32 rows, whose columns are contiguous.
struct Strip {
    const void* data;
    std::ptrdiff_t row_stride;  // bytes
    std::ptrdiff_t n_rows;
    StripType type;
};

// What becomes of a value v of a column: (v - shift) * scale, scale a power of two.
struct Centring {
    const double* shift;  // one a column
    const double* scale;
};

struct BlockKernels {
    // sums[j] += sum_i d, squares[j] += sum_i d^2 with d = v - origin[j], for at most 32 columns.
    void (*add_sums)(const Strip& strip, std::ptrdiff_t n_columns, const double* origin, double* sums, double* squares);

    // Centred values of at most 32 columns as one strip of two float64 panels of 16, of the second only if there are
    // more than 16. Rows past the strip's last stay as they are.
    void (*pack_double)(const Strip& strip, std::ptrdiff_t n_columns, const Centring& centring, double* first,
                        double* second);

    // The same as one strip of a panel.
    void (*pack_float)(const Strip& strip, std::ptrdiff_t n_columns, const Centring& centring, float* panel_strip);
    // As n_pieces pieces, `piece_stride` words apart; `transposed`: in the left factor's layout, or nullptr.
    void (*pack_bf16)(const Strip& strip, std::ptrdiff_t n_columns, const Centring& centring, int n_pieces,
                      std::ptrdiff_t piece_stride, std::uint32_t* panel_strip, std::uint32_t* transposed);

    // tile += A^T B, 32 x 32 row-major. Every entry sums its rows in order.
    void (*float_product)(const float* a, const float* b, std::ptrdiff_t n_rows, double* tile);
    // The same of pieces p of A and q of B with p + q < n_pieces. A is transposed where `wants_transposed`.
    void (*bf16_product)(const std::uint32_t* a, const std::uint32_t* b, std::ptrdiff_t n_rows, int n_pieces,
                         std::ptrdiff_t piece_stride, double* tile);

    // into += from + step_i step_j^T, for n x n entries of row-major tiles that are `stride` wide.
    void (*merge_tile)(const double* from, std::ptrdiff_t from_stride, const double* step_i, const double* step_j,
                       double* into);

    bool wants_transposed = false;
    void (*begin)() = nullptr;  // before a thread's bf16 products, and after them; nullptr: nothing to do
    void (*end)() = nullptr;
};

extern const BlockKernels block_kernels_baseline;
extern const BlockKernels block_kernels_avx2;
extern const BlockKernels block_kernels_avx512;
extern const BlockKernels block_kernels_avx512_bf16;
extern const BlockKernels block_kernels_amx;
extern const BlockKernels block_kernels_amx_emulated;

// Whether the processor has the matrix units and the kernel lets this process use them; asks for the permission.
bool may_use_amx();

}  // namespace crossphase::cpu::isa
