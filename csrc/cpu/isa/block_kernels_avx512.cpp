#include "block_kernels_loops.hpp"

namespace crossphase::cpu::isa {

// 32 registers of 16 floats: 8 x 32 sums fill half of them.
const BlockKernels block_kernels_avx512{
    add_sums, pack_double, pack_float, pack_bf16, float_product<8>, bf16_product<WidenedBf16Step, 8>, merge_tile};

}  // namespace crossphase::cpu::isa
