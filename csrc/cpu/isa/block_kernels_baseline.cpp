// SSE2 on x86-64, NEON on arm64; and the matrix units' loop with arrays for tiles, to test it where there are none.
#include "tile_product.hpp"

namespace {

class ArrayTiles {
  public:
    void clear() { __builtin_memset(sums_, 0, sizeof sums_); }
    // As the instruction does: even and odd rows of the strip summed apart, then together, then added.
    void multiply(const std::uint32_t* left, const std::uint32_t* right) {
        for (std::ptrdiff_t i = 0; i < kTileWidth; ++i) {
            Floats even[2] = {}, odd[2] = {};
            for (std::ptrdiff_t pair = 0; pair < kStripPairs; ++pair) {
                const std::uint32_t word = left[i * kStripPairs + pair];
                const std::uint32_t low = word << 16, high = word & 0xffff0000u;
                for (int half = 0; half < 2; ++half) {
                    const auto words = load<Words>(right + pair * kTileWidth + 16 * half);
                    const Words right_low = words << 16, right_high = words & 0xffff0000u;
                    even[half] += load<float>(&low) * load<Floats>(&right_low);
                    odd[half] += load<float>(&high) * load<Floats>(&right_high);
                }
            }
            for (int half = 0; half < 2; ++half) {
                float* row = sums_ + i * kTileWidth + 16 * half;
                ::store(row, load<Floats>(row) + (even[half] + odd[half]));
            }
        }
    }
    void store(float* sums) const { __builtin_memcpy(sums, sums_, sizeof sums_); }

  private:
    float sums_[kTileWidth * kTileWidth];
};

}  // namespace

namespace crossphase::cpu::isa {

const BlockKernels block_kernels_baseline{
    add_sums, pack_double, pack_float, pack_bf16, float_product<2>, bf16_product<WidenedBf16Step, 2>, merge_tile};
const BlockKernels block_kernels_amx_emulated{
    add_sums, pack_double, pack_float, pack_bf16, float_product<2>, tile_bf16_product<ArrayTiles>, merge_tile, true};

}  // namespace crossphase::cpu::isa
