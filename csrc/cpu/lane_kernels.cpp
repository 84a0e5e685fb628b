#include "isa/lane_kernels.hpp"

#include "crossphase/instruction_set.hpp"

namespace crossphase::cpu::isa {

const LaneKernels& lane_kernels() {
    static const LaneKernels chosen = [] {
#ifdef CROSSPHASE_X86
        const std::string& name = instruction_set().name;
        if (name == "avx2") {
            return lane_kernels_avx2();
        }
        // Whatever came after AVX-512 includes it; the emulation of something newer runs anywhere.
        if (name != "baseline" && !name.ends_with("emulated")) {
            return lane_kernels_avx512();
        }
#endif
        return lane_kernels_baseline();
    }();
    return chosen;
}

}  // namespace crossphase::cpu::isa
