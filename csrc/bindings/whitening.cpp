#include "crossphase/whitening.hpp"

#include <pybind11/native_enum.h>

#include "arrays.hpp"
#include "module.hpp"

namespace crossphase::bindings {

void bind_whitening(py::module_& cpu_module) {
    using namespace py::literals;
    py::native_enum<cpu::WhiteningKind>(cpu_module, "WhiteningKind", "enum.Enum")
        .value("zca", cpu::WhiteningKind::zca)
        .value("pca", cpu::WhiteningKind::pca)
        .value("cholesky", cpu::WhiteningKind::cholesky)
        .finalize();
    py::native_enum<cpu::WhiteningMethod>(cpu_module, "WhiteningMethod", "enum.Enum")
        .value("cholesky", cpu::WhiteningMethod::cholesky)
        .value("eigh", cpu::WhiteningMethod::eigh)
        .value("rational", cpu::WhiteningMethod::rational)
        .value("newton_schulz", cpu::WhiteningMethod::newton_schulz)
        .finalize();
    cpu_module.attr("largest_in_lanes") = cpu::kLargestInLanes;
    // Whiteners, directions kept, and the method's place in WhiteningMethod.
    cpu_module.def(
        "whitening_matrix",
        [](const Array<double>& covs, cpu::WhiteningKind kind, cpu::WhiteningMethod method, double ridge, double rcond,
           int n_threads) {
            require_lapack();
            auto whiteners = empty_array<double>({covs.shape(), covs.shape() + covs.ndim()});
            const auto in = matrices<MatrixView<const double>>(covs.data(), covs);
            const auto out = matrices<MatrixView<double>>(whiteners.mutable_data(), whiteners);
            std::vector<cpu::WhiteningOutcome> outcomes(in.size());
            {
                py::gil_scoped_release nogil;
                cpu::whitening_matrix(in, {kind, method, ridge, rcond}, out, outcomes, n_threads);
            }
            auto n_kept = empty_array<std::ptrdiff_t>({covs.shape(0)});
            auto methods = empty_array<std::ptrdiff_t>({covs.shape(0)});
            for (std::size_t b = 0; b < outcomes.size(); ++b) {
                n_kept.mutable_data()[b] = outcomes[b].n_kept;
                methods.mutable_data()[b] = static_cast<std::ptrdiff_t>(outcomes[b].method);
            }
            return py::make_tuple(whiteners, n_kept, methods);
        },
        "covs"_a.noconvert(), py::kw_only(), "kind"_a, "method"_a, "ridge"_a, "rcond"_a, "n_threads"_a);
}

}  // namespace crossphase::bindings
