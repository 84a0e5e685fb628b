#include "crossphase/leading_eigenvectors.hpp"

#include "arrays.hpp"
#include "module.hpp"

namespace crossphase::bindings {

void bind_leading_eigenvectors(py::module_& cpu_module) {
    using namespace py::literals;
    cpu_module.def(
        "leading_eigenvectors",
        [](const Array<double>& matrix, py::ssize_t k) {
            require_lapack();
            const auto in = view(matrix);
            auto values = empty_array<double>({k});
            auto vectors = empty_array<double>({k, matrix.shape(1)});
            const std::span<double> values_out(values.mutable_data(), static_cast<std::size_t>(k));
            const auto vectors_out = mutable_view(vectors);
            std::ptrdiff_t n_found = 0;
            {
                py::gil_scoped_release nogil;
                n_found = cpu::leading_eigenvectors(in, values_out, vectors_out);
            }
            return py::make_tuple(n_found, values, vectors);
        },
        "matrix"_a.noconvert(), "k"_a);
}

}  // namespace crossphase::bindings
