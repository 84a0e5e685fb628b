#include "crossphase/ridge_cv.hpp"

#include "arrays.hpp"
#include "module.hpp"

namespace crossphase::bindings {

void bind_ridge_cv(py::module_& cpu_module) {
    using namespace py::literals;
    cpu_module.attr("max_scores_per_component") = cpu::kMaxScoresPerComponent;
    cpu_module.def(
        "component_r2",
        [](const Array<double>& scores, py::ssize_t scores_per_component, const Array<double>& labels,
           const Array<std::ptrdiff_t>& folds, py::ssize_t n_folds, const Array<std::ptrdiff_t>& permutations,
           double alpha, Precision precision, int n_threads) {
            const cpu::RidgeCvInput input{view(scores), scores_per_component, view(labels), vector_view(folds),
                                          n_folds,      view(permutations),   alpha,        precision};
            if (scores_per_component < 1) {
                throw py::value_error("scores_per_component must be at least 1");
            }
            const py::ssize_t n_components = input.scores.n_columns / scores_per_component;
            const py::ssize_t n_labels = input.labels.n_columns;
            auto r2 = empty_array<double>({input.permutations.n_rows, n_components, n_labels});
            const MatrixView<double> out{r2.mutable_data(), input.permutations.n_rows * n_components, n_labels,
                                         n_labels, 1};
            {
                py::gil_scoped_release nogil;
                cpu::component_r2(input, out, n_threads);
            }
            return r2;
        },
        "scores"_a.noconvert(), py::kw_only(), "scores_per_component"_a, "labels"_a.noconvert(), "folds"_a.noconvert(),
        "n_folds"_a, "permutations"_a.noconvert(), "alpha"_a, "precision"_a, "n_threads"_a);
}

}  // namespace crossphase::bindings
