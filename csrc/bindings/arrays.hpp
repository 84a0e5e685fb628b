// The only place that knows how an array becomes a view.
#pragma once

#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "crossphase/matrix_view.hpp"

namespace crossphase::bindings {

namespace py = pybind11;

template <typename T>
using Array = py::array_t<T, py::array::c_style>;

template <typename T>
Array<T> empty_array(const std::vector<py::ssize_t>& shape) {
    return Array<T>(shape);
}

template <typename T>
MatrixView<const T> view(const Array<T>& array) {
    if (array.ndim() != 2) {
        throw py::value_error("expected a matrix");
    }
    return {array.data(), array.shape(0), array.shape(1), array.shape(1), 1};
}

template <typename T>
MatrixView<T> mutable_view(Array<T>& array) {
    if (array.ndim() != 2) {
        throw py::value_error("expected a matrix");
    }
    return {array.mutable_data(), array.shape(0), array.shape(1), array.shape(1), 1};
}

// A matrix to write to, of any strides that are whole elements.
template <typename T>
MatrixView<T> output_view(py::array_t<T>& array) {
    constexpr auto width = static_cast<py::ssize_t>(sizeof(T));
    if (array.ndim() != 2 || array.strides(0) % width != 0 || array.strides(1) % width != 0) {
        throw py::value_error("expected a matrix with strides of whole elements");
    }
    return {array.mutable_data(), array.shape(0), array.shape(1), array.strides(0) / width, array.strides(1) / width};
}

// The matrices of a (batch, p, q) array.
template <typename View, typename T>
std::vector<View> matrices(T* data, const py::array& array) {
    if (array.ndim() != 3) {
        throw py::value_error("expected a batch of matrices");
    }
    std::vector<View> views;
    for (py::ssize_t b = 0; b < array.shape(0); ++b) {
        views.push_back(
            {data + b * array.shape(1) * array.shape(2), array.shape(1), array.shape(2), array.shape(2), 1});
    }
    return views;
}

template <typename T>
std::span<const T> vector_view(const Array<T>& array) {
    if (array.ndim() != 1) {
        throw py::value_error("expected a vector");
    }
    return {array.data(), static_cast<std::size_t>(array.size())};
}

// Samples of any strides, in the machine's byte order. uint16 means bfloat16 bits here: Python decides who may say so.
inline SampleView sample_view(const py::array& array) {
    if (array.ndim() != 2) {
        throw py::value_error("expected a matrix of samples");
    }
    SampleType type{};
    if (py::isinstance<py::array_t<double>>(array)) {
        type = SampleType::float64;
    } else if (py::isinstance<py::array_t<float>>(array)) {
        type = SampleType::float32;
    } else if (py::isinstance<py::array_t<std::uint16_t>>(array)) {
        type = SampleType::bfloat16;
    } else if (array.dtype().kind() == 'f' && array.itemsize() == 2 && array.dtype().byteorder() == '=') {
        type = SampleType::float16;
    } else {
        throw py::type_error("expected float16, bfloat16 bits, float32 or float64 in native byte order");
    }
    return {static_cast<const std::byte*>(array.data()),
            array.shape(0),
            array.shape(1),
            array.strides(0),
            array.strides(1),
            type};
}

}  // namespace crossphase::bindings
