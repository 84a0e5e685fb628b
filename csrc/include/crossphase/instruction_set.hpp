// Which instruction set runs: chosen once from the processor's feature bits, never from its model number.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace crossphase::cpu {

// Columns per packed panel: one cache line of float64 twice, and one or two registers of every vector width.
inline constexpr std::ptrdiff_t kPanelWidth = 16;

// tile += A^T B for two packed panels of n_rows x kPanelWidth; tile is kPanelWidth x kPanelWidth, row-major.
// Each entry sums its rows in order, so its bits depend on the instruction set alone.
using PanelProduct = void (*)(const double* a, const double* b, std::ptrdiff_t n_rows, double* tile);

namespace isa {
struct RidgeCvLoops;
}

struct InstructionSet {
    std::string name;  // "baseline", "avx2" or "avx512"
    PanelProduct panel_product;
    const isa::RidgeCvLoops* ridge_cv;
};

// The instruction sets this processor can run, best first.
const std::vector<InstructionSet>& available_instruction_sets();

// The one in use: the best, or the one that the environment variable CROSSPHASE_ISA names.
// Throws std::invalid_argument if it names one that cannot run here.
const InstructionSet& instruction_set();

}  // namespace crossphase::cpu
