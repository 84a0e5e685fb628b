#include "crossphase/moments.hpp"

#include <pybind11/stl.h>

#include "arrays.hpp"
#include "module.hpp"

namespace crossphase::bindings {

void bind_moments(py::module_& cpu_module) {
    using namespace py::literals;
    py::class_<cpu::CrossMoments>(cpu_module, "CrossMoments")
        .def(py::init<std::ptrdiff_t, std::ptrdiff_t>(), "n_columns"_a, "first_row"_a)
        .def(
            "update",
            [](cpu::CrossMoments& self, const std::vector<py::array>& parts, int n_threads) {
                std::vector<SampleView> views;
                for (const py::array& part : parts) {
                    views.push_back(sample_view(part));
                }
                py::gil_scoped_release nogil;
                self.update(views, n_threads);
            },
            "parts"_a, py::kw_only(), "n_threads"_a)
        .def("merge", &cpu::CrossMoments::merge, "other"_a, py::call_guard<py::gil_scoped_release>())
        .def_property_readonly("n_samples", &cpu::CrossMoments::n_samples)
        .def_property_readonly("row_ranges", &cpu::CrossMoments::row_ranges)
        .def(
            "summarize",
            [](const cpu::CrossMoments& self, py::ssize_t n_columns) {
                auto mean = empty_array<double>({n_columns});
                auto scatter = empty_array<double>({n_columns, n_columns});
                const std::span<double> mean_out(mean.mutable_data(), static_cast<std::size_t>(n_columns));
                const auto scatter_out = mutable_view(scatter);
                {
                    py::gil_scoped_release nogil;
                    self.summarize(mean_out, scatter_out);
                }
                return py::make_tuple(mean, scatter);
            },
            "n_columns"_a);
}

}  // namespace crossphase::bindings
