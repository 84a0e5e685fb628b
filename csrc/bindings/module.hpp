// One function per kernel family; module.cpp calls them all.
#pragma once

#include <pybind11/pybind11.h>

namespace crossphase::bindings {

void bind_finite(pybind11::module_& cpu);
void bind_lapack(pybind11::module_& cpu);
void bind_leading_eigenvectors(pybind11::module_& cpu);
void bind_moments(pybind11::module_& cpu);
void bind_projection(pybind11::module_& cpu);
void bind_ridge_cv(pybind11::module_& cpu);
void bind_triangular_solve(pybind11::module_& cpu);
void bind_whitening(pybind11::module_& cpu);

// Hands SciPy's LAPACK to the kernels; imports scipy.linalg on its first call. Needs the GIL.
void require_lapack();

}  // namespace crossphase::bindings
