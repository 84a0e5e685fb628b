#include "module.hpp"

#include <pybind11/stl.h>

#include <chrono>
#include <string>
#include <thread>
#include <vector>

#ifdef __GLIBC__
#include <malloc.h>
#endif

#include "crossphase/instruction_set.hpp"
#include "crossphase/thread_pool.hpp"

namespace py = pybind11;

namespace {

std::thread::id main_thread;

// Kernels run without the GIL; now and then they take it to let Python run its signal handlers. Only the main thread
// can run them, and a check every 20 ms is enough for fingers.
void raise_pending_signal() {
    using Clock = std::chrono::steady_clock;
    static Clock::time_point next_check;  // the main thread's alone
    if (std::this_thread::get_id() != main_thread || Clock::now() < next_check) {
        return;
    }
    next_check = Clock::now() + std::chrono::milliseconds(20);
    const py::gil_scoped_acquire gil;
    if (PyErr_CheckSignals() != 0) {
        throw py::error_already_set();
    }
}

// glibc keeps freed blocks of up to 32 MiB once it has seen such blocks come and go, as covariances do; other
// allocators give them back unasked.
void return_freed_memory() {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

}  // namespace

PYBIND11_MODULE(_core, module) {
    module.doc() = "Compiled kernels of crossphase. Arguments are checked in Python; shapes are checked again here.";
    module.attr("__version__") = CROSSPHASE_VERSION;

    module.def("return_freed_memory", return_freed_memory, py::call_guard<py::gil_scoped_release>());

    const py::module_ threading = py::module_::import("threading");
    if (threading.attr("current_thread")().is(threading.attr("main_thread")())) {
        main_thread = std::this_thread::get_id();
        crossphase::set_interrupt_check(raise_pending_signal);
    }
    py::module_ cpu = module.def_submodule("cpu", "Kernels for the central processor.");
    crossphase::bindings::bind_finite(cpu);
    crossphase::bindings::bind_lapack(cpu);
    crossphase::bindings::bind_leading_eigenvectors(cpu);
    crossphase::bindings::bind_moments(cpu);
    crossphase::bindings::bind_projection(cpu);
    crossphase::bindings::bind_ridge_cv(cpu);
    crossphase::bindings::bind_triangular_solve(cpu);
    crossphase::bindings::bind_whitening(cpu);

    cpu.def("instruction_set", [] { return crossphase::cpu::instruction_set().name; });
    cpu.def("has_fast_bf16", [] { return crossphase::cpu::instruction_set().has_fast_bf16; });
    cpu.def("has_matrix_units", [] { return crossphase::cpu::instruction_set().has_matrix_units; });
    cpu.def("available_instruction_sets", [] {
        std::vector<std::string> names;
        for (const auto& set : crossphase::cpu::available_instruction_sets()) {
            names.push_back(set.name);
        }
        return names;
    });
}
