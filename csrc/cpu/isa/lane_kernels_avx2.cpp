#include "lane_kernels_loops.hpp"

namespace crossphase::cpu::isa {

// 16 registers of 4 doubles.
const LaneKernels lane_kernels_avx2 = lane_kernels_of<4, 2>();

}  // namespace crossphase::cpu::isa
