#include "crossphase/moments.hpp"

#include <pybind11/stl.h>

#include "arrays.hpp"
#include "module.hpp"

namespace crossphase::bindings {

void bind_moments(py::module_& cpu_module) {
    using namespace py::literals;
    // Every method waits for the object's lock without the GIL: an update that holds the lock may be waiting for the
    // GIL to run signal handlers.
    using Released = py::gil_scoped_release;
    py::class_<cpu::CrossMoments>(cpu_module, "CrossMoments")
        .def(py::init<std::ptrdiff_t, std::ptrdiff_t>(), "n_columns"_a, "first_row"_a)
        .def(
            "update",
            [](cpu::CrossMoments& self, const std::vector<py::array>& parts, int n_threads) {
                std::vector<SampleView> views;
                for (const py::array& part : parts) {
                    views.push_back(sample_view(part));
                }
                const Released nogil;
                self.update(views, n_threads);
            },
            "parts"_a, py::kw_only(), "n_threads"_a)
        .def("merge", &cpu::CrossMoments::merge, "other"_a, py::call_guard<Released>())
        .def_property_readonly("n_samples",
                               [](const cpu::CrossMoments& self) {
                                   const Released nogil;
                                   return self.n_samples();
                               })
        .def_property_readonly("row_ranges",
                               [](const cpu::CrossMoments& self) {
                                   const Released nogil;
                                   return self.row_ranges();
                               })
        .def(
            "summarize",
            [](const cpu::CrossMoments& self, py::ssize_t n_columns) {
                auto mean = empty_array<double>({n_columns});
                auto scatter = empty_array<double>({n_columns, n_columns});
                const std::span<double> mean_out(mean.mutable_data(), static_cast<std::size_t>(n_columns));
                const auto scatter_out = mutable_view(scatter);
                std::ptrdiff_t n_samples = 0;
                {
                    const Released nogil;
                    n_samples = self.summarize(mean_out, scatter_out);
                }
                return py::make_tuple(n_samples, mean, scatter);
            },
            "n_columns"_a);
}

}  // namespace crossphase::bindings
