#include "crossphase/projection.hpp"

#include "arrays.hpp"
#include "module.hpp"

namespace crossphase::bindings {

void bind_projection(py::module_& cpu_module) {
    using namespace py::literals;
    cpu_module.def(
        "project",
        [](const py::array& samples, const Array<double>& mean, const Array<double>& weights,
           py::array_t<double> scores, int n_threads) {
            const SampleView in = sample_view(samples);
            const auto mean_in = vector_view(mean);
            const auto weights_in = view(weights);
            const auto out = output_view(scores);
            py::gil_scoped_release nogil;
            cpu::project(in, mean_in, weights_in, out, n_threads);
        },
        "samples"_a, "mean"_a.noconvert(), "weights"_a.noconvert(), "scores"_a.noconvert(), py::kw_only(),
        "n_threads"_a);
}

}  // namespace crossphase::bindings
