// Vectors with one matrix to a lane, and the way of matrices into and out of them. Only the translation units in this
// folder include it, each under its own compiler flags, so everything stays in an unnamed namespace and no header with
// inline functions is included: the linker could otherwise keep an AVX-512 copy of something the baseline calls.
#pragma once

#include <cstddef>

#include "lane_kernels.hpp"
#include "vectors.hpp"

namespace {

using Index = std::ptrdiff_t;

constexpr Index kMostLanes = 8;  // doubles in the widest register

template <int kLanes>
struct Lanes {
    typedef double Vector __attribute__((vector_size(8 * kLanes)));
    typedef long long Mask __attribute__((vector_size(8 * kLanes)));
};

template <int kLanes>
inline typename Lanes<kLanes>::Vector square_root(typename Lanes<kLanes>::Vector vector) {
    for (int lane = 0; lane < kLanes; ++lane) {
        vector[lane] = __builtin_sqrt(vector[lane]);
    }
    return vector;
}

template <int kLanes>
inline typename Lanes<kLanes>::Vector absolute(typename Lanes<kLanes>::Vector vector) {
    using Mask = typename Lanes<kLanes>::Mask;
    return (typename Lanes<kLanes>::Vector)((Mask)vector & (Mask{} + 0x7fffffffffffffffLL));
}

// Lane i of the result is lane picks[i] of `first` followed by `second`.
template <int kLanes>
inline typename Lanes<kLanes>::Vector shuffle(const typename Lanes<kLanes>::Vector& first,
                                              const typename Lanes<kLanes>::Vector& second,
                                              const typename Lanes<kLanes>::Mask& picks) {
#ifdef __clang__  // which has no such builtin, and makes shuffles of this
    typename Lanes<kLanes>::Vector picked;
#pragma clang loop unroll(full)
    for (int lane = 0; lane < kLanes; ++lane) {
        picked[lane] = picks[lane] < kLanes ? first[picks[lane]] : second[picks[lane] - kLanes];
    }
    return picked;
#else
    return __builtin_shuffle(first, second, picks);
#endif
}

// rows[i][lane] <-> rows[lane][i]: exchanges of 1, 2, 4 neighbours.
template <int kLanes, int kDistance>
inline void exchange(typename Lanes<kLanes>::Vector (&rows)[kLanes]) {
    typename Lanes<kLanes>::Mask lower, upper;
    for (int lane = 0; lane < kLanes; ++lane) {
        const bool is_odd = (lane & kDistance) != 0;
        lower[lane] = is_odd ? kLanes + lane - kDistance : lane;
        upper[lane] = is_odd ? kLanes + lane : lane + kDistance;
    }
#pragma GCC unroll 8
    for (int i = 0; i < kLanes; ++i) {
        if ((i & kDistance) == 0) {
            const auto first = rows[i];
            const auto second = rows[i | kDistance];
            rows[i] = shuffle<kLanes>(first, second, lower);
            rows[i | kDistance] = shuffle<kLanes>(first, second, upper);
        }
    }
}

template <int kLanes>
inline void transpose(typename Lanes<kLanes>::Vector (&rows)[kLanes]) {
    exchange<kLanes, 1>(rows);
    if constexpr (kLanes > 2) {
        exchange<kLanes, 2>(rows);
    }
    if constexpr (kLanes > 4) {
        exchange<kLanes, 4>(rows);
    }
}

// Rounded up so that blocks of rows and lanes never need a remainder loop.
inline Index padded(Index p) {
    return (p + kMostLanes - 1) / kMostLanes * kMostLanes;
}

// Distance of rows in vectors: odd, or the rows of a column would share one set of the cache.
inline Index row_distance(Index p) {
    return padded(p) + 1;
}

// Row `i` of every matrix into lanes, columns 0 ... p - 1; those up to padded(p) become 0.
template <int kLanes>
inline void load_row(const crossphase::cpu::isa::LaneMatrices& in, Index i, typename Lanes<kLanes>::Vector* row) {
    using Vector = typename Lanes<kLanes>::Vector;
    for (Index j = 0; j < padded(in.p); j += kLanes) {
        Vector block[kLanes];
        const Index n_left = in.p - j;
#pragma GCC unroll 8
        for (int lane = 0; lane < kLanes; ++lane) {
            block[lane] = Vector{};
            if (in.covs[lane] != nullptr && n_left > 0) {
                const double* from = in.covs[lane] + i * in.p + j;
                if (n_left >= kLanes) {
                    block[lane] = load<Vector>(from);
                } else {
                    for (Index k = 0; k < n_left; ++k) {
                        block[lane][k] = from[k];
                    }
                }
            }
        }
        transpose<kLanes>(block);
#pragma GCC unroll 8
        for (int k = 0; k < kLanes; ++k) {
            row[j + k] = block[k];
        }
    }
}

// Columns 0 ... p - 1 of a row out of lanes, into row `i` of every matrix that is not null.
template <int kLanes>
inline void store_row(const typename Lanes<kLanes>::Vector* row, Index i, Index p, double* const* matrices) {
    using Vector = typename Lanes<kLanes>::Vector;
    for (Index j = 0; j < p; j += kLanes) {
        Vector block[kLanes];
#pragma GCC unroll 8
        for (int k = 0; k < kLanes; ++k) {
            block[k] = row[j + k];
        }
        transpose<kLanes>(block);
#pragma GCC unroll 8
        for (int lane = 0; lane < kLanes; ++lane) {
            if (matrices[lane] != nullptr) {
                double* to = matrices[lane] + i * p + j;
                if (p - j >= kLanes) {
                    store(to, block[lane]);
                } else {
                    for (Index k = 0; k < p - j; ++k) {
                        to[k] = block[lane][k];
                    }
                }
            }
        }
    }
}

// Lower triangles of the averages with the mirror images, in rows of row_distance(p) vectors; the padding is an
// identity and so are idle lanes. Checks what the caller may not trust.
template <int kLanes>
inline void load_covariances(const crossphase::cpu::isa::LaneMatrices& in, typename Lanes<kLanes>::Vector* a) {
    using Vector = typename Lanes<kLanes>::Vector;
    using Mask = typename Lanes<kLanes>::Mask;
    const Index p = in.p;
    const Index distance = row_distance(p);
    for (Index i = 0; i < p; ++i) {
        load_row<kLanes>(in, i, a + i * distance);
    }
    // A deviation of each column is kept beside its row, past the padding.
    Mask is_good = ~Mask{};
    for (Index i = 0; i < p; ++i) {
        const Vector diagonal = a[i * distance + i];
        is_good &= diagonal - diagonal == Vector{};
        a[i * distance + padded(p)] = square_root<kLanes>(absolute<kLanes>(diagonal));
    }
    for (Index i = 0; i < p; ++i) {
        Vector* row = a + i * distance;
        const Vector allowed = in.largest_asymmetry * row[padded(p)];
        for (Index j = 0; j < i; ++j) {
            const Vector mirrored = a[j * distance + i];
            is_good &= absolute<kLanes>(row[j] - mirrored) <= allowed * a[j * distance + padded(p)];
            row[j] = row[j] * 0.5 + mirrored * 0.5;
        }
    }
    for (Index i = p; i < padded(p); ++i) {
        for (Index j = 0; j <= i; ++j) {
            a[i * distance + j] = Vector{} + (i == j ? 1.0 : 0.0);
        }
    }
    for (int lane = 0; lane < kLanes; ++lane) {
        in.is_covariance[lane] = is_good[lane] != 0;
        if (in.covs[lane] == nullptr || is_good[lane] == 0) {
            for (Index i = 0; i < p; ++i) {
                for (Index j = 0; j <= i; ++j) {
                    a[i * distance + j][lane] = i == j ? 1.0 : 0.0;
                }
            }
        }
    }
}

}  // namespace
