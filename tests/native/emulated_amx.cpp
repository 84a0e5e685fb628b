// Runs the matrix units' kernels where there are none: each of their instructions ends in SIGILL, whose handler does
// what the instruction would (Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2, and volume 1,
// chapter 18), and as strict about configurations. Needs AVX-512 for the rest of their code. Prints the largest error
// of each product.
#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <vector>

#include "isa/block_kernels.hpp"

namespace {

using namespace crossphase::cpu;

struct {
    bool is_configured = false;
    int row_bytes[8] = {}, n_rows[8] = {};
    std::uint8_t rows[8][16][64] = {};
} unit;

[[noreturn]] void fault(const char* what) {
    std::fprintf(stderr, "fault: %s\n", what);
    std::_Exit(1);
}

void require(bool holds, const char* what) {
    if (!holds) {
        fault(what);
    }
}

void configure(const std::uint8_t* from) {
    require(from[0] == 1, "the palette is not 1");
    require(from[1] == 0, "the start row is not 0");
    for (int i = 2; i < 16; ++i) {
        require(from[i] == 0, "a reserved byte is set");
    }
    for (int tile = 0; tile < 16; ++tile) {
        std::uint16_t row_bytes;
        std::memcpy(&row_bytes, from + 16 + 2 * tile, 2);
        const int n_rows = from[48 + tile];
        require(tile < 8 ? row_bytes <= 64 && n_rows <= 16 : row_bytes == 0 && n_rows == 0,
                "a tile is larger than the palette's");
        require((row_bytes == 0) == (n_rows == 0), "a tile has rows or columns alone");
        if (tile < 8) {
            unit.row_bytes[tile] = row_bytes;
            unit.n_rows[tile] = n_rows;
        }
    }
    std::memset(unit.rows, 0, sizeof unit.rows);
    unit.is_configured = true;
}

float widened(std::uint16_t bits) {
    const std::uint32_t word = static_cast<std::uint32_t>(bits) << 16;
    float value;
    std::memcpy(&value, &word, 4);
    return value;
}

void multiply(int to, int a, int b) {
    require(unit.row_bytes[to] == unit.row_bytes[b] && unit.n_rows[to] == unit.n_rows[a] &&
                unit.row_bytes[a] == 4 * unit.n_rows[b],
            "the sizes of a product's tiles do not match");
    for (int m = 0; m < unit.n_rows[to]; ++m) {
        float sums[16];
        std::memcpy(sums, unit.rows[to][m], 64);
        for (int n = 0; n < unit.row_bytes[to] / 4; ++n) {
            float even = 0.0f, odd = 0.0f;
            for (int k = 0; k < unit.row_bytes[a] / 4; ++k) {
                std::uint16_t of_a[2], of_b[2];
                std::memcpy(of_a, unit.rows[a][m] + 4 * k, 4);
                std::memcpy(of_b, unit.rows[b][k] + 4 * n, 4);
                even += widened(of_a[0]) * widened(of_b[0]);
                odd += widened(of_a[1]) * widened(of_b[1]);
            }
            sums[n] += even + odd;
        }
        std::memcpy(unit.rows[to][m], sums, 64);
    }
}

// Registers by their number in instructions.
constexpr int kRegisters[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                                REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

void handle(int, siginfo_t*, void* context) {
    auto* registers = static_cast<ucontext_t*>(context)->uc_mcontext.gregs;
    const auto* code = reinterpret_cast<const std::uint8_t*>(registers[REG_RIP]);
    require(code[0] == 0xc4 && (code[1] & 0x1f) == 2, "an instruction of no matrix unit");
    const bool wide_index = (code[1] & 0x40) == 0, wide_base = (code[1] & 0x20) == 0;
    const int prefix = code[2] & 3, third = 15 - ((code[2] >> 3) & 15), operation = code[3];
    const int mode = code[4] >> 6, reg = (code[4] >> 3) & 7, rm = code[4] & 7;
    std::size_t length = 5;
    std::uint8_t* address = nullptr;
    std::ptrdiff_t stride = 0;
    if (mode != 3) {
        int base = rm;
        if (rm == 4) {
            const int sib = code[length++], index = ((sib >> 3) & 7) + (wide_index ? 8 : 0);
            base = sib & 7;
            stride = index == 4 ? 0 : static_cast<std::ptrdiff_t>(registers[kRegisters[index]]) << (sib >> 6);
        }
        require(mode != 0 || base != 5, "an address without a base");
        std::ptrdiff_t offset = 0;
        if (mode == 1) {
            offset = static_cast<std::int8_t>(code[length]);
            length += 1;
        } else if (mode == 2) {
            std::int32_t wide;
            std::memcpy(&wide, code + length, 4);
            offset = wide;
            length += 4;
        }
        address = reinterpret_cast<std::uint8_t*>(registers[kRegisters[base + (wide_base ? 8 : 0)]]) + offset;
    }
    enum { kNone = 0, kF3 = 2, kF2 = 3 };
    if (operation == 0x49 && prefix == kNone && mode != 3) {
        configure(address + stride);
    } else {
        require(unit.is_configured, "no configuration is loaded");
        if (operation == 0x49 && prefix == kNone) {
            unit.is_configured = false;
        } else if (operation == 0x49 && prefix == kF2 && mode == 3) {
            std::memset(unit.rows[reg], 0, sizeof unit.rows[reg]);
        } else if (operation == 0x4b && (prefix == kF2 || prefix == kF3) && rm == 4) {
            for (int i = 0; i < unit.n_rows[reg]; ++i) {
                std::uint8_t *row = unit.rows[reg][i], *there = address + i * stride;
                const auto count = static_cast<std::size_t>(unit.row_bytes[reg]);
                prefix == kF2 ? std::memcpy(row, there, count) : std::memcpy(there, row, count);
            }
        } else if (operation == 0x5c && prefix == kF3 && mode == 3) {
            multiply(reg, rm, third);
        } else {
            fault("an instruction that is not known here");
        }
    }
    registers[REG_RIP] += static_cast<greg_t>(length);
}

// Panels of values that bfloat16 pieces hold exactly, so that a product is exact but for its float32 sums.
double error_of_product(std::ptrdiff_t n_rows, int n_pieces) {
    std::mt19937 generator(static_cast<unsigned>(n_rows + n_pieces));
    std::uniform_int_distribution<int> digits(-100, 100);
    const std::ptrdiff_t n_strips = (n_rows + isa::kStripRows - 1) / isa::kStripRows, width = isa::kTileWidth;
    const std::ptrdiff_t strip_words = isa::kStripRows * width / 2, piece = n_strips * strip_words;
    std::vector<float> values[2];
    std::vector<std::uint32_t> panels[2], transposed(static_cast<std::size_t>(n_pieces * piece));
    const std::vector<double> shift(32, 0.0), scale(32, 1.0);
    for (int side = 0; side < 2; ++side) {
        values[side].resize(static_cast<std::size_t>(n_rows * width));
        for (float& value : values[side]) {
            value = static_cast<float>(digits(generator));
        }
        panels[side].resize(transposed.size());
        for (std::ptrdiff_t strip = 0; strip < n_strips; ++strip) {
            const std::ptrdiff_t first = strip * isa::kStripRows;
            const isa::Strip rows{values[side].data() + first * width, 4 * width,
                                  std::min(isa::kStripRows, n_rows - first), isa::StripType::float32};
            isa::block_kernels_amx.pack_bf16(rows, width, {shift.data(), scale.data()}, n_pieces, piece,
                                             panels[side].data() + strip * strip_words,
                                             side == 0 ? transposed.data() + strip * strip_words : nullptr);
        }
    }
    std::vector<double> tile(static_cast<std::size_t>(width * width), 0.0);
    isa::block_kernels_amx.begin();
    isa::block_kernels_amx.bf16_product(transposed.data(), panels[1].data(), n_strips * isa::kStripRows, n_pieces,
                                        piece, tile.data());
    isa::block_kernels_amx.end();
    double worst = 0.0;
    for (std::ptrdiff_t i = 0; i < width; ++i) {
        for (std::ptrdiff_t j = 0; j < width; ++j) {
            double exact = 0.0;
            for (std::ptrdiff_t row = 0; row < n_rows; ++row) {
                exact += static_cast<double>(values[0][static_cast<std::size_t>(row * width + i)]) *
                         static_cast<double>(values[1][static_cast<std::size_t>(row * width + j)]);
            }
            worst = std::max(worst, std::abs(tile[static_cast<std::size_t>(i * width + j)] - exact));
        }
    }
    return worst;
}

}  // namespace

int main() {
    struct sigaction action = {};
    action.sa_sigaction = handle;
    action.sa_flags = SA_SIGINFO;
    sigaction(SIGILL, &action, nullptr);
    for (const std::ptrdiff_t n_rows : {1, 33, 512, 1024}) {
        for (int n_pieces = 1; n_pieces <= 3; ++n_pieces) {
            std::printf("%td rows, %d pieces: %g\n", n_rows, n_pieces, error_of_product(n_rows, n_pieces));
        }
    }
    return 0;
}
