#include "crossphase/lapack.hpp"

#include <bit>
#include <stdexcept>

namespace crossphase::cpu {

static_assert(std::endian::native == std::endian::little, "LapackInt relies on little-endian integers");

namespace {
Lapack routines_in_use;
}

void set_lapack(const Lapack& routines) {
    routines_in_use = routines;
}

const Lapack& lapack() {
    if (routines_in_use.dsyevd == nullptr) {
        throw std::logic_error("LAPACK was used before its routines were set");
    }
    return routines_in_use;
}

}  // namespace crossphase::cpu
