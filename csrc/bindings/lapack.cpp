#include "crossphase/lapack.hpp"

#include <algorithm>
#include <string>

#include "arrays.hpp"
#include "module.hpp"

namespace crossphase::bindings {
namespace {

// A routine of scipy.linalg.cython_lapack or cython_blas. The capsule's name is its C signature; a wrong number of
// arguments would be a crash later, so it is compared now.
template <typename Function>
Function routine(const py::dict& capsules, const char* name, int n_arguments) {
    const py::capsule capsule = py::reinterpret_borrow<py::capsule>(capsules[name]);
    const std::string signature = capsule.name();
    const auto n_commas = std::count(signature.begin(), signature.end(), ',');
    if (n_commas + 1 != n_arguments) {
        throw py::import_error("SciPy's " + std::string(name) + " has an unexpected signature: " + signature);
    }
    return reinterpret_cast<Function>(capsule.get_pointer());
}

}  // namespace

void require_lapack() {
    static bool is_set = false;  // the GIL guards it
    if (is_set) {
        return;
    }
    const py::dict lapack = py::module_::import("scipy.linalg.cython_lapack").attr("__pyx_capi__");
    const py::dict blas = py::module_::import("scipy.linalg.cython_blas").attr("__pyx_capi__");
    cpu::set_lapack({routine<cpu::Lapack::Syevd>(lapack, "dsyevd", 11),
                     routine<cpu::Lapack::Syevr>(lapack, "dsyevr", 21),
                     routine<cpu::Lapack::Potrf>(lapack, "dpotrf", 5), routine<cpu::Lapack::Trtri>(lapack, "dtrtri", 6),
                     routine<cpu::Lapack::Sytrd>(lapack, "dsytrd", 10), routine<cpu::Lapack::Gemm>(blas, "dgemm", 13),
                     routine<cpu::Lapack::Symm>(blas, "dsymm", 12), routine<cpu::Lapack::Syrk>(blas, "dsyrk", 10),
                     routine<cpu::Lapack::Syr2k>(blas, "dsyr2k", 12), routine<cpu::Lapack::Trsm>(blas, "dtrsm", 11)});
    is_set = true;
}

void bind_lapack(py::module_& cpu_module) {
    // What `crossphase doctor` shows: the C signature whose integers the kernels rely on.
    cpu_module.def("lapack_signature", [] {
        const py::dict capsules = py::module_::import("scipy.linalg.cython_lapack").attr("__pyx_capi__");
        return std::string(py::reinterpret_borrow<py::capsule>(capsules["dpotrf"]).name());
    });
}

}  // namespace crossphase::bindings
