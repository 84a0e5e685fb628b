#include "crossphase/moments.hpp"

#include <pybind11/native_enum.h>
#include <pybind11/stl.h>

#include <algorithm>
#include <memory>

#include "arrays.hpp"
#include "crossphase/scalar_math.hpp"
#include "module.hpp"

namespace crossphase::bindings {
namespace {

Array<double> to_array(const std::vector<double>& values) {
    auto array = empty_array<double>({static_cast<py::ssize_t>(values.size())});
    std::copy(values.begin(), values.end(), array.mutable_data());
    return array;
}

std::vector<double> to_vector(const py::handle& array) {
    const auto values = vector_view(array.cast<Array<double>>());
    return {values.begin(), values.end()};
}

Precision precision_of(int number) {
    if (number < 0 || number > static_cast<int>(Precision::bf16)) {
        throw py::value_error("the snapshot is damaged: there is no such precision");
    }
    return static_cast<Precision>(number);
}

}  // namespace

void bind_moments(py::module_& cpu_module) {
    using namespace py::literals;
    // Every method waits for the object's lock without the GIL: an update that holds the lock may be waiting for the
    // GIL to run signal handlers.
    using Released = py::gil_scoped_release;
    py::native_enum<Precision>(cpu_module, "Precision", "enum.Enum", "Arithmetic of the moments' products.")
        .value("f64", Precision::float64)
        .value("f32", Precision::float32)
        .value("bf16x6", Precision::bf16x6)
        .value("bf16x3", Precision::bf16x3)
        .value("bf16", Precision::bf16)
        .finalize();
    cpu_module.attr("block_rows") = kBlockRows;
    py::class_<cpu::CrossMoments>(cpu_module, "CrossMoments")
        .def(py::init<std::ptrdiff_t, std::ptrdiff_t, Precision>(), "n_columns"_a, "first_row"_a, "precision"_a)
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
            "n_columns"_a)
        .def(py::pickle(
            [](const cpu::CrossMoments& self) {
                cpu::CrossMoments::Snapshot held;
                {
                    const Released nogil;
                    held = self.snapshot();
                }
                py::list trees;
                for (const auto& [first_block, tree] : held.trees) {
                    trees.append(py::make_tuple(first_block, tree.n_blocks, tree.moments.n_samples,
                                                to_array(tree.moments.mean), to_array(tree.moments.scatter)));
                }
                py::list partial_rows;
                for (const auto& [first_row, rows] : held.partial_rows) {
                    partial_rows.append(py::make_tuple(first_row, to_array(rows)));
                }
                return py::make_tuple(held.n_columns, held.next_row, static_cast<int>(held.precision), trees,
                                      partial_rows);
            },
            [](const py::tuple& state) {
                if (state.size() != 5) {
                    throw py::value_error("the snapshot is damaged: it should have five parts");
                }
                cpu::CrossMoments::Snapshot held{state[0].cast<std::ptrdiff_t>(),
                                                 state[1].cast<std::ptrdiff_t>(),
                                                 precision_of(state[2].cast<int>()),
                                                 {},
                                                 {}};
                for (const py::handle item : state[3]) {
                    const auto tree = item.cast<py::tuple>();
                    held.trees.emplace(tree[0].cast<std::ptrdiff_t>(),
                                       cpu::CrossMoments::Tree{
                                           tree[1].cast<std::ptrdiff_t>(),
                                           {tree[2].cast<std::ptrdiff_t>(), to_vector(tree[3]), to_vector(tree[4])}});
                }
                for (const py::handle item : state[4]) {
                    const auto rows = item.cast<py::tuple>();
                    held.partial_rows.emplace(rows[0].cast<std::ptrdiff_t>(), to_vector(rows[1]));
                }
                return std::make_unique<cpu::CrossMoments>(std::move(held));
            }));
}

}  // namespace crossphase::bindings
