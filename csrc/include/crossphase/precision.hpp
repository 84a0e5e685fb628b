// In which arithmetic the products of the moments are formed.
//
//   float64   products and sums in float64
//   float32   centred values rounded to float32, products summed in float32 over at most kSumRows rows, then in float64
//   bf16x6    centred values cut into three bfloat16 pieces that hold all 24 bits of a float32; six of nine products
//   bf16x3    two pieces, 16 bits; three of four products: what is dropped is 2^-16 of an entry
//   bf16      one piece, 8 bits: exact where the values are bfloat16 themselves
//
// Whatever the precision, means and the diagonal of the scatter are summed in float64 from the values as given: the
// piece that bf16x3 drops is a square on the diagonal, a bias of 3e-6, and random elsewhere. Source of the splits:
// Henry, Tang & Heinecke (2019), arXiv:1904.06376.
#pragma once

namespace crossphase {

enum class Precision { float64, float32, bf16x6, bf16x3, bf16 };

// bfloat16 pieces that a value is cut into; 0 where it is not.
inline int bf16_pieces(Precision precision) {
    switch (precision) {
        case Precision::bf16x6:
            return 3;
        case Precision::bf16x3:
            return 2;
        case Precision::bf16:
            return 1;
        default:
            return 0;
    }
}

}  // namespace crossphase
