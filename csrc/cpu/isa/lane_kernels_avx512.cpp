#include "lane_kernels_loops.hpp"

namespace crossphase::cpu::isa {

// 32 registers of 8 doubles.
const LaneKernels lane_kernels_avx512 = lane_kernels_of<8, 4>();

}  // namespace crossphase::cpu::isa
