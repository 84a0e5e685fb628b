#include "panel_product.hpp"

#include "panel_product_kernel.hpp"

namespace crossphase::cpu::isa {

// SSE2 on x86-64, NEON on arm64.
void panel_product_baseline(const double* a, const double* b, std::ptrdiff_t n_rows, double* tile) {
    ::panel_product<2>(a, b, n_rows, tile);
}

}  // namespace crossphase::cpu::isa
