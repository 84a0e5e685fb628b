#include "module.hpp"

#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "crossphase/instruction_set.hpp"
#include "crossphase/thread_pool.hpp"

namespace py = pybind11;

namespace {

// Kernels run without the GIL; now and then they take it to let Python run its signal handlers.
void raise_pending_signal() {
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) {
        throw py::error_already_set();
    }
}

}  // namespace

PYBIND11_MODULE(_core, module) {
    module.doc() = "Compiled kernels of crossphase. Arguments are checked in Python; shapes are checked again here.";
    module.attr("__version__") = CROSSPHASE_VERSION;

    crossphase::set_interrupt_check(raise_pending_signal);
    py::module_ cpu = module.def_submodule("cpu", "Kernels for the central processor.");
    crossphase::bindings::bind_finite(cpu);
    crossphase::bindings::bind_lapack(cpu);
    crossphase::bindings::bind_moments(cpu);
    crossphase::bindings::bind_projection(cpu);
    crossphase::bindings::bind_ridge_cv(cpu);
    crossphase::bindings::bind_whitening(cpu);

    cpu.def("instruction_set", [] { return crossphase::cpu::instruction_set().name; });
    cpu.def("available_instruction_sets", [] {
        std::vector<std::string> names;
        for (const auto& set : crossphase::cpu::available_instruction_sets()) {
            names.push_back(set.name);
        }
        return names;
    });
}
