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
    cpu_module.def(
        "whitening_matrix",
        [](const Array<double>& covs, cpu::WhiteningKind kind, double ridge, double rcond, int n_threads) {
            require_lapack();
            auto whiteners = empty_array<double>({covs.shape(), covs.shape() + covs.ndim()});
            const auto in = matrices<MatrixView<const double>>(covs.data(), covs);
            const auto out = matrices<MatrixView<double>>(whiteners.mutable_data(), whiteners);
            auto n_kept = empty_array<std::ptrdiff_t>({covs.shape(0)});
            const std::span<std::ptrdiff_t> counts(n_kept.mutable_data(), static_cast<std::size_t>(n_kept.size()));
            {
                py::gil_scoped_release nogil;
                cpu::whitening_matrix(in, {kind, ridge, rcond}, out, counts, n_threads);
            }
            return py::make_tuple(whiteners, n_kept);
        },
        "covs"_a.noconvert(), py::kw_only(), "kind"_a, "ridge"_a, "rcond"_a, "n_threads"_a);
}

}  // namespace crossphase::bindings
