// What it costs that the moments' bytes do not depend on threads: seconds of CrossMoments, and of the same kernel where
// every thread takes the next free block and adds it to sums of its own. One line of JSON a precision.
//   order_cost [n_rows] [n_columns] [n_threads]
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <thread>
#include <utility>
#include <vector>

#include "crossphase/block_moments.hpp"
#include "crossphase/moments.hpp"
#include "crossphase/scalar_math.hpp"

namespace {

using namespace crossphase;
using namespace crossphase::cpu;

BlockMoments unordered(const SampleView& rows, Precision precision, int n_threads) {
    std::atomic<std::ptrdiff_t> next{0};
    std::vector<std::optional<BlockMoments>> sums(static_cast<std::size_t>(n_threads));
    std::vector<std::thread> threads;
    for (auto& sum : sums) {
        threads.emplace_back([&] {
            for (std::ptrdiff_t first; (first = kBlockRows * next++) < rows.n_rows;) {
                const SampleView block = rows.rows(first, std::min(kBlockRows, rows.n_rows - first));
                if (sum) {
                    append_block(*sum, {&block, 1}, precision);
                } else {
                    sum = reduce_block({&block, 1}, precision);
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    BlockMoments total;
    for (auto& sum : sums) {
        if (sum && total.n_samples == 0) {
            total = std::move(*sum);
        } else if (sum) {
            merge_into(total, *sum);
        }
    }
    return total;
}

template <typename Work>
double seconds(const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

int main(int argc, char** argv) {
    const std::ptrdiff_t n_rows = argc > 1 ? std::atol(argv[1]) : 65536;
    const std::ptrdiff_t n_columns = argc > 2 ? std::atol(argv[2]) : 1024;
    const int n_threads = argc > 3 ? std::atoi(argv[3]) : 2;
    std::vector<float> values(static_cast<std::size_t>(n_rows * n_columns));
    std::uint32_t random = 1;
    for (float& value : values) {
        random = random * 1664525u + 1013904223u;
        value = static_cast<float>(random >> 8) * 0x1p-24f - 0.5f;
    }
    const SampleView rows{
        reinterpret_cast<const std::byte*>(values.data()), n_rows, n_columns, 4 * n_columns, 4, SampleType::float32};
    for (const auto& [name, precision] : {std::pair{"f64", Precision::float64}, std::pair{"f32", Precision::float32}}) {
        double ordered_best = 1e9, unordered_best = 1e9, mean_gap = 0.0;
        for (int round = 0; round < 7; ++round) {
            CrossMoments ordered(n_columns, 0, precision);
            ordered_best = std::min(ordered_best, seconds([&] { ordered.update({&rows, 1}, n_threads); }));
            BlockMoments sums;
            unordered_best = std::min(unordered_best, seconds([&] { sums = unordered(rows, precision, n_threads); }));
            std::vector<double> mean(static_cast<std::size_t>(n_columns)), scatter(mean.size() * mean.size());
            ordered.summarize(mean, {scatter.data(), n_columns, n_columns, n_columns, 1});
            for (std::size_t j = 0; j < mean.size(); ++j) {
                mean_gap = std::max(mean_gap, std::abs(mean[j] - sums.mean[j]));
            }
        }
        std::printf("{\"precision\": \"%s\", \"ordered_s\": %.6f, \"unordered_s\": %.6f, \"mean_gap\": %.3g}\n", name,
                    ordered_best, unordered_best, mean_gap);
    }
}
