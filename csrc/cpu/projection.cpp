#include "crossphase/projection.hpp"

#include <algorithm>
#include <stdexcept>

#include "crossphase/instruction_set.hpp"
#include "crossphase/scalar_math.hpp"
#include "crossphase/thread_pool.hpp"
#include "packed_panels.hpp"

namespace crossphase::cpu {
namespace {

// The transpose of 16 samples: row j holds feature j of each, centred.
template <SampleType type>
void pack_transposed(const SampleView& samples, std::span<const double> mean, PackedPanels& panel) {
    for (std::ptrdiff_t i = 0; i < samples.n_rows; ++i) {
        const std::byte* row = samples.data + i * samples.row_stride;
        for (std::ptrdiff_t j = 0; j < samples.n_columns; ++j) {
            panel(j, i) = load_sample<type>(row + j * samples.column_stride) - mean[static_cast<std::size_t>(j)];
        }
    }
}

}  // namespace

void project(const SampleView& samples, std::span<const double> mean, MatrixView<const double> weights,
             MatrixView<double> scores, int n_threads) {
    const std::ptrdiff_t p = samples.n_columns;
    const std::ptrdiff_t k = weights.n_columns;
    if (weights.n_rows != p || static_cast<std::ptrdiff_t>(mean.size()) != p || scores.n_rows != samples.n_rows ||
        scores.n_columns != k) {
        throw std::invalid_argument("project: the shapes do not fit together");
    }
    PackedPanels packed_weights(p, k);
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        for (std::ptrdiff_t j = 0; j < k; ++j) {
            packed_weights(i, j) = weights(i, j);
        }
    }
    const PanelProduct product = instruction_set().panel_product;
    const std::ptrdiff_t n_blocks = (samples.n_rows + kBlockRows - 1) / kBlockRows;
    parallel_for(n_blocks, n_threads, [&](std::ptrdiff_t block) {
        PackedPanels panel(p, kPanelWidth);
        const std::ptrdiff_t last = std::min(samples.n_rows, (block + 1) * kBlockRows);
        for (std::ptrdiff_t first = block * kBlockRows; first < last; first += kPanelWidth) {
            const SampleView rows = samples.rows(first, std::min(kPanelWidth, last - first));
            with_sample_type(rows.type, [&]<SampleType type>() { pack_transposed<type>(rows, mean, panel); });
            for (std::ptrdiff_t w = 0; w < packed_weights.n_panels(); ++w) {
                double tile[kPanelWidth * kPanelWidth] = {};
                product(panel.panel(0), packed_weights.panel(w), p, tile);
                const std::ptrdiff_t n_here = std::min(kPanelWidth, k - w * kPanelWidth);
                for (std::ptrdiff_t i = 0; i < rows.n_rows; ++i) {
                    for (std::ptrdiff_t j = 0; j < n_here; ++j) {
                        scores(first + i, w * kPanelWidth + j) = tile[i * kPanelWidth + j];
                    }
                }
            }
        }
    });
}

}  // namespace crossphase::cpu
