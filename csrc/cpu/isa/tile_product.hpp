// The bfloat16 product on a matrix unit of 16 x 16 sums, for whatever stands in for the unit: `Tiles` holds two left
// and two right operands and four tiles of sums.
#pragma once

#include "block_kernels_loops.hpp"

namespace {

// As kSumRows, but each flush to float64 here costs as much as the products of 100 rows.
constexpr std::ptrdiff_t kTileSumRows = 2 * kSumRows;
constexpr std::ptrdiff_t kStripPairs = kStripRows / 2;
constexpr std::ptrdiff_t kStripWords = kStripPairs * kTileWidth;

template <typename Tiles>
void tile_bf16_product(const std::uint32_t* a, const std::uint32_t* b, std::ptrdiff_t n_rows, int n_pieces,
                       std::ptrdiff_t piece_stride, double* tile) {
    Tiles tiles;
    alignas(64) float sums[kTileWidth * kTileWidth];
    for (std::ptrdiff_t first = 0; first < n_rows; first += kTileSumRows) {
        const std::ptrdiff_t count = n_rows - first < kTileSumRows ? n_rows - first : kTileSumRows;
        const std::ptrdiff_t offset = first / kStripRows * kStripWords;
        tiles.clear();
        for (int p = n_pieces - 1; p >= 0; --p) {  // the smallest products first
            for (int q = n_pieces - 1 - p; q >= 0; --q) {
                const std::uint32_t* left = a + p * piece_stride + offset;
                const std::uint32_t* right = b + q * piece_stride + offset;
                for (std::ptrdiff_t strip = 0; strip < count / kStripRows; ++strip) {
                    tiles.multiply(left + strip * kStripWords, right + strip * kStripWords);
                }
            }
        }
        tiles.store(sums);
        for (std::ptrdiff_t at = 0; at < kTileWidth * kTileWidth; at += 16) {
            add_to_tile(load<Floats>(sums + at), tile + at);
        }
    }
}

}  // namespace
