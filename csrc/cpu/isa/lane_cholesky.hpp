// Cholesky factors of one matrix a lane, and their inverses, in blocks of 4 x 4 sums held in registers.
#pragma once

#include "lanes.hpp"

namespace {

constexpr Index kBlock = 4;

inline std::ptrdiff_t cholesky_work_size(std::ptrdiff_t p) {
    return padded(p) * row_distance(p) * kMostLanes;
}

template <int kLanes>
class LaneCholesky {
    using Vector = typename Lanes<kLanes>::Vector;

  public:
    LaneCholesky(Vector* matrix, Index p) : a_(matrix), distance_(row_distance(p)), n_(padded(p)) {}

    // L over the lower triangle, the reciprocals of its diagonal on it: infinite or not a number from a pivot <= 0 on.
    void factor() {
        for (Index j = 0; j < n_; j += kBlock) {
            for (Index i = j; i < n_; i += kBlock) {
                Vector sums[kBlock][kBlock];
                for (Index r = 0; r < kBlock; ++r) {
                    for (Index c = 0; c < kBlock; ++c) {
                        sums[r][c] = at(i + r, j + c);
                    }
                }
                const Vector* left = &at(i, 0);
                const Vector* right = &at(j, 0);
                for (Index k = 0; k < j; ++k) {
#pragma GCC unroll 4
                    for (Index r = 0; r < kBlock; ++r) {
#pragma GCC unroll 4
                        for (Index c = 0; c < kBlock; ++c) {
                            sums[r][c] -= left[r * distance_ + k] * right[c * distance_ + k];
                        }
                    }
                }
                if (i == j) {
                    factor_block(sums);
                } else {
                    solve_block(sums, j);
                }
                for (Index r = 0; r < kBlock; ++r) {
                    for (Index c = 0; c < (i == j ? r + 1 : kBlock); ++c) {
                        at(i + r, j + c) = sums[r][c];
                    }
                }
            }
        }
    }

    // L^-1 over what `factor` left. Row i of blocks: M_ij = -L_ii^-1 sum_k L_ik M_kj, left to right over L's own row.
    void invert() {
        for (Index i = 0; i < n_; i += kBlock) {
            for (Index j = 0; j < i; j += kBlock) {
                Vector sums[kBlock][kBlock] = {};
                const Vector* left = &at(i, 0);
                for (Index k = j; k < i; ++k) {
                    const Vector* right = &at(k, j);
                    // Rows of M end at their diagonal; past it they are zero, and hold something else.
                    const Index n_columns = k - j < kBlock ? k - j + 1 : kBlock;
                    if (n_columns == kBlock) {
#pragma GCC unroll 4
                        for (Index r = 0; r < kBlock; ++r) {
#pragma GCC unroll 4
                            for (Index c = 0; c < kBlock; ++c) {
                                sums[r][c] -= left[r * distance_ + k] * right[c];
                            }
                        }
                    } else {
                        for (Index r = 0; r < kBlock; ++r) {
                            for (Index c = 0; c < n_columns; ++c) {
                                sums[r][c] -= left[r * distance_ + k] * right[c];
                            }
                        }
                    }
                }
                for (Index r = 0; r < kBlock; ++r) {
                    for (Index c = 0; c < kBlock; ++c) {
                        for (Index k = 0; k < r; ++k) {
                            sums[r][c] -= at(i + r, i + k) * sums[k][c];
                        }
                        sums[r][c] *= at(i + r, i + r);
                    }
                }
                for (Index r = 0; r < kBlock; ++r) {
                    for (Index c = 0; c < kBlock; ++c) {
                        at(i + r, j + c) = sums[r][c];
                    }
                }
            }
            for (Index c = 0; c < kBlock; ++c) {
                for (Index r = c + 1; r < kBlock; ++r) {
                    Vector sum = at(i + r, i + c) * at(i + c, i + c);
                    for (Index k = c + 1; k < r; ++k) {
                        sum += at(i + r, i + k) * at(i + k, i + c);
                    }
                    at(i + r, i + c) = -sum * at(i + r, i + r);
                }
            }
        }
    }

    Vector& at(Index i, Index j) { return a_[i * distance_ + j]; }

  private:
    static void factor_block(Vector (&block)[kBlock][kBlock]) {
        for (Index c = 0; c < kBlock; ++c) {
            for (Index k = 0; k < c; ++k) {
                for (Index r = c; r < kBlock; ++r) {
                    block[r][c] -= block[r][k] * block[c][k];
                }
            }
            const Vector reciprocal = 1.0 / square_root<kLanes>(block[c][c]);
            block[c][c] = reciprocal;
            for (Index r = c + 1; r < kBlock; ++r) {
                block[r][c] *= reciprocal;
            }
        }
    }

    // block L_jj^-T
    void solve_block(Vector (&block)[kBlock][kBlock], Index j) {
        for (Index c = 0; c < kBlock; ++c) {
            for (Index r = 0; r < kBlock; ++r) {
                for (Index k = 0; k < c; ++k) {
                    block[r][c] -= block[r][k] * at(j + c, j + k);
                }
                block[r][c] *= at(j + c, j + c);
            }
        }
    }

    Vector* a_;
    Index distance_;
    Index n_;
};

template <int kLanes>
inline void lane_cholesky(const crossphase::cpu::isa::LaneMatrices& in, double ridge, double* const* whiteners,
                          int* is_definite) {
    using Vector = typename Lanes<kLanes>::Vector;
    using Mask = typename Lanes<kLanes>::Mask;
    const Index p = in.p;
    auto* a = reinterpret_cast<Vector*>(in.work);
    load_covariances<kLanes>(in, a);
    LaneCholesky<kLanes> triangle(a, p);
    // The strict upper triangle is free: row 0's part of it keeps the diagonal, from column 1 to padded(p).
    for (Index i = 0; i < p; ++i) {
        triangle.at(i, i) += ridge;
        triangle.at(0, i + 1) = triangle.at(i, i);
    }
    triangle.factor();
    triangle.invert();
    // A factor may not notice a null direction: its pivot is then rounding, and the inverse large. If it does, the
    // inverse is infinite or not a number, and not below any bound either.
    Mask is_good = ~Mask{};
    for (Index j = 0; j < p; ++j) {
        Vector sum = {};
        for (Index i = j; i < p; ++i) {
            sum += triangle.at(i, j) * triangle.at(i, j);
        }
        is_good &= sum * triangle.at(0, j + 1) < Vector{} + in.largest_inflation;
    }
    for (int lane = 0; lane < kLanes; ++lane) {
        is_definite[lane] = is_good[lane] != 0;
    }
    for (Index i = 0; i < p; ++i) {
        Vector* row = &triangle.at(i, 0);
        for (Index j = 0; j < padded(p); ++j) {
            row[j] = j <= i ? (is_good ? row[j] : Vector{}) : Vector{};
        }
        store_row<kLanes>(row, i, p, whiteners);
    }
}

}  // namespace
