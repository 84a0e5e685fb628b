// Which instruction set runs: chosen once from the processor's feature bits, never from its model number.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace crossphase::cpu {

namespace isa {  // tables of functions, csrc/cpu/isa/
struct BlockKernels;
struct LaneKernels;
struct RidgeCvLoops;
}  // namespace isa

// Columns per packed panel: one cache line of float64 twice, and one or two registers of every vector width.
inline constexpr std::ptrdiff_t kPanelWidth = 16;

// tile += A^T B for two packed panels of n_rows x kPanelWidth; tile is kPanelWidth x kPanelWidth, row-major.
// Each entry sums its rows in order, so its bits depend on the instruction set alone.
using PanelProduct = void (*)(const double* a, const double* b, std::ptrdiff_t n_rows, double* tile);

struct InstructionSet {
    std::string name;  // "baseline", "avx2", "avx512", "avx512_bf16", "amx" or "amx_emulated"
    PanelProduct panel_product;
    const isa::BlockKernels* block_kernels;  // of the moments
    const isa::LaneKernels* lane_kernels;    // of small factorizations
    const isa::RidgeCvLoops* ridge_cv;
    bool has_fast_bf16 = false;     // products of bfloat16 cost less than those of float32
    bool has_matrix_units = false;  // three of them do
};

// The instruction sets this processor can run, best first. The last, "amx_emulated", runs the matrix units' loops on
// arrays: slow, to test them where there are none.
const std::vector<InstructionSet>& available_instruction_sets();

// The one in use: the best, or the one that the environment variable CROSSPHASE_ISA names.
// Throws std::invalid_argument if it names one that cannot run here.
const InstructionSet& instruction_set();

}  // namespace crossphase::cpu
