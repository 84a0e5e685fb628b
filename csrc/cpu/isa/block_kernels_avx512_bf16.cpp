// AVX-512 with its dot product of pairs of bfloat16.
#include <immintrin.h>

#include "block_kernels_loops.hpp"

namespace {

struct PairedBf16Step {
    using Element = std::uint32_t;
    static inline Floats run(const Floats& sums, std::uint32_t left, const Floats& right) {
        const __m512i pairs = _mm512_set1_epi32(static_cast<int>(left));
        __m512 into;
        __builtin_memcpy(&into, &sums, sizeof into);
        into = _mm512_dpbf16_ps(into, load<__m512bh>(&pairs), load<__m512bh>(&right));
        return load<Floats>(&into);
    }
};

}  // namespace

namespace crossphase::cpu::isa {

const BlockKernels block_kernels_avx512_bf16{
    add_sums, pack_double, pack_float, pack_bf16, float_product<8>, bf16_product<PairedBf16Step, 8>, merge_tile};

}  // namespace crossphase::cpu::isa
