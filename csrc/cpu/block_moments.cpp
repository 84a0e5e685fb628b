#include "crossphase/block_moments.hpp"

#include <algorithm>

#include "crossphase/instruction_set.hpp"
#include "isa/block_kernels.hpp"
#include "packed_block.hpp"

namespace crossphase::cpu {
namespace {

constexpr std::ptrdiff_t kTileSize = kPanelWidth * kPanelWidth;
constexpr std::ptrdiff_t kPanelsAtOnce = 4;  // left factors that stay in cache while the right ones pass

std::ptrdiff_t tile_number(std::ptrdiff_t panel_i, std::ptrdiff_t panel_j) {
    return panel_i * (panel_i + 1) / 2 + panel_j;
}

// What a merge adds to each entry beside the other's scatter: weighted_i * step_j.
struct Step {
    std::vector<double> step;
    std::vector<double> weighted;
};

// The step from `block` to rows of this number and mean, taken into its count and mean. Nothing for the first rows.
Step take_step(BlockMoments& block, std::ptrdiff_t n_next, const std::vector<double>& next_mean) {
    Step to{std::vector<double>(next_mean.size(), 0.0), std::vector<double>(next_mean.size(), 0.0)};
    if (block.n_samples == 0) {
        std::copy_n(next_mean.begin(), block.mean.size(), block.mean.begin());
    } else {
        const auto n_ours = static_cast<double>(block.n_samples);
        const auto n_theirs = static_cast<double>(n_next);
        const double weight = n_ours * (n_theirs / (n_ours + n_theirs));
        for (std::size_t j = 0; j < block.mean.size(); ++j) {
            to.step[j] = next_mean[j] - block.mean[j];
            to.weighted[j] = weight * to.step[j];
            block.mean[j] += to.step[j] * (n_theirs / (n_ours + n_theirs));
        }
    }
    block.n_samples += n_next;
    return to;
}

// A thread's use of whatever a packed block needs for its products.
template <typename Packed>
class Products {
  public:
    explicit Products(const Packed& packed) : packed_(packed) { packed_.begin(); }
    ~Products() { packed_.end(); }
    Products(const Products&) = delete;
    Products& operator=(const Products&) = delete;

  private:
    const Packed& packed_;
};

// Tile by tile, so that a tile's sums never leave the first cache on their way into the block.
template <typename Packed>
void add_rows(BlockMoments& block, const Packed& packed, std::ptrdiff_t n_rows) {
    constexpr std::ptrdiff_t kWidth = Packed::kWidth;
    constexpr std::ptrdiff_t kPerPanel = kWidth / kPanelWidth;
    const Step to = take_step(block, n_rows, packed.mean());
    const auto n_panels16 = static_cast<std::ptrdiff_t>(block.mean.size()) / kPanelWidth;
    const auto merge_tile = instruction_set().block_kernels->merge_tile;
    alignas(64) double entries[kWidth * kWidth];
    const Products products(packed);
    for (std::ptrdiff_t group = 0; group < packed.n_panels(); group += kPanelsAtOnce) {
        const std::ptrdiff_t last = std::min(group + kPanelsAtOnce, packed.n_panels());
        for (std::ptrdiff_t j = 0; j < last; ++j) {
            for (std::ptrdiff_t i = std::max(group, j); i < last; ++i) {
                packed.tile(i, j, entries);
                for (std::ptrdiff_t q = 0; q < kPerPanel * kPerPanel; ++q) {
                    const std::ptrdiff_t a = q / kPerPanel, b = q % kPerPanel;
                    const std::ptrdiff_t i16 = i * kPerPanel + a, j16 = j * kPerPanel + b;
                    if (j16 <= i16 && i16 < n_panels16) {
                        merge_tile(entries + (a * kWidth + b) * kPanelWidth, kWidth,
                                   to.weighted.data() + i16 * kPanelWidth, to.step.data() + j16 * kPanelWidth,
                                   block.scatter.data() + tile_number(i16, j16) * kTileSize);
                    }
                }
            }
        }
    }
}

BlockMoments empty_block(std::span<const SampleView> parts) {
    std::ptrdiff_t n_columns = 0;
    for (const SampleView& part : parts) {
        n_columns += part.n_columns;
    }
    const std::ptrdiff_t n_panels = (n_columns + kPanelWidth - 1) / kPanelWidth;
    BlockMoments block;
    block.mean.assign(static_cast<std::size_t>(n_panels * kPanelWidth), 0.0);
    block.scatter.assign(static_cast<std::size_t>(tile_number(n_panels, 0) * kTileSize), 0.0);
    return block;
}

}  // namespace

BlockMoments reduce_block(std::span<const SampleView> parts, Precision precision) {
    BlockMoments block = empty_block(parts);
    append_block(block, parts, precision);
    return block;
}

void append_block(BlockMoments& block, std::span<const SampleView> parts, Precision precision) {
    const std::ptrdiff_t n_rows = parts.front().n_rows;
    if (precision == Precision::float64) {
        add_rows(block, DoubleBlock(parts), n_rows);
    } else {
        add_rows(block, ReducedBlock(parts, precision), n_rows);
    }
}

void merge_into(BlockMoments& block, const BlockMoments& next) {
    const Step to = take_step(block, next.n_samples, next.mean);
    const auto n_panels = static_cast<std::ptrdiff_t>(block.mean.size()) / kPanelWidth;
    const auto merge_tile = instruction_set().block_kernels->merge_tile;
    for (std::ptrdiff_t i = 0; i < n_panels; ++i) {
        for (std::ptrdiff_t j = 0; j <= i; ++j) {
            merge_tile(next.scatter.data() + tile_number(i, j) * kTileSize, kPanelWidth,
                       to.weighted.data() + i * kPanelWidth, to.step.data() + j * kPanelWidth,
                       block.scatter.data() + tile_number(i, j) * kTileSize);
        }
    }
}

bool is_block_moments(const BlockMoments& block, std::ptrdiff_t n_columns) {
    const std::ptrdiff_t n_panels = (n_columns + kPanelWidth - 1) / kPanelWidth;
    return block.n_samples > 0 && block.mean.size() == static_cast<std::size_t>(n_panels * kPanelWidth) &&
           block.scatter.size() == static_cast<std::size_t>(tile_number(n_panels, 0) * kTileSize);
}

void unpack_scatter(const BlockMoments& block, MatrixView<double> scatter) {
    for (std::ptrdiff_t i = 0; i < scatter.n_rows; ++i) {
        for (std::ptrdiff_t first = 0; first <= i; first += kPanelWidth) {
            const double* tile = block.scatter.data() + tile_number(i / kPanelWidth, first / kPanelWidth) * kTileSize;
            const std::ptrdiff_t last = std::min(first + kPanelWidth, i + 1);
            for (std::ptrdiff_t j = first; j < last; ++j) {
                scatter(i, j) = scatter(j, i) = tile[(i % kPanelWidth) * kPanelWidth + (j - first)];
            }
        }
    }
}

}  // namespace crossphase::cpu
