// One declaration per instruction set; each is compiled in its own translation unit with that set's flags.
#pragma once

#include <cstddef>

namespace crossphase::cpu::isa {

void panel_product_baseline(const double* a, const double* b, std::ptrdiff_t n_rows, double* tile);
void panel_product_avx2(const double* a, const double* b, std::ptrdiff_t n_rows, double* tile);
void panel_product_avx512(const double* a, const double* b, std::ptrdiff_t n_rows, double* tile);

}  // namespace crossphase::cpu::isa
