#include "crossphase/finite.hpp"

#include <algorithm>
#include <vector>

#include "crossphase/scalar_math.hpp"
#include "crossphase/thread_pool.hpp"

namespace crossphase::cpu {
namespace {

template <SampleType type>
NonFinite scan(const SampleView& rows, std::ptrdiff_t first_row) {
    NonFinite found;
    for (std::ptrdiff_t i = 0; i < rows.n_rows; ++i) {
        const std::byte* row = rows.data + i * rows.row_stride;
        // v - v is 0 for a finite v and NaN otherwise: one sum tells whether the row deserves a closer look.
        double doubt = 0.0;
        for (std::ptrdiff_t j = 0; j < rows.n_columns; ++j) {
            const double value = load_sample<type>(row + j * rows.column_stride);
            doubt += value - value;
        }
        if (doubt == 0.0) {
            continue;
        }
        for (std::ptrdiff_t j = 0; j < rows.n_columns; ++j) {
            if (!std::isfinite(load_sample<type>(row + j * rows.column_stride))) {
                if (found.count++ == 0) {
                    found.row = first_row + i;
                    found.column = j;
                }
            }
        }
    }
    return found;
}

}  // namespace

NonFinite find_non_finite(const SampleView& samples, int n_threads) {
    const std::ptrdiff_t n_blocks = (samples.n_rows + kBlockRows - 1) / kBlockRows;
    std::vector<NonFinite> by_block(static_cast<std::size_t>(n_blocks));
    parallel_for(n_blocks, n_threads, [&](std::ptrdiff_t block) {
        const std::ptrdiff_t first = block * kBlockRows;
        const SampleView rows = samples.rows(first, std::min(kBlockRows, samples.n_rows - first));
        by_block[static_cast<std::size_t>(block)] =
            with_sample_type(samples.type, [&]<SampleType type>() { return scan<type>(rows, first); });
    });
    NonFinite found;
    for (const NonFinite& block : by_block) {
        if (found.count == 0) {
            found.row = block.row;
            found.column = block.column;
        }
        found.count += block.count;
    }
    return found;
}

}  // namespace crossphase::cpu
