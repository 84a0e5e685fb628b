#include "crossphase/finite.hpp"

#include "arrays.hpp"
#include "module.hpp"

namespace crossphase::bindings {

void bind_finite(py::module_& cpu_module) {
    using namespace py::literals;
    cpu_module.def(
        "find_non_finite",
        [](const py::array& samples, int n_threads) {
            const SampleView in = sample_view(samples);
            cpu::NonFinite found;
            {
                py::gil_scoped_release nogil;
                found = cpu::find_non_finite(in, n_threads);
            }
            return py::make_tuple(found.count, found.row, found.column);
        },
        "samples"_a, py::kw_only(), "n_threads"_a);
}

}  // namespace crossphase::bindings
