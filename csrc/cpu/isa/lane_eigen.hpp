// Eigenvalues and eigenvectors of one symmetric matrix a lane: tridiagonal form, then implicit QL with Wilkinson's
// shift (Bowdler, Martin, Reinsch & Wilkinson 1968, Numer. Math. 11, 293-306; Dubrulle 1970). Lanes deflate at their
// own pace: a rotation outside a lane's unreduced block leaves it as it is.
//
// The rotations are the larger part of the work and have no need of lanes: they are written down, handed to their
// matrix, and turn its eigenvectors 16 coordinates at a time, in the cache next to the processor.
#pragma once

#include "lane_tridiagonal.hpp"
#include "lanes.hpp"

namespace {

constexpr Index kSweepsAtOnce = 8;  // 8 x 64 rotations are 8 KB a matrix, beside 16 KB of panels in a first-level cache
constexpr Index kSweepsPerValue = 30;  // LAPACK's limit for dsteqr; 1.7 are usual
constexpr double kRoundoff = 0x1p-53;
constexpr Index kPanel = 16;  // coordinates of a packed panel

template <int kLanes>
std::ptrdiff_t eigen_work_size(std::ptrdiff_t p) {
    const Index n = padded(p);
    return (n * row_distance(p) + 2 * kSweepsAtOnce * n) * kLanes + tridiagonal_work_size(p, kLanes) +
           2 * kSweepsAtOnce * n;
}

template <int kLanes, int kRows>
class LaneEigen {
    using Vector = typename Lanes<kLanes>::Vector;
    using Mask = typename Lanes<kLanes>::Mask;

  public:
    LaneEigen(const crossphase::cpu::isa::LaneMatrices& in, double* const* values, double* const* panels)
        : in_(in),
          values_(values),
          panels_(panels),
          p_(in.p),
          matrix_(reinterpret_cast<Vector*>(in.work)),
          rotations_(matrix_ + padded(p_) * row_distance(p_)),
          turned_(reinterpret_cast<double*>(rotations_ + 2 * kSweepsAtOnce * padded(p_))),
          tridiagonal_(matrix_, p_, turned_ + 2 * kSweepsAtOnce * padded(p_)),
          diagonal_(tridiagonal_.diagonal),
          beside_(tridiagonal_.beside) {}

    void run(int* has_converged) {
        load_covariances<kLanes>(in_, matrix_);
        scale();
        tridiagonal_.reduce();
        tridiagonal_.form_vectors();
        unpack_vectors();
        const Mask converged = iterate();
        for (int lane = 0; lane < kLanes; ++lane) {
            has_converged[lane] = converged[lane] != 0;
            if (values_[lane] != nullptr) {
                for (Index i = 0; i < p_; ++i) {
                    values_[lane][i] = diagonal_[i][lane] * unit_[lane];
                }
            }
        }
    }

  private:
    // Divides every matrix by a power of two near its largest entry: sums of squares neither overflow nor vanish.
    void scale() {
        Vector largest = {};
        for (Index i = 0; i < p_; ++i) {
            for (Index j = 0; j <= i; ++j) {
                const Vector size = absolute<kLanes>(tridiagonal_.at(i, j));
                largest = size > largest ? size : largest;
            }
        }
        Vector reciprocal;
        for (int lane = 0; lane < kLanes; ++lane) {
            int exponent = 0;
            __builtin_frexp(largest[lane], &exponent);
            exponent = exponent < -1000 ? -1000 : (exponent > 1000 ? 1000 : exponent);
            unit_[lane] = __builtin_ldexp(1.0, exponent);
            reciprocal[lane] = __builtin_ldexp(1.0, -exponent);
        }
        for (Index i = 0; i < p_; ++i) {
            for (Index j = 0; j <= i; ++j) {
                tridiagonal_.at(i, j) *= reciprocal;
            }
        }
    }

    double* panel(int lane, Index index) { return panels_[lane] + index * p_ * kPanel; }

    // Q into each matrix's own panels: entry (r, c) of it is coordinate r of vector c.
    void unpack_vectors() {
        for (Index r = 0; r < p_; r += kLanes) {
            for (Index c = 0; c < p_; ++c) {
                Vector block[kLanes];
#pragma GCC unroll 8
                for (int k = 0; k < kLanes; ++k) {
                    block[k] = r + k < p_ ? tridiagonal_.at(r + k, c) : Vector{};
                }
                transpose<kLanes>(block);
#pragma GCC unroll 8
                for (int lane = 0; lane < kLanes; ++lane) {
                    if (panels_[lane] != nullptr) {
                        store(panel(lane, r / kPanel) + c * kPanel + r % kPanel, block[lane]);
                    }
                }
            }
        }
    }

