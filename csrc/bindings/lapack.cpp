#include "crossphase/lapack.hpp"

#include <algorithm>
#include <string>

#include "arrays.hpp"
#include "module.hpp"

namespace crossphase::bindings {
namespace {

// A routine of scipy.linalg.cython_lapack. The capsule's name is its C signature; a wrong number of arguments would be
// a crash later, so it is compared now.
template <typename Function>
Function routine(const py::dict& capsules, const char* name, int n_arguments) {
    const py::capsule capsule = py::reinterpret_borrow<py::capsule>(capsules[name]);
    const std::string signature = capsule.name();
    const auto n_commas = std::count(signature.begin(), signature.end(), ',');
    if (n_commas + 1 != n_arguments) {
        throw py::import_error("scipy.linalg.cython_lapack." + std::string(name) +
                               " has an unexpected signature: " + signature);
    }
    return reinterpret_cast<Function>(capsule.get_pointer());
}

}  // namespace

void require_lapack() {
    static bool is_set = false;  // the GIL guards it
    if (is_set) {
        return;
    }
    const py::dict capsules = py::module_::import("scipy.linalg.cython_lapack").attr("__pyx_capi__");
    cpu::set_lapack(
        {routine<cpu::Lapack::Syevd>(capsules, "dsyevd", 11), routine<cpu::Lapack::Syevr>(capsules, "dsyevr", 21),
         routine<cpu::Lapack::Potrf>(capsules, "dpotrf", 5), routine<cpu::Lapack::Trtri>(capsules, "dtrtri", 6)});
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
