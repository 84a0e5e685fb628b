#include "lane_kernels_loops.hpp"

namespace crossphase::cpu::isa {

// SSE2 on x86-64, NEON on arm64: registers of 2 doubles.
const LaneKernels lane_kernels_baseline = lane_kernels_of<2, 2>();

}  // namespace crossphase::cpu::isa
