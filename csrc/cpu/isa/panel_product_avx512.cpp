#include "panel_product.hpp"

#include "panel_product_kernel.hpp"

namespace crossphase::cpu::isa {

// 32 registers of 8 doubles: 8 x 16 sums fill half of them.
void panel_product_avx512(const double* a, const double* b, std::ptrdiff_t n_rows, double* tile) {
    ::panel_product<8>(a, b, n_rows, tile);
}

}  // namespace crossphase::cpu::isa
