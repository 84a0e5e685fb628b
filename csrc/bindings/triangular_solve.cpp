#include "crossphase/triangular_solve.hpp"

#include "arrays.hpp"
#include "module.hpp"

namespace crossphase::bindings {

void bind_triangular_solve(py::module_& cpu_module) {
    using namespace py::literals;
    cpu_module.def(
        "solve_lower",
        [](const Array<double>& lower, Array<double>& rows, int n_threads) {
            require_lapack();
            const auto in = view(lower);
            const auto out = mutable_view(rows);
            py::gil_scoped_release nogil;
            cpu::solve_lower(in, out, n_threads);
        },
        "lower"_a.noconvert(), "rows"_a.noconvert(), py::kw_only(), "n_threads"_a);
}

}  // namespace crossphase::bindings
