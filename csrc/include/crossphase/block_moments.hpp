// Count, mean and scatter of a block of rows, and the merge of two blocks.
//
//   scatter = sum_i (z_i - mean)(z_i - mean)^T        z_i: one row of [X Y labels], D columns in all
//
// Every block is centred on its own mean before the product, so a mean of 1e6 standard deviations costs no digits of
// the scatter. Merging: Chan, Golub & LeVeque (1983), Am. Stat. 37(3), 242-247:
//   scatter_ab = scatter_a + scatter_b + (n_a n_b / n_ab) d d^T,   d = mean_b - mean_a.
// Means, the diagonal of the scatter and merges are float64 whatever the precision of the products (precision.hpp).
// Cost O(n D^2) for a block, O(D^2) for a merge; 4 D^2 bytes a block.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "crossphase/matrix_view.hpp"
#include "crossphase/precision.hpp"

namespace crossphase::cpu {

struct BlockMoments {
    std::ptrdiff_t n_samples = 0;
    std::vector<double> mean;     // D, padded with zeros to whole panels
    std::vector<double> scatter;  // lower triangle in 16 x 16 tiles: tile (i, j), j <= i, is number i (i + 1) / 2 + j
};

// Moments of the columns of `parts` side by side; all have the same number of rows, at least 1.
BlockMoments reduce_block(std::span<const SampleView> parts, Precision precision);

// Moments of the rows of `block` followed by the rows of `next`.
void merge_into(BlockMoments& block, const BlockMoments& next);

// merge_into(block, reduce_block(parts, precision)) to the bit, without the moments in between.
void append_block(BlockMoments& block, std::span<const SampleView> parts, Precision precision);

// Whether the vectors have the sizes that moments of this many columns have.
bool is_block_moments(const BlockMoments& block, std::ptrdiff_t n_columns);

// The scatter as a full matrix, D x D.
void unpack_scatter(const BlockMoments& block, MatrixView<double> scatter);

}  // namespace crossphase::cpu
