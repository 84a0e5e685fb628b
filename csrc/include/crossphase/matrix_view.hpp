// Non-owning views of matrices: what every kernel takes and returns.
#pragma once

#include <cstddef>

namespace crossphase {

// Element (i, j) lives at data[i * row_stride + j * column_stride]; strides count elements and may be negative.
template <typename T>
struct MatrixView {
    T* data = nullptr;
    std::ptrdiff_t n_rows = 0;
    std::ptrdiff_t n_columns = 0;
    std::ptrdiff_t row_stride = 0;
    std::ptrdiff_t column_stride = 1;

    T& operator()(std::ptrdiff_t i, std::ptrdiff_t j) const { return data[i * row_stride + j * column_stride]; }
};

enum class SampleType { float16, bfloat16, float32, float64 };

// Samples as they come: rows of one of four floating types at any byte strides, aligned or not.
struct SampleView {
    const std::byte* data = nullptr;
    std::ptrdiff_t n_rows = 0;
    std::ptrdiff_t n_columns = 0;
    std::ptrdiff_t row_stride = 0;     // bytes
    std::ptrdiff_t column_stride = 0;  // bytes
    SampleType type = SampleType::float64;

    SampleView rows(std::ptrdiff_t first, std::ptrdiff_t count) const {
        SampleView part = *this;
        part.data += first * row_stride;
        part.n_rows = count;
        return part;
    }
};

}  // namespace crossphase
