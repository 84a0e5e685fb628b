// The table of lane kernels for registers of kLanes doubles that hold the sums of kRows rows of a matrix.
#pragma once

#include "lane_cholesky.hpp"
#include "lane_eigen.hpp"
#include "lane_kernels.hpp"
#include "tridiagonal_resolvents.hpp"

namespace {

template <int kLanes, int kRows>
constexpr crossphase::cpu::isa::LaneKernels lane_kernels_of() {
    return {kLanes,
            cholesky_work_size,
            lane_cholesky<kLanes>,
            eigen_work_size<kLanes>,
            lane_eigen<kLanes, kRows>,
            resolvents_work_size,
            sum_resolvents<kLanes>};
}

}  // namespace
