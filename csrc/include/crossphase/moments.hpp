// Joint moments of [X Y labels] over a stream of rows, with bits that depend on the rows and their positions alone.
//
// Rows carry absolute positions. They are cut on the grid of blocks [0, 1024), [1024, 2048), ...; a whole block is
// reduced by one thread in one order (block_moments.hpp) and becomes a leaf of the binary tree over block numbers,
// where two siblings merge as soon as both are there. Rows of blocks that are not whole yet are kept as they are. Hence
// the same bytes for every number of threads, every way to cut the stream into updates, every memory layout, and every
// way to cut it into shards that are merged in any order. State: at most log2(n / 1024) + 1 trees of 4 D^2 bytes for a
// stream that starts at 0, twice that for a shard, and fewer than 1024 rows at either end.
#pragma once

#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "crossphase/block_moments.hpp"
#include "crossphase/matrix_view.hpp"

namespace crossphase::cpu {

class CrossMoments {
  public:
    // first_row: the absolute position of the first row that update() will bring.
    CrossMoments(std::ptrdiff_t n_columns, std::ptrdiff_t first_row, Precision precision);

    // Takes the next rows: the columns of `parts` side by side, n_columns in all. Values must be finite.
    void update(std::span<const SampleView> parts, int n_threads);

    // Takes over the rows of `other`. Throws std::invalid_argument, changing nothing, if both hold the same row or they
    // differ in their precision.
    void merge(const CrossMoments& other);

    std::ptrdiff_t n_samples() const;
    std::vector<std::pair<std::ptrdiff_t, std::ptrdiff_t>> row_ranges()
        const;  // [first, last) of each run of rows held

    // Fills the mean (D) and scatter (D x D) of all rows held and returns their number; throws std::invalid_argument if
    // there are none.
    std::ptrdiff_t summarize(std::span<double> mean, MatrixView<double> scatter) const;

    struct Tree {
        std::ptrdiff_t n_blocks;  // a power of two; the first block's number is a multiple of it
        BlockMoments moments;
    };
    using Rows = std::vector<double>;  // row-major, n_columns wide

    // All that the object holds, to be kept and restored: the rows that follow then give the same bytes.
    struct Snapshot {
        std::ptrdiff_t n_columns;
        std::ptrdiff_t next_row;
        Precision precision;
        std::map<std::ptrdiff_t, Tree> trees;         // by number of their first block
        std::map<std::ptrdiff_t, Rows> partial_rows;  // by position of their first row; each within one block
    };
    Snapshot snapshot() const;
    explicit CrossMoments(Snapshot snapshot);  // throws std::invalid_argument if no stream of rows could leave it

  private:
    std::ptrdiff_t n_rows_of(const Rows& rows) const;
    void keep_rows(std::ptrdiff_t first_row, Rows rows);
    void add_tree(std::ptrdiff_t first_block, Tree tree);
    std::vector<std::pair<std::ptrdiff_t, std::ptrdiff_t>> runs_held() const;    // of every tree and every set of rows
    std::vector<std::pair<std::ptrdiff_t, std::ptrdiff_t>> ranges_held() const;  // neighbours joined
    BlockMoments reduce_rows(const Rows& rows) const;
    std::optional<BlockMoments> total() const;

    std::ptrdiff_t n_columns_;
    std::ptrdiff_t next_row_;
    Precision precision_;
    std::map<std::ptrdiff_t, Tree> trees_;
    std::map<std::ptrdiff_t, Rows> partial_rows_;
    mutable std::mutex mutex_;  // Python threads may share an object
};

}  // namespace crossphase::cpu
