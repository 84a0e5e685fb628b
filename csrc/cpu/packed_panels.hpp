// Columns packed for the panel products: panel j holds columns 16 j ... 16 j + 15 row after row, zeros past the last.
#pragma once

#include <cstddef>
#include <memory>
#include <new>

#include "crossphase/instruction_set.hpp"

namespace crossphase::cpu {

class PackedPanels {
  public:
    PackedPanels(std::ptrdiff_t n_rows, std::ptrdiff_t n_columns)
        : n_rows_(n_rows), n_panels_((n_columns + kPanelWidth - 1) / kPanelWidth), values_(allocate(size())) {
        std::uninitialized_fill_n(values_.get(), size(), 0.0);
    }

    std::ptrdiff_t n_rows() const { return n_rows_; }
    std::ptrdiff_t n_panels() const { return n_panels_; }
    double* panel(std::ptrdiff_t j) { return values_.get() + j * n_rows_ * kPanelWidth; }
    const double* panel(std::ptrdiff_t j) const { return values_.get() + j * n_rows_ * kPanelWidth; }

    double& operator()(std::ptrdiff_t row, std::ptrdiff_t column) {
        return panel(column / kPanelWidth)[row * kPanelWidth + column % kPanelWidth];
    }

  private:
    static constexpr std::align_val_t kCacheLine{64};
    struct Free {
        void operator()(double* values) const { ::operator delete(values, kCacheLine); }
    };

    std::ptrdiff_t size() const { return n_rows_ * n_panels_ * kPanelWidth; }
    static double* allocate(std::ptrdiff_t count) {
        return static_cast<double*>(::operator new(static_cast<std::size_t>(count) * sizeof(double), kCacheLine));
    }

    std::ptrdiff_t n_rows_;
    std::ptrdiff_t n_panels_;
    std::unique_ptr<double, Free> values_;
};

}  // namespace crossphase::cpu
