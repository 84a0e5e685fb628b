#include "panel_product.hpp"

#include "panel_product_kernel.hpp"

namespace crossphase::cpu::isa {

// 16 registers of 4 doubles: 2 x 16 sums fill half of them.
void panel_product_avx2(const double* a, const double* b, std::ptrdiff_t n_rows, double* tile) {
    ::panel_product<2>(a, b, n_rows, tile);
}

}  // namespace crossphase::cpu::isa
