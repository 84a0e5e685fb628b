#include "module.hpp"

#include <pybind11/stl.h>

#include <string>
#include <vector>

#include "crossphase/instruction_set.hpp"

namespace py = pybind11;

PYBIND11_MODULE(_core, module) {
    module.doc() = "Compiled kernels of crossphase. Arguments are checked in Python; shapes are checked again here.";
    module.attr("__version__") = CROSSPHASE_VERSION;

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
