// The first value that is not a finite number: what a refusal has to name.
#pragma once

#include <cstddef>

#include "crossphase/matrix_view.hpp"

namespace crossphase::cpu {

struct NonFinite {
    std::ptrdiff_t count = 0;  // NaN and infinite values in all
    std::ptrdiff_t row = -1;   // the first of them in row-major order
    std::ptrdiff_t column = -1;
};

NonFinite find_non_finite(const SampleView& samples, int n_threads);

}  // namespace crossphase::cpu
