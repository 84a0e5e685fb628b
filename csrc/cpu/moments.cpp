#include "crossphase/moments.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "crossphase/scalar_math.hpp"
#include "crossphase/thread_pool.hpp"

namespace crossphase::cpu {
namespace {

using RowRange = std::pair<std::ptrdiff_t, std::ptrdiff_t>;

std::vector<SampleView> rows_of(std::span<const SampleView> parts, std::ptrdiff_t first, std::ptrdiff_t count) {
    std::vector<SampleView> rows;
    rows.reserve(parts.size());
    for (const SampleView& part : parts) {
        rows.push_back(part.rows(first, count));
    }
    return rows;
}

std::vector<double> copy_rows(std::span<const SampleView> parts, std::ptrdiff_t n_columns) {
    const std::ptrdiff_t n_rows = parts.front().n_rows;
    std::vector<double> rows(static_cast<std::size_t>(n_rows * n_columns));
    std::ptrdiff_t first_column = 0;
    for (const SampleView& part : parts) {
        with_sample_type(part.type, [&]<SampleType type>() {
            for (std::ptrdiff_t i = 0; i < n_rows; ++i) {
                for (std::ptrdiff_t j = 0; j < part.n_columns; ++j) {
                    rows[static_cast<std::size_t>(i * n_columns + first_column + j)] =
                        load_sample<type>(part.data + i * part.row_stride + j * part.column_stride);
                }
            }
        });
        first_column += part.n_columns;
    }
    return rows;
}

// The largest subtree that may start at this block and has at most this many blocks; at least 1, and at most 4: its
// merges are done by the thread that reduces it, and more of them would keep more moments in memory.
std::ptrdiff_t subtree_blocks(std::ptrdiff_t first_block, std::ptrdiff_t most) {
    std::ptrdiff_t n_blocks = 1;
    while (n_blocks < 4 && first_block % (2 * n_blocks) == 0 && 2 * n_blocks <= most) {
        n_blocks *= 2;
    }
    return n_blocks;
}

BlockMoments reduce_subtree(std::span<const SampleView> parts, std::ptrdiff_t first_row, std::ptrdiff_t n_blocks,
                            Precision precision) {
    if (n_blocks == 1) {
        return reduce_block(rows_of(parts, first_row, kBlockRows), precision);
    }
    const std::ptrdiff_t half = n_blocks / 2;
    BlockMoments moments = reduce_subtree(parts, first_row, half, precision);
    if (half == 1) {
        append_block(moments, rows_of(parts, first_row + kBlockRows, kBlockRows), precision);
    } else {
        merge_into(moments, reduce_subtree(parts, first_row + half * kBlockRows, half, precision));
    }
    return moments;
}

void refuse_overlap(const std::vector<RowRange>& ours, const std::vector<RowRange>& theirs) {
    for (const auto& [first, last] : ours) {
        for (const auto& [other_first, other_last] : theirs) {
            if (first < other_last && other_first < last) {
                throw std::invalid_argument(
                    "both states hold rows " + std::to_string(std::max(first, other_first)) + " to " +
                    std::to_string(std::min(last, other_last) - 1) +
                    "; give each shard the position of its first row: CrossMoments(..., first_row=...).");
            }
        }
    }
}

}  // namespace

CrossMoments::CrossMoments(std::ptrdiff_t n_columns, std::ptrdiff_t first_row, Precision precision)
    : n_columns_(n_columns), next_row_(first_row), precision_(precision) {
    if (n_columns < 1 || first_row < 0) {
        throw std::invalid_argument("CrossMoments needs at least one column and first_row >= 0");
    }
}

CrossMoments::CrossMoments(Snapshot snapshot)
    : CrossMoments(snapshot.n_columns, snapshot.next_row, snapshot.precision) {
    const auto require = [](bool holds, const char* what) {
        if (!holds) {
            throw std::invalid_argument(std::string("the snapshot is damaged: ") + what);
        }
    };
    for (const auto& [first_block, tree] : snapshot.trees) {
        require(
            tree.n_blocks >= 1 && tree.n_blocks <= next_row_ / kBlockRows && (tree.n_blocks & (tree.n_blocks - 1)) == 0,
            "a tree must hold a power of two of blocks that came before the next row");
        require(first_block >= 0 && first_block % tree.n_blocks == 0 &&
                    first_block <= next_row_ / kBlockRows - tree.n_blocks,
                "a tree must stand where its size allows, before the next row");
        require(tree.moments.n_samples == tree.n_blocks * kBlockRows && is_block_moments(tree.moments, n_columns_),
                "a tree does not have the rows or columns that it should");
    }
    for (const auto& [first_row, rows] : snapshot.partial_rows) {
        require(!rows.empty() && static_cast<std::ptrdiff_t>(rows.size()) % n_columns_ == 0,
                "kept rows do not have the state's columns");
        const std::ptrdiff_t n_rows = n_rows_of(rows);
        require(first_row >= 0 && n_rows < kBlockRows && first_row <= next_row_ - n_rows &&
                    first_row / kBlockRows == (first_row + n_rows - 1) / kBlockRows,
                "kept rows must lie within one block, before the next row");
    }
    trees_ = std::move(snapshot.trees);
    partial_rows_ = std::move(snapshot.partial_rows);
    std::ptrdiff_t last = 0;
    for (const auto& [first_row, end] : runs_held()) {
        require(first_row >= last, "two of its parts hold the same row");
        last = end;
    }
}

CrossMoments::Snapshot CrossMoments::snapshot() const {
    const std::lock_guard lock(mutex_);
    return {n_columns_, next_row_, precision_, trees_, partial_rows_};
}

void CrossMoments::update(std::span<const SampleView> parts, int n_threads) {
    std::ptrdiff_t n_columns = 0;
    for (const SampleView& part : parts) {
        n_columns += part.n_columns;
        if (part.n_rows != parts.front().n_rows) {
            throw std::invalid_argument("the parts of an update differ in their number of rows");
        }
    }
    if (parts.empty() || n_columns != n_columns_) {
        throw std::invalid_argument("the columns of an update do not match the state");
    }
    const std::lock_guard lock(mutex_);
    const std::ptrdiff_t n_rows = parts.front().n_rows;

    std::ptrdiff_t done = 0;
    const auto keep = [&](std::ptrdiff_t count) {
        if (count > 0) {
            keep_rows(next_row_, copy_rows(rows_of(parts, done, count), n_columns_));
            done += count;
            next_row_ += count;
        }
    };
    const std::ptrdiff_t to_boundary = (kBlockRows - next_row_ % kBlockRows) % kBlockRows;
    keep(std::min(to_boundary, n_rows));
    while (n_rows - done >= kBlockRows) {  // a wave of subtrees, one a thread, added to the trees in order
        const std::ptrdiff_t first_block = next_row_ / kBlockRows;
        const std::ptrdiff_t n_left = (n_rows - done) / kBlockRows;
        const std::ptrdiff_t n_workers = std::max(n_threads, 1);
        const std::ptrdiff_t n_blocks = subtree_blocks(first_block, n_left / n_workers);
        std::vector<BlockMoments> subtrees(static_cast<std::size_t>(std::min(n_left / n_blocks, n_workers)));
        parallel_for(static_cast<std::ptrdiff_t>(subtrees.size()), n_threads, [&](std::ptrdiff_t t) {
            subtrees[static_cast<std::size_t>(t)] =
                reduce_subtree(parts, done + t * n_blocks * kBlockRows, n_blocks, precision_);
        });
        for (BlockMoments& subtree : subtrees) {
            add_tree(next_row_ / kBlockRows, {n_blocks, std::move(subtree)});
            done += n_blocks * kBlockRows;
            next_row_ += n_blocks * kBlockRows;
        }
    }
    keep(n_rows - done);
}

void CrossMoments::merge(const CrossMoments& other) {
    if (&other == this) {
        throw std::invalid_argument("a state cannot be merged with itself: every row would count twice.");
    }
    const std::scoped_lock lock(mutex_, other.mutex_);
    if (other.n_columns_ != n_columns_) {
        throw std::invalid_argument("the states differ in their columns");
    }
    if (other.precision_ != precision_) {
        throw std::invalid_argument("the states differ in the precision of their products");
    }
    refuse_overlap(ranges_held(), other.ranges_held());
    for (const auto& [first_block, tree] : other.trees_) {
        add_tree(first_block, tree);
    }
    for (const auto& [first_row, rows] : other.partial_rows_) {
        keep_rows(first_row, rows);
    }
    if (const auto theirs = other.ranges_held(); !theirs.empty()) {
        next_row_ = std::max(next_row_, theirs.back().second);
    }
}

std::ptrdiff_t CrossMoments::n_rows_of(const Rows& rows) const {
    return static_cast<std::ptrdiff_t>(rows.size()) / n_columns_;
}

// Joins the rows with their neighbours in the same block; a block that is whole becomes a leaf.
void CrossMoments::keep_rows(std::ptrdiff_t first_row, Rows rows) {
    const std::ptrdiff_t block = first_row / kBlockRows;
    if (const auto after = partial_rows_.find(first_row + n_rows_of(rows));
        after != partial_rows_.end() && after->first / kBlockRows == block) {
        rows.insert(rows.end(), after->second.begin(), after->second.end());
        partial_rows_.erase(after);
    }
    auto before = partial_rows_.lower_bound(first_row);
    if (before != partial_rows_.begin()) {
        --before;
        if (before->first / kBlockRows == block && before->first + n_rows_of(before->second) == first_row) {
            first_row = before->first;
            before->second.insert(before->second.end(), rows.begin(), rows.end());
            rows = std::move(before->second);
            partial_rows_.erase(before);
        }
    }
    if (n_rows_of(rows) == kBlockRows) {
        add_tree(block, {1, reduce_rows(rows)});
    } else {
        partial_rows_.emplace(first_row, std::move(rows));
    }
}

void CrossMoments::add_tree(std::ptrdiff_t first_block, Tree tree) {
    for (;;) {
        const bool is_left = first_block / tree.n_blocks % 2 == 0;
        const auto sibling = trees_.find(is_left ? first_block + tree.n_blocks : first_block - tree.n_blocks);
        if (sibling == trees_.end() || sibling->second.n_blocks != tree.n_blocks) {
            break;
        }
        Tree other = std::move(sibling->second);
        trees_.erase(sibling);
        if (!is_left) {
            std::swap(tree, other);
            first_block -= tree.n_blocks;
        }
        merge_into(tree.moments, other.moments);
        tree.n_blocks *= 2;
    }
    trees_.emplace(first_block, std::move(tree));
}

BlockMoments CrossMoments::reduce_rows(const Rows& rows) const {
    const auto width = static_cast<std::ptrdiff_t>(sizeof(double));
    const SampleView view{reinterpret_cast<const std::byte*>(rows.data()),
                          n_rows_of(rows),
                          n_columns_,
                          n_columns_ * width,
                          width,
                          SampleType::float64};
    return reduce_block({&view, 1}, precision_);
}

std::vector<RowRange> CrossMoments::runs_held() const {
    std::vector<RowRange> ranges;
    for (const auto& [first_block, tree] : trees_) {
        ranges.emplace_back(first_block * kBlockRows, (first_block + tree.n_blocks) * kBlockRows);
    }
    for (const auto& [first_row, rows] : partial_rows_) {
        ranges.emplace_back(first_row, first_row + n_rows_of(rows));
    }
    std::sort(ranges.begin(), ranges.end());
    return ranges;
}

std::vector<RowRange> CrossMoments::ranges_held() const {
    std::vector<RowRange> joined;
    for (const RowRange& range : runs_held()) {
        if (!joined.empty() && joined.back().second == range.first) {
            joined.back().second = range.second;
        } else {
            joined.push_back(range);
        }
    }
    return joined;
}

std::vector<RowRange> CrossMoments::row_ranges() const {
    const std::lock_guard lock(mutex_);
    return ranges_held();
}

std::ptrdiff_t CrossMoments::n_samples() const {
    std::ptrdiff_t count = 0;
    for (const auto& [first, last] : row_ranges()) {
        count += last - first;
    }
    return count;
}

// Trees and loose rows folded from left to right: the order depends on the rows held and on nothing else.
std::optional<BlockMoments> CrossMoments::total() const {
    const std::lock_guard lock(mutex_);
    std::optional<BlockMoments> sum;
    const auto add = [&](const BlockMoments& moments) {
        if (sum) {
            merge_into(*sum, moments);
        } else {
            sum = moments;
        }
    };
    auto rows = partial_rows_.begin();
    for (const auto& [first_block, tree] : trees_) {
        for (; rows != partial_rows_.end() && rows->first < first_block * kBlockRows; ++rows) {
            add(reduce_rows(rows->second));
        }
        add(tree.moments);
    }
    for (; rows != partial_rows_.end(); ++rows) {
        add(reduce_rows(rows->second));
    }
    return sum;
}

std::ptrdiff_t CrossMoments::summarize(std::span<double> mean, MatrixView<double> scatter) const {
    const auto sum = total();
    if (!sum) {
        throw std::invalid_argument("the state holds no rows yet");
    }
    if (static_cast<std::ptrdiff_t>(mean.size()) != n_columns_ || scatter.n_rows != n_columns_ ||
        scatter.n_columns != n_columns_) {
        throw std::invalid_argument("the outputs do not have the state's number of columns");
    }
    std::copy_n(sum->mean.begin(), mean.size(), mean.begin());
    unpack_scatter(*sum, scatter);
    return sum->n_samples;
}

}  // namespace crossphase::cpu
