// The rows of a block, centred and packed for products of panels of columns, in each precision.
//
// Every kind of packed block offers: kWidth, columns a panel; n_panels(); mean(), padded to whole panels;
// `tile(i, j, entries)`, which writes the kWidth x kWidth block of the scatter for panels i and j, row-major; begin()
// and end() around a thread's tiles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <vector>

#include "crossphase/matrix_view.hpp"
#include "crossphase/precision.hpp"
#include "isa/block_kernels.hpp"
#include "packed_panels.hpp"

namespace crossphase::cpu {

// Means of the columns and sums of squares about them, from the values as given.
struct Centre {
    explicit Centre(std::span<const SampleView> parts);

    std::vector<double> mean;      // padded with zeros to whole panels of 32
    std::vector<double> diagonal;  // of the scatter; infinite where squares overflow
    std::vector<char> is_uneven;   // a few rows hold much of the column's squares
};

// In float64.
class DoubleBlock {
  public:
    static constexpr std::ptrdiff_t kWidth = kPanelWidth;

    explicit DoubleBlock(std::span<const SampleView> parts);

    std::ptrdiff_t n_panels() const { return panels_.n_panels(); }
    const std::vector<double>& mean() const { return centre_.mean; }
    void tile(std::ptrdiff_t i, std::ptrdiff_t j, double* entries) const;
    void begin() const {}
    void end() const {}

  private:
    Centre centre_;
    PackedPanels panels_;
};

// In float32, or in pieces of bfloat16; products of two panels that both have uneven columns in float64. Errors of
// short products average out over rows that are alike. Where one row outweighs the rest they are those of its own
// product, and what the other rows add to it is rounded to its last digits, all the same way: errors that a null
// direction shows.
class ReducedBlock {
  public:
    static constexpr std::ptrdiff_t kWidth = isa::kTileWidth;

    ReducedBlock(std::span<const SampleView> parts, Precision precision);

    std::ptrdiff_t n_panels() const { return n_panels_; }
    const std::vector<double>& mean() const { return centre_.mean; }
    void tile(std::ptrdiff_t i, std::ptrdiff_t j, double* entries) const;
    void begin() const;
    void end() const;

  private:
    void choose_shift_and_scale(Precision precision);
    void pack(std::span<const SampleView> parts);
    void double_tile(std::ptrdiff_t i, std::ptrdiff_t j, double* entries) const;
    std::ptrdiff_t panel_words() const { return n_strips_ * isa::kStripRows * kWidth * n_bytes_ / 4; }

    const isa::BlockKernels& kernels_;
    int n_pieces_;            // of bfloat16; 0: float32
    std::ptrdiff_t n_bytes_;  // of one packed value
    std::ptrdiff_t n_rows_;
    std::ptrdiff_t n_strips_;
    std::ptrdiff_t n_columns_;
    std::ptrdiff_t n_panels_;
    Centre centre_;
    std::vector<double> shift_;  // packed values are (value - shift) * scale
    std::vector<double> scale_;
    bool is_scaled_ = false;
    bool is_off_centre_ = false;
    std::vector<std::ptrdiff_t> uneven_;     // each panel's number among those with uneven columns; -1: has none
    std::unique_ptr<PackedPanels> doubles_;  // these panels, each as two of float64

    struct Free {
        void operator()(std::uint32_t* words) const { ::operator delete(words, std::align_val_t{64}); }
    };
    std::unique_ptr<std::uint32_t, Free> words_;
    std::unique_ptr<std::uint32_t, Free> transposed_;  // for matrix units
};

}  // namespace crossphase::cpu
