#include "lane_kernels.hpp"

#include "lane_cholesky.hpp"
#include "lane_eigen.hpp"
#include "tridiagonal_resolvents.hpp"

namespace crossphase::cpu::isa {
namespace {

constexpr int kLanes = 4;  // 16 registers of 4 doubles.
constexpr int kRows = 2;   // rows of a matrix whose sums are held in registers

}  // namespace

const LaneKernels lane_kernels_avx2{kLanes,
                                    ::cholesky_work_size,
                                    ::lane_cholesky<kLanes>,
                                    ::eigen_work_size<kLanes>,
                                    ::lane_eigen<kLanes, kRows>,
                                    ::resolvents_work_size,
                                    ::sum_resolvents<kLanes>};

}  // namespace crossphase::cpu::isa
