#include "ridge_cv_loops_kernel.hpp"

namespace crossphase::cpu::isa {

// 28 of 32 registers hold sums.
const RidgeCvLoops ridge_cv_loops_avx512 = ridge_cv_loops<64, 14>();

}  // namespace crossphase::cpu::isa
