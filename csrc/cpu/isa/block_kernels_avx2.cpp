#include "block_kernels_loops.hpp"

namespace crossphase::cpu::isa {

// 16 registers of 8 floats: 2 x 32 sums fill half of them.
const BlockKernels block_kernels_avx2{
    add_sums, pack_double, pack_float, pack_bf16, float_product<2>, bf16_product<WidenedBf16Step, 2>, merge_tile};

}  // namespace crossphase::cpu::isa
