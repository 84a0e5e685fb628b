#include "ridge_cv_loops_kernel.hpp"

namespace crossphase::cpu::isa {

// SSE2 on x86-64, NEON on arm64: 12 of 16 (or 32) registers hold sums.
const RidgeCvLoops ridge_cv_loops_baseline = ridge_cv_loops<16, 6>();

}  // namespace crossphase::cpu::isa
