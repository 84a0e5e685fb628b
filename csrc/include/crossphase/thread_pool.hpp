// The library's own small thread pool: no OpenMP runtime to clash with, alive again in a forked child.
#pragma once

#include <cstddef>
#include <functional>

namespace crossphase {

// Calls task(0) ... task(n_tasks - 1), each once, on up to n_threads threads including the caller, and returns when all
// are done. Which thread runs which task is left to chance, so a task's result must not depend on it. The first
// exception is rethrown here after the running tasks end; later tasks are then skipped.
//
// The calling thread runs the interrupt check, if one is set, before each of its own tasks; what it throws ends the
// call.
void parallel_for(std::ptrdiff_t n_tasks, int n_threads, const std::function<void(std::ptrdiff_t)>& task);

// Where the outside world may ask a long kernel to stop (Ctrl-C). Set once, before the first call.
using InterruptCheck = void (*)();
void set_interrupt_check(InterruptCheck check);

}  // namespace crossphase
