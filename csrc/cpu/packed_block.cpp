#include "packed_block.hpp"

#include <algorithm>
#include <cmath>

#include "crossphase/instruction_set.hpp"
#include "crossphase/scalar_math.hpp"

namespace crossphase::cpu {
namespace {

using isa::kStripRows;
using isa::kTileWidth;

// Of a column's squares in one strip of 32 rows, of 32 in a block: Gaussian rows stay below a fifteenth, rows sorted by
// the column's value below a tenth. Columns of t-distributed values of 4 degrees are above in a block of forty.
constexpr double kUnevenShare = 0.25;

double middle_of(double a, double b, double c) {
    return std::max(std::min(a, b), std::min(std::max(a, b), c));
}

std::ptrdiff_t columns_of(std::span<const SampleView> parts) {
    std::ptrdiff_t n_columns = 0;
    for (const SampleView& part : parts) {
        n_columns += part.n_columns;
    }
    return n_columns;
}

// The columns of one panel of one strip of rows: as they lie in memory where the kernels can read them there, else
// copied to `buffer` as float64.
isa::Strip strip_of(std::span<const SampleView> parts, std::ptrdiff_t first_row, std::ptrdiff_t n_rows,
                    std::ptrdiff_t first_column, std::ptrdiff_t n_columns, double* buffer) {
    std::ptrdiff_t column = 0;  // the first of `part`
    for (const SampleView& part : parts) {
        const std::ptrdiff_t from = std::max(first_column, column);
        const std::ptrdiff_t to = std::min(first_column + n_columns, column + part.n_columns);
        if (from < to) {
            const std::byte* data = part.data + first_row * part.row_stride + (from - column) * part.column_stride;
            const bool is_whole = to - from == n_columns;
            if (is_whole && part.type == SampleType::float32 && part.column_stride == 4) {
                return {data, part.row_stride, n_rows, isa::StripType::float32};
            }
            if (is_whole && part.type == SampleType::float64 && part.column_stride == 8) {
                return {data, part.row_stride, n_rows, isa::StripType::float64};
            }
            if (is_whole && part.type == SampleType::bfloat16 && part.column_stride == 2) {
                return {data, part.row_stride, n_rows, isa::StripType::bfloat16};
            }
            with_sample_type(part.type, [&]<SampleType type>() {
                for (std::ptrdiff_t i = 0; i < n_rows; ++i) {
                    for (std::ptrdiff_t j = 0; j < to - from; ++j) {
                        buffer[i * kTileWidth + from - first_column + j] =
                            load_sample<type>(data + i * part.row_stride + j * part.column_stride);
                    }
                }
            });
        }
        column += part.n_columns;
    }
    return {buffer, kTileWidth * static_cast<std::ptrdiff_t>(sizeof(double)), n_rows, isa::StripType::float64};
}

// A power of two that brings a column of this variance near 1, if float32 products of it could overflow or vanish.
double scale_for(double variance) {
    if (!(variance > 0.0) || (variance > 0x1p-60 && variance < 0x1p60)) {
        return 1.0;
    }
    return std::isfinite(variance) ? std::ldexp(1.0, -std::ilogb(variance) / 2) : 0x1p-512;
}

double as_bfloat16(double value) {
    const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
    return static_cast<double>(std::bit_cast<float>((bits + 0x7fffu + ((bits >> 16) & 1u)) & 0xffff0000u));
}

// A shift from which bfloat16 values differ by bfloat16 values, so that nothing is rounded: the bfloat16 next to the
// mean, for values between half and twice that (Sterbenz); none, where the spread is too wide for that, but then the
// mean costs few digits. Where the spread is below the spacing of bfloat16 at the mean, the values were no such
// numbers.
double exact_shift(double mean, double variance) {
    if (mean * mean <= 4.0 * variance) {
        return 0.0;
    }
    return mean * mean * 0x1p-16 <= variance ? as_bfloat16(mean) : mean;
}

// Calls visit(strip, its first row, its first column, its number of columns) for strips of 32 rows and columns.
template <typename Visitor>
void for_each_strip(std::span<const SampleView> parts, Visitor&& visit) {
    const std::ptrdiff_t n_rows = parts.front().n_rows, n_columns = columns_of(parts);
    double buffer[kStripRows * kTileWidth];
    for (std::ptrdiff_t row = 0; row < n_rows; row += kStripRows) {
        for (std::ptrdiff_t first = 0; first < n_columns; first += kTileWidth) {
            const std::ptrdiff_t count = std::min(kTileWidth, n_columns - first);
            visit(strip_of(parts, row, std::min(kStripRows, n_rows - row), first, count, buffer), row, first, count);
        }
    }
}

std::uint32_t* allocate_words(std::ptrdiff_t count) {
    return static_cast<std::uint32_t*>(::operator new(static_cast<std::size_t>(count) * 4, std::align_val_t{64}));
}

}  // namespace

Centre::Centre(std::span<const SampleView> parts)
    : mean(static_cast<std::size_t>((columns_of(parts) + kTileWidth - 1) / kTileWidth * kTileWidth), 0.0),
      diagonal(mean.size(), 0.0),
      is_uneven(mean.size(), 0) {
    // About the middle one of three rows, which a single outlier is not: the sum of squares then loses few digits, and
    // a mean of any size none.
    std::vector<double> origin(mean.size(), 0.0), sums(mean.size(), 0.0), squares(mean.size(), 0.0);
    std::size_t column = 0;
    for (const SampleView& part : parts) {
        with_sample_type(part.type, [&]<SampleType type>() {
            const std::byte* half_way = part.data + part.n_rows / 2 * part.row_stride;
            const std::byte* last = part.data + (part.n_rows - 1) * part.row_stride;
            for (std::ptrdiff_t j = 0; j < part.n_columns; ++j) {
                const std::ptrdiff_t at = j * part.column_stride;
                origin[column++] = middle_of(load_sample<type>(part.data + at), load_sample<type>(half_way + at),
                                             load_sample<type>(last + at));
            }
        });
    }
    const auto add_sums = instruction_set().block_kernels->add_sums;
    std::vector<double> largest(mean.size(), 0.0);  // squares of a strip
    for_each_strip(parts, [&](const isa::Strip& strip, std::ptrdiff_t, std::ptrdiff_t first, std::ptrdiff_t count) {
        double before[kTileWidth];
        std::copy_n(squares.data() + first, count, before);
        add_sums(strip, count, origin.data() + first, sums.data() + first, squares.data() + first);
        for (std::ptrdiff_t k = 0; k < count; ++k) {
            const auto j = static_cast<std::size_t>(first + k);
            largest[j] = std::max(largest[j], squares[j] - before[k]);
        }
    });
    const auto n = static_cast<double>(parts.front().n_rows);
    for (std::size_t j = 0; j < column; ++j) {
        mean[j] = origin[j] + sums[j] / n;
        diagonal[j] = std::isfinite(squares[j]) ? std::max(squares[j] - sums[j] * (sums[j] / n), 0.0) : HUGE_VAL;
        is_uneven[j] = largest[j] > kUnevenShare * squares[j] ? 1 : 0;
    }
}

DoubleBlock::DoubleBlock(std::span<const SampleView> parts)
    : centre_(parts), panels_(parts.front().n_rows, columns_of(parts)) {
    const std::vector<double> scale(centre_.mean.size(), 1.0);
    const auto pack = instruction_set().block_kernels->pack_double;
    for_each_strip(parts, [&](const isa::Strip& strip, std::ptrdiff_t row, std::ptrdiff_t first, std::ptrdiff_t count) {
        double* left = panels_.panel(first / kWidth) + row * kWidth;
        double* right = count > kWidth ? panels_.panel(first / kWidth + 1) + row * kWidth : nullptr;
        pack(strip, count, {centre_.mean.data() + first, scale.data() + first}, left, right);
    });
}

void DoubleBlock::tile(std::ptrdiff_t i, std::ptrdiff_t j, double* entries) const {
    std::fill_n(entries, kWidth * kWidth, 0.0);
    instruction_set().panel_product(panels_.panel(i), panels_.panel(j), panels_.n_rows(), entries);
}

ReducedBlock::ReducedBlock(std::span<const SampleView> parts, Precision precision)
    : kernels_(*instruction_set().block_kernels),
      n_pieces_(bf16_pieces(precision)),
      n_bytes_(n_pieces_ == 0 ? 4 : 2 * n_pieces_),
      n_rows_(parts.front().n_rows),
      n_strips_((n_rows_ + kStripRows - 1) / kStripRows),
      n_columns_(columns_of(parts)),
      n_panels_((n_columns_ + kWidth - 1) / kWidth),
      centre_(parts),
      shift_(centre_.mean),
      scale_(shift_.size(), 1.0),
      words_(allocate_words(n_panels_ * panel_words())) {
    choose_shift_and_scale(precision);
    std::ptrdiff_t n_uneven = 0;
    for (auto first = centre_.is_uneven.begin(); first != centre_.is_uneven.end(); first += kWidth) {
        uneven_.push_back(std::find(first, first + kWidth, 1) == first + kWidth ? -1 : n_uneven++);
    }
    if (n_uneven > 0) {
        doubles_ = std::make_unique<PackedPanels>(n_rows_, n_uneven * kWidth);
    }
    pack(parts);
}

void ReducedBlock::choose_shift_and_scale(Precision precision) {
    for (std::size_t j = 0; j < static_cast<std::size_t>(n_columns_); ++j) {
        const double variance = centre_.diagonal[j] / static_cast<double>(n_rows_);
        if (precision == Precision::bf16) {
            shift_[j] = exact_shift(centre_.mean[j], variance);
            is_off_centre_ = is_off_centre_ || shift_[j] != centre_.mean[j];
        }
        scale_[j] = scale_for(variance);
        is_scaled_ = is_scaled_ || scale_[j] != 1.0;
    }
}

void ReducedBlock::pack(std::span<const SampleView> parts) {
    const std::ptrdiff_t strip_words = kStripRows * kWidth * (n_pieces_ == 0 ? 4 : 2) / 4;
    if (n_pieces_ > 0 && kernels_.wants_transposed) {
        transposed_.reset(allocate_words(n_panels_ * panel_words()));
    }
    const std::vector<double> ones(kWidth, 1.0);
    for_each_strip(parts, [&](const isa::Strip& strip, std::ptrdiff_t row, std::ptrdiff_t first, std::ptrdiff_t count) {
        if (const std::ptrdiff_t number = uneven_[static_cast<std::size_t>(first / kWidth)]; number >= 0) {
            kernels_.pack_double(strip, count, {centre_.mean.data() + first, ones.data()},
                                 doubles_->panel(2 * number) + row * kPanelWidth,
                                 doubles_->panel(2 * number + 1) + row * kPanelWidth);
        }
        const isa::Centring centring{shift_.data() + first, scale_.data() + first};
        const std::ptrdiff_t at = first / kWidth * panel_words() + row / kStripRows * strip_words;
        if (n_pieces_ == 0) {
            kernels_.pack_float(strip, count, centring, reinterpret_cast<float*>(words_.get() + at));
        } else {
            kernels_.pack_bf16(strip, count, centring, n_pieces_, n_strips_ * strip_words, words_.get() + at,
                               transposed_ ? transposed_.get() + at : nullptr);
        }
    });
}

void ReducedBlock::double_tile(std::ptrdiff_t i, std::ptrdiff_t j, double* entries) const {
    alignas(64) double quarter[kPanelWidth * kPanelWidth];
    for (std::ptrdiff_t q = 0; q < 4; ++q) {
        const std::ptrdiff_t a = q / 2, b = q % 2;
        std::fill_n(quarter, kPanelWidth * kPanelWidth, 0.0);
        instruction_set().panel_product(doubles_->panel(2 * uneven_[static_cast<std::size_t>(i)] + a),
                                        doubles_->panel(2 * uneven_[static_cast<std::size_t>(j)] + b), n_rows_,
                                        quarter);
        for (std::ptrdiff_t row = 0; row < kPanelWidth; ++row) {
            std::copy_n(quarter + row * kPanelWidth, kPanelWidth,
                        entries + (a * kPanelWidth + row) * kWidth + b * kPanelWidth);
        }
    }
}

void ReducedBlock::tile(std::ptrdiff_t i, std::ptrdiff_t j, double* entries) const {
    if (uneven_[static_cast<std::size_t>(i)] >= 0 && uneven_[static_cast<std::size_t>(j)] >= 0) {
        double_tile(i, j, entries);
        return;
    }
    std::fill_n(entries, kWidth * kWidth, 0.0);
    const std::uint32_t* right = words_.get() + j * panel_words();
    const std::uint32_t* left = (transposed_ ? transposed_.get() : words_.get()) + i * panel_words();
    const std::ptrdiff_t n_rows = n_strips_ * kStripRows;
    if (n_pieces_ == 0) {
        kernels_.float_product(reinterpret_cast<const float*>(left), reinterpret_cast<const float*>(right), n_rows,
                               entries);
    } else {
        kernels_.bf16_product(left, right, n_rows, n_pieces_, panel_words() / n_pieces_, entries);
    }
    const auto column = [](std::ptrdiff_t panel, std::ptrdiff_t k) {
        return static_cast<std::size_t>(panel * kWidth + k);
    };
    if (is_scaled_) {
        for (std::ptrdiff_t a = 0; a < kWidth; ++a) {
            for (std::ptrdiff_t b = 0; b < kWidth; ++b) {
                entries[a * kWidth + b] = entries[a * kWidth + b] / scale_[column(i, a)] / scale_[column(j, b)];
            }
        }
    }
    if (is_off_centre_) {
        const auto n = static_cast<double>(n_rows_);
        for (std::ptrdiff_t a = 0; a < kWidth; ++a) {
            const double left_offset = n * (centre_.mean[column(i, a)] - shift_[column(i, a)]);
            for (std::ptrdiff_t b = 0; b < kWidth; ++b) {
                entries[a * kWidth + b] -= left_offset * (centre_.mean[column(j, b)] - shift_[column(j, b)]);
            }
        }
    }
    if (i == j) {
        for (std::ptrdiff_t a = 0; a < kWidth; ++a) {
            entries[a * kWidth + a] = centre_.diagonal[column(i, a)];
        }
    }
}

void ReducedBlock::begin() const {
    if (n_pieces_ > 0 && kernels_.begin != nullptr) {
        kernels_.begin();
    }
}

void ReducedBlock::end() const {
    if (n_pieces_ > 0 && kernels_.end != nullptr) {
        kernels_.end();
    }
}

}  // namespace crossphase::cpu
