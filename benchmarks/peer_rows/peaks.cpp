// What one core can multiply and add at most, operands in registers: the ceiling beside which rates are quoted.
// peaks.py compiles this on the machine that it describes, so that -march=native is the right choice here and nowhere
// else.
#include <chrono>
#include <cstdint>

#if defined(__AMX_BF16__) || defined(__AVX512BF16__)
#include <immintrin.h>
#endif
#ifdef __AMX_BF16__
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace {

#if defined(__AVX512F__)
constexpr int kVectorBytes = 64;
#elif defined(__AVX__)
constexpr int kVectorBytes = 32;
#else
constexpr int kVectorBytes = 16;
#endif
constexpr int kChains = 12;  // independent sums: more than latency x units of any core, no more than registers
constexpr double kSeconds = 0.02;

// Calls per second of `batch`, over kSeconds.
template <typename Batch>
double calls_per_second(Batch batch) {
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    double seconds = 0.0;
    std::int64_t n_calls = 0;
    while (seconds < kSeconds) {
        for (int i = 0; i < 100; ++i) {
            batch();
        }
        n_calls += 100;
        seconds = std::chrono::duration<double>(Clock::now() - start).count();
    }
    return static_cast<double>(n_calls) / seconds;
}

template <typename Real>
double fma_flops() {
    typedef Real Vector __attribute__((vector_size(kVectorBytes)));
    constexpr int kRounds = 100;
    Vector sums[kChains] = {};
    Vector factor = Vector{} + static_cast<Real>(0.5);
    Vector term = Vector{} + static_cast<Real>(1.0);
    asm volatile("" : "+x"(factor), "+x"(term));  // nothing is known about their values any more
    const double rate = calls_per_second([&] {
        for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
            for (int i = 0; i < kChains; ++i) {
                sums[i] = sums[i] * factor + term;
            }
        }
#pragma GCC unroll 12
        for (int i = 0; i < kChains; ++i) {
            asm volatile("" : "+x"(sums[i]));
        }
    });
    return rate * kRounds * kChains * 2.0 * kVectorBytes / sizeof(Real);
}

}  // namespace

// Flop per second of one core; 0 where it has no such unit.
extern "C" double peak_f64() {
    return fma_flops<double>();
}

extern "C" double peak_f32() {
    return fma_flops<float>();
}

extern "C" double peak_bf16_vector() {
#ifdef __AVX512BF16__
    constexpr int kRounds = 100;
    __m512 sums[kChains] = {};
    __m512bh factors = {};
    asm volatile("" : "+v"(factors));
    const double rate = calls_per_second([&] {
        for (int round = 0; round < kRounds; ++round) {
#pragma GCC unroll 12
            for (int i = 0; i < kChains; ++i) {
                sums[i] = _mm512_dpbf16_ps(sums[i], factors, factors);
            }
        }
#pragma GCC unroll 12
        for (int i = 0; i < kChains; ++i) {
            asm volatile("" : "+v"(sums[i]));
        }
    });
    return rate * kRounds * kChains * 64.0;  // 32 products and 32 sums
#else
    return 0.0;
#endif
}

extern "C" double peak_bf16_matrix() {
#ifdef __AMX_BF16__
    constexpr long kAskForTiles = 0x1023, kTileData = 18;  // arch_prctl(ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA)
    if (syscall(SYS_arch_prctl, kAskForTiles, kTileData) != 0) {
        return 0.0;
    }
    struct alignas(64) {
        std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
        std::uint16_t bytes_a_row[16] = {64, 64, 64, 64, 64, 64, 64, 64};
        std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
    } config;
    _tile_loadconfig(&config);
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
    _tile_zero(4);
    _tile_zero(5);
    _tile_zero(6);
    _tile_zero(7);
    const double rate = calls_per_second([] {
        for (int round = 0; round < 25; ++round) {
            _tile_dpbf16ps(0, 4, 6);
            _tile_dpbf16ps(1, 4, 7);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
        }
    });
    _tile_release();
    return rate * 25 * 4 * 2.0 * 16 * 16 * 32;
#else
    return 0.0;
#endif
}
