// Products on the processor's matrix units (AMX).
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "tile_product.hpp"

namespace {

// Tiles 0 ... 3: sums; 4, 5: left; 6, 7: right. The numbers are part of the instructions.
struct MatrixUnit {
    static void clear() {
        _tile_zero(0);
        _tile_zero(1);
        _tile_zero(2);
        _tile_zero(3);
    }
    static void multiply(const std::uint32_t* left, const std::uint32_t* right) {
        _tile_loadd(4, left, 64);
        _tile_loadd(6, right, 128);
        _tile_loadd(7, right + 16, 128);
        _tile_loadd(5, left + 256, 64);
        _tile_dpbf16ps(0, 4, 6);
        _tile_dpbf16ps(1, 4, 7);
        _tile_dpbf16ps(2, 5, 6);
        _tile_dpbf16ps(3, 5, 7);
    }
    static void store(float* sums) {
        _tile_stored(0, sums, 128);
        _tile_stored(1, sums + 16, 128);
        _tile_stored(2, sums + 16 * kTileWidth, 128);
        _tile_stored(3, sums + 16 * kTileWidth + 16, 128);
    }
};

struct TileConfiguration {
    std::uint8_t palette = 1;
    std::uint8_t start_row = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t n_rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
static_assert(sizeof(TileConfiguration) == 64);

// Not _tile_loadconfig: before GCC 13 it tells the compiler of the first 8 bytes alone, which then leaves the others,
// with the sizes of the tiles, as they were on the stack.
void begin() {
    const TileConfiguration configuration;
    __asm__ volatile("ldtilecfg %0" : : "m"(configuration));
}

void end() {
    _tile_release();
}

}  // namespace

namespace crossphase::cpu::isa {

const BlockKernels block_kernels_amx{
    add_sums,   pack_double, pack_float, pack_bf16, float_product<8>, tile_bf16_product<MatrixUnit>,
    merge_tile, true,        begin,      end};

bool may_use_amx() {
    unsigned a = 0, b = 0, c = 0, d = 0;
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
    if ((c & (1u << 27)) == 0) {  // OSXSAVE: the kernel saves extended state
        return false;
    }
    __asm__ volatile("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(7), "c"(0));
    if ((d & (1u << 22)) == 0 || (d & (1u << 24)) == 0) {  // AMX-BF16, AMX-TILE
        return false;
    }
    unsigned low = 0, high = 0;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    constexpr unsigned kTileState = 3u << 17;  // tile configuration and tile data
    if ((low & kTileState) != kTileState) {
        return false;
    }
    constexpr long kRequestPermission = 0x1023;  // ARCH_REQ_XCOMP_PERM
    constexpr long kTileData = 18;
    return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}

}  // namespace crossphase::cpu::isa
