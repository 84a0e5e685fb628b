#include "crossphase/finite.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#include "crossphase/scalar_math.hpp"
#include "crossphase/thread_pool.hpp"

namespace crossphase::cpu {
namespace {

// The bits of a sample, and those of its exponent: all set in an infinity or a NaN, and in nothing else.
template <SampleType type>
struct Bits;
template <>
struct Bits<SampleType::float64> {
    using Word = std::uint64_t;
    static constexpr Word kExponent = 0x7ff0'0000'0000'0000u;
};
template <>
struct Bits<SampleType::float32> {
    using Word = std::uint32_t;
    static constexpr Word kExponent = 0x7f80'0000u;
};
template <>
struct Bits<SampleType::bfloat16> {
    using Word = std::uint16_t;
    static constexpr Word kExponent = 0x7f80u;
};
template <>
struct Bits<SampleType::float16> {
    using Word = std::uint16_t;
    static constexpr Word kExponent = 0x7c00u;
};

template <SampleType type>
bool has_non_finite(const std::byte* row, std::ptrdiff_t n_columns, std::ptrdiff_t column_stride) {
    using Word = typename Bits<type>::Word;
    Word found = 0;
    for (std::ptrdiff_t j = 0; j < n_columns; ++j) {
        Word word;
        std::memcpy(&word, row + j * column_stride, sizeof word);
        found = static_cast<Word>(found | ((word & Bits<type>::kExponent) == Bits<type>::kExponent));
    }
    return found != 0;
}

template <SampleType type>
NonFinite scan(const SampleView& rows, std::ptrdiff_t first_row) {
    NonFinite found;
    for (std::ptrdiff_t i = 0; i < rows.n_rows; ++i) {
        const std::byte* row = rows.data + i * rows.row_stride;
        constexpr auto kWidth = static_cast<std::ptrdiff_t>(sizeof(typename Bits<type>::Word));
        const bool is_doubtful = rows.column_stride == kWidth  // a constant stride lets the compiler use vectors
                                     ? has_non_finite<type>(row, rows.n_columns, kWidth)
                                     : has_non_finite<type>(row, rows.n_columns, rows.column_stride);
        if (!is_doubtful) {
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