    // Diagonalises the tridiagonal matrices; lanes that did not get there are cleared in the mask that is returned.
    Mask iterate() {
        Mask first = {};  // of each lane's unreduced block: values before it are done
        Mask last = {};
        Index n_sweeps = 0;
        for (Index count = 0; count < kSweepsPerValue * p_; ++count) {
            find_blocks(first, last);
            Index lowest = p_, highest = 0;
            for (int lane = 0; lane < kLanes; ++lane) {
                if (first[lane] < last[lane]) {
                    lowest = first[lane] < lowest ? first[lane] : lowest;
                    highest = last[lane] > highest ? last[lane] : highest;
                }
            }
            if (highest == 0) {
                break;
            }
            sweep(first, last, lowest, highest, n_sweeps);
            if (++n_sweeps == kSweepsAtOnce) {
                turn_vectors(n_sweeps);
                n_sweeps = 0;
            }
        }
        turn_vectors(n_sweeps);
        return first >= last;
    }

    // The first block at or after `first` that is longer than one value; first = last = p - 1 where there is none.
    void find_blocks(Mask& first, Mask& last) {
        Index i = p_ - 1;
        for (int lane = 0; lane < kLanes; ++lane) {
            i = first[lane] < i ? first[lane] : i;
        }
        const Mask bound = first;
        Mask has_begun = {}, has_ended = {};
        const Mask end = Mask{} + (p_ - 1);
        first = last = end;
        Vector size = absolute<kLanes>(diagonal_[i]);
        for (; i < p_ - 1; ++i) {
            const Vector next_size = absolute<kLanes>(diagonal_[i + 1]);
            // The second term is rounding of rounding, beside entries scaled to 1: it ends blocks of zeros.
            const Mask is_small =
                absolute<kLanes>(beside_[i]) <= kRoundoff * (size + next_size) + kRoundoff * kRoundoff;
            const Mask here = Mask{} + i;
            const Mask begins = ~is_small & ~has_begun & (here >= bound);
            first = begins ? here : first;
            has_begun |= begins;
            const Mask ends = is_small & has_begun & ~has_ended;
            last = ends ? here : last;
            has_ended |= ends;
            size = next_size;
        }
    }

    // One implicit QL step from `last` to `first` of every lane.
    void sweep(const Mask& first, const Mask& last, Index lowest, Index highest, Index index) {
        const Index n = padded(p_);
        Vector* cosines = rotations_ + index * n;
        Vector* sines = rotations_ + (kSweepsAtOnce + index) * n;
        Vector g = {};
        for (int lane = 0; lane < kLanes; ++lane) {
            const Index l = first[lane], m = last[lane];
            lower_[index][lane] = l;
            upper_[index][lane] = m;
            if (l < m) {  // Wilkinson's shift
                const double half = (diagonal_[l + 1][lane] - diagonal_[l][lane]) / (2.0 * beside_[l][lane]);
                const double root = __builtin_sqrt(half * half + 1.0);
                g[lane] =
                    diagonal_[m][lane] - diagonal_[l][lane] + beside_[l][lane] / (half + (half < 0.0 ? -root : root));
            }
        }
        Vector s = Vector{} + 1.0, c = s, shift = {};
        Mask is_stuck = {};
        for (Index i = highest - 1; i >= lowest; --i) {
            const Mask here = Mask{} + i;
            const Mask is_active = (here < last) & (here >= first) & ~is_stuck;
            const Vector f = s * beside_[i];
            const Vector b = c * beside_[i];
            const Vector square = f * f + g * g;
            const Mask is_live = is_active & (square > Vector{} + kTiny);
            const Vector length = square_root<kLanes>(is_live ? square : Vector{} + 1.0);
            const Vector sine = f / length;
            const Vector cosine = g / length;
            const Vector shifted = diagonal_[i + 1] - shift;
            const Vector r = (diagonal_[i] - shifted) * sine + 2.0 * cosine * b;
            const Vector new_shift = sine * r;
            diagonal_[i + 1] = is_live ? shifted + new_shift : (is_active ? shifted : diagonal_[i + 1]);
            beside_[i + 1] = is_live ? length : (is_active ? Vector{} : beside_[i + 1]);
            g = is_live ? cosine * r - b : g;
            s = is_live ? sine : s;
            c = is_live ? cosine : c;
            shift = is_live ? new_shift : shift;
            cosines[i] = cosine;
            sines[i] = sine;
            const Mask now_stuck = is_active & ~is_live;
            is_stuck |= now_stuck;
            for (int lane = 0; lane < kLanes; ++lane) {
                if (now_stuck[lane] != 0) {  // the block has split by itself: what lies before waits for the next sweep
                    lower_[index][lane] = i + 1;
                }
            }
        }
        for (int lane = 0; lane < kLanes; ++lane) {
            const Index l = first[lane], m = last[lane];
            if (l < m) {
                if (is_stuck[lane] == 0) {
                    diagonal_[l][lane] -= shift[lane];
                    beside_[l][lane] = g[lane];
                }
                beside_[m][lane] = 0.0;
            }
        }
    }

