#include "crossphase/instruction_set.hpp"

#include <cstdlib>
#include <stdexcept>

#include "isa/block_kernels.hpp"
#include "isa/lane_kernels.hpp"
#include "isa/panel_product.hpp"
#include "isa/ridge_cv_loops.hpp"

namespace crossphase::cpu {

const std::vector<InstructionSet>& available_instruction_sets() {
    static const std::vector<InstructionSet> sets = [] {
        std::vector<InstructionSet> found;
#ifdef CROSSPHASE_X86
        if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl")) {
            const InstructionSet avx512{"avx512", isa::panel_product_avx512, &isa::block_kernels_avx512,
                                        &isa::lane_kernels_avx512, &isa::ridge_cv_loops_avx512};
            InstructionSet more = avx512;
            more.has_fast_bf16 = true;
            if (__builtin_cpu_supports("avx512bf16")) {
                more.name = "avx512_bf16";
                more.block_kernels = &isa::block_kernels_avx512_bf16;
                found.push_back(more);
            }
#ifdef CROSSPHASE_AMX
            if (isa::may_use_amx()) {
                more.name = "amx";
                more.block_kernels = &isa::block_kernels_amx;
                more.has_matrix_units = true;
                found.insert(found.begin(), more);
            }
#endif
            found.push_back(avx512);
        }
        if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
            found.push_back({"avx2", isa::panel_product_avx2, &isa::block_kernels_avx2, &isa::lane_kernels_avx2,
                             &isa::ridge_cv_loops_avx2});
        }
#endif
        found.push_back({"baseline", isa::panel_product_baseline, &isa::block_kernels_baseline,
                         &isa::lane_kernels_baseline, &isa::ridge_cv_loops_baseline});
        found.push_back({"amx_emulated", isa::panel_product_baseline, &isa::block_kernels_amx_emulated,
                         &isa::lane_kernels_baseline, &isa::ridge_cv_loops_baseline, true, true});
        return found;
    }();
    return sets;
}

const InstructionSet& instruction_set() {
    static const InstructionSet& chosen = []() -> const InstructionSet& {
        const auto& sets = available_instruction_sets();
        const char* wanted = std::getenv("CROSSPHASE_ISA");
        if (wanted == nullptr || *wanted == '\0') {
            return sets.front();
        }
        std::string names;
        for (const auto& set : sets) {
            if (set.name == wanted) {
                return set;
            }
            names += (names.empty() ? "" : ", ") + set.name;
        }
        throw std::invalid_argument("CROSSPHASE_ISA is '" + std::string(wanted) + "'; this processor can run " + names +
                                    ".");
    }();
    return chosen;
}

}  // namespace crossphase::cpu
