#include "reduced_products_kernel.hpp"

namespace crossphase::cpu::isa {

// 32 registers of 16 floats: 8 x 32 sums fill half of them.
const ReducedProducts reduced_products_avx512{
    add_sums, pack_float, pack_bf16, float_product<8>, bf16_product<WidenedBf16Step, 8>, merge_tile};

}  // namespace crossphase::cpu::isa
