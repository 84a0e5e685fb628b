#include "ridge_cv_loops_kernel.hpp"

namespace crossphase::cpu::isa {

// 12 of 16 registers hold sums.
const RidgeCvLoops ridge_cv_loops_avx2 = ridge_cv_loops<32, 6>();

}  // namespace crossphase::cpu::isa