    // Hands every matrix the rotations written down and turns its vectors.
    void turn_vectors(Index n_sweeps) {
        const Index n = padded(p_);
        for (Index block = 0; block < 2 * kSweepsAtOnce * n; block += kLanes) {
            if (block / n % kSweepsAtOnce < n_sweeps) {
                Vector rows[kLanes];
#pragma GCC unroll 8
                for (int k = 0; k < kLanes; ++k) {
                    rows[k] = rotations_[block + k];
                }
                transpose<kLanes>(rows);
#pragma GCC unroll 8
                for (int k = 0; k < kLanes; ++k) {
                    rotations_[block + k] = rows[k];
                }
            }
        }
        for (int lane = 0; lane < kLanes; ++lane) {
            if (panels_[lane] == nullptr) {
                continue;
            }
            for (Index block = 0; block < 2 * kSweepsAtOnce * n; block += kLanes) {
                store(turned_ + block, rotations_[block + lane]);
            }
            Index index = 0;
            for (; (index + kPanelsAtOnce - 1) * kPanel < p_; index += kPanelsAtOnce) {
                turn_panels<kPanelsAtOnce>(lane, index, n_sweeps);
            }
            for (; index * kPanel < p_; ++index) {
                turn_panels<1>(lane, index, n_sweeps);
            }
        }
    }

    // Panels that fill half of the registers: a rotation waits for the one before it.
    static constexpr int kPanelsAtOnce = kLanes > 2 ? 2 : 1;

    template <int kCount>
    void turn_panels(int lane, Index index, Index n_sweeps) {
        const Index n = padded(p_);
        for (Index k = 0; k < n_sweeps; ++k) {
            if (lower_[k][lane] < upper_[k][lane]) {
                turn<kCount>(panel(lane, index), turned_ + k * n, turned_ + (kSweepsAtOnce + k) * n, lower_[k][lane],
                             upper_[k][lane]);
            }
        }
    }

    template <int kCount>
    void turn(double* coordinates, const double* cosines, const double* sines, Index lower, Index upper) const {
        constexpr int kVectors = kPanel / kLanes;
        const Index distance = p_ * kPanel;
        const auto place = [=](Index row, int k) {
            return coordinates + k / kVectors * distance + row * kPanel + k % kVectors * kLanes;
        };
        Vector carried[kCount * kVectors];
        for (int k = 0; k < kCount * kVectors; ++k) {
            carried[k] = load<Vector>(place(upper, k));
        }
        for (Index i = upper - 1; i >= lower; --i) {
            const double c = cosines[i], s = sines[i];
#pragma GCC unroll 8
            for (int k = 0; k < kCount * kVectors; ++k) {
                const Vector entry = load<Vector>(place(i, k));
                store(place(i + 1, k), s * entry + c * carried[k]);
                carried[k] = c * entry - s * carried[k];
            }
        }
        for (int k = 0; k < kCount * kVectors; ++k) {
            store(place(lower, k), carried[k]);
        }
    }

    const crossphase::cpu::isa::LaneMatrices& in_;
    double* const* values_;
    double* const* panels_;
    Index p_;
    Vector* matrix_;
    Vector* rotations_;  // cosines of kSweepsAtOnce sweeps, then sines
    double* turned_;     // those of one matrix
    LaneTridiagonal<kLanes, kRows> tridiagonal_;
    Vector *diagonal_, *beside_;
    Vector unit_ = {};
    Index lower_[kSweepsAtOnce][kLanes] = {}, upper_[kSweepsAtOnce][kLanes] = {};
};

template <int kLanes, int kRows>
void lane_eigen(const crossphase::cpu::isa::LaneMatrices& in, double* const* values, double* const* panels,
                int* has_converged) {
    LaneEigen<kLanes, kRows>(in, values, panels).run(has_converged);
}

}  // namespace
