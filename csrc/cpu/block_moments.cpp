#include "crossphase/block_moments.hpp"

#include <algorithm>

#include "crossphase/instruction_set.hpp"
#include "crossphase/scalar_math.hpp"
#include "packed_panels.hpp"

namespace crossphase::cpu {
namespace {

constexpr std::ptrdiff_t kTileSize = kPanelWidth * kPanelWidth;

std::ptrdiff_t tile_number(std::ptrdiff_t panel_i, std::ptrdiff_t panel_j) {
    return panel_i * (panel_i + 1) / 2 + panel_j;
}

template <SampleType type>
void pack(const SampleView& part, std::ptrdiff_t first_column, PackedPanels& panels) {
    for (std::ptrdiff_t i = 0; i < part.n_rows; ++i) {
        const std::byte* row = part.data + i * part.row_stride;
        for (std::ptrdiff_t j = 0; j < part.n_columns; ++j) {
            panels(i, first_column + j) = load_sample<type>(row + j * part.column_stride);
        }
    }
}

// Mean of each column of one panel, added to `mean`; the panel is left centred on it.
void centre(double* panel, std::ptrdiff_t n_rows, double* mean) {
    double sums[kPanelWidth] = {};
    for (std::ptrdiff_t i = 0; i < n_rows; ++i) {
        for (std::ptrdiff_t j = 0; j < kPanelWidth; ++j) {
            sums[j] += panel[i * kPanelWidth + j];
        }
    }
    for (std::ptrdiff_t j = 0; j < kPanelWidth; ++j) {
        sums[j] /= static_cast<double>(n_rows);
        mean[j] += sums[j];
    }
    for (std::ptrdiff_t i = 0; i < n_rows; ++i) {
        for (std::ptrdiff_t j = 0; j < kPanelWidth; ++j) {
            panel[i * kPanelWidth + j] -= sums[j];
        }
    }
}

}  // namespace

BlockMoments reduce_block(std::span<const SampleView> parts) {
    const std::ptrdiff_t n_rows = parts.front().n_rows;
    std::ptrdiff_t n_columns = 0;
    for (const SampleView& part : parts) {
        n_columns += part.n_columns;
    }
    PackedPanels panels(n_rows, n_columns);
    std::ptrdiff_t first_column = 0;
    for (const SampleView& part : parts) {
        with_sample_type(part.type, [&]<SampleType type>() { pack<type>(part, first_column, panels); });
        first_column += part.n_columns;
    }

    BlockMoments block;
    block.n_samples = n_rows;
    block.mean.assign(static_cast<std::size_t>(panels.n_panels() * kPanelWidth), 0.0);
    for (std::ptrdiff_t p = 0; p < panels.n_panels(); ++p) {
        double* mean = block.mean.data() + p * kPanelWidth;
        centre(panels.panel(p), n_rows, mean);
        centre(panels.panel(p), n_rows, mean);  // again: the first mean was rounded, the second takes the rest off
    }

    const PanelProduct product = instruction_set().panel_product;
    block.scatter.assign(static_cast<std::size_t>(tile_number(panels.n_panels(), 0) * kTileSize), 0.0);
    for (std::ptrdiff_t i = 0; i < panels.n_panels(); ++i) {
        for (std::ptrdiff_t j = 0; j <= i; ++j) {
            product(panels.panel(i), panels.panel(j), n_rows, block.scatter.data() + tile_number(i, j) * kTileSize);
        }
    }
    return block;
}

void merge_into(BlockMoments& block, const BlockMoments& next) {
    const auto n_block = static_cast<double>(block.n_samples);
    const auto n_next = static_cast<double>(next.n_samples);
    const double n_both = n_block + n_next;
    const auto n_panels = static_cast<std::ptrdiff_t>(block.mean.size()) / kPanelWidth;

    std::vector<double> step(block.mean.size());
    std::transform(next.mean.begin(), next.mean.end(), block.mean.begin(), step.begin(),
                   [](double theirs, double ours) { return theirs - ours; });
    const double weight = n_block * (n_next / n_both);
    for (std::ptrdiff_t i = 0; i < n_panels; ++i) {
        for (std::ptrdiff_t j = 0; j <= i; ++j) {
            double* into = block.scatter.data() + tile_number(i, j) * kTileSize;
            const double* from = next.scatter.data() + tile_number(i, j) * kTileSize;
            for (std::ptrdiff_t a = 0; a < kPanelWidth; ++a) {
                const double scaled = weight * step[static_cast<std::size_t>(i * kPanelWidth + a)];
                for (std::ptrdiff_t b = 0; b < kPanelWidth; ++b) {
                    into[a * kPanelWidth + b] +=
                        from[a * kPanelWidth + b] + scaled * step[static_cast<std::size_t>(j * kPanelWidth + b)];
                }
            }
        }
    }
    for (std::size_t j = 0; j < step.size(); ++j) {
        block.mean[j] += step[j] * (n_next / n_both);
    }
    block.n_samples += next.n_samples;
}

bool is_block_moments(const BlockMoments& block, std::ptrdiff_t n_columns) {
    const std::ptrdiff_t n_panels = (n_columns + kPanelWidth - 1) / kPanelWidth;
    return block.n_samples > 0 && block.mean.size() == static_cast<std::size_t>(n_panels * kPanelWidth) &&
           block.scatter.size() == static_cast<std::size_t>(tile_number(n_panels, 0) * kTileSize);
}

double scatter_at(const BlockMoments& block, std::ptrdiff_t i, std::ptrdiff_t j) {
    if (j > i) {
        std::swap(i, j);
    }
    const std::ptrdiff_t tile = tile_number(i / kPanelWidth, j / kPanelWidth);
    return block
        .scatter[static_cast<std::size_t>(tile * kTileSize + (i % kPanelWidth) * kPanelWidth + j % kPanelWidth)];
}

}  // namespace crossphase::cpu
