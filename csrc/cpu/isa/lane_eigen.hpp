// Eigenvalues and eigenvectors of one symmetric matrix a lane: Householder tridiagonalisation, then implicit QL with
// Wilkinson's shift (Bowdler, Martin, Reinsch & Wilkinson 1968, Numer. Math. 11, 293-306; Dubrulle 1970). Lanes deflate
// at their own pace: a rotation outside a lane's unreduced block leaves it as it is.
//
// The rotations are the larger part of the work and have no need of lanes: they are written down, handed to their
// matrix, and turn its eigenvectors 16 coordinates at a time, in the cache next to the processor.
#pragma once

#include "lanes.hpp"

namespace {

constexpr Index kSweepsAtOnce = 16;    // 16 x 64 rotations are 16 KB a matrix, half of a small first-level cache
constexpr Index kSweepsPerValue = 30;  // LAPACK's limit for dsteqr; 1.7 are usual
constexpr double kRoundoff = 0x1p-53;

struct EigenWork {
    Index matrix, vectors, rotations, turned;  // sizes in doubles
    Index total() const { return matrix + vectors + rotations + turned; }
};

inline EigenWork eigen_work(Index p, Index n_lanes) {
    const Index n = padded(p);
    return {n * row_distance(p) * n_lanes, 6 * (n + kMostLanes) * n_lanes, 2 * kSweepsAtOnce * n * n_lanes,
            2 * kSweepsAtOnce * n};
}

template <int kLanes>
std::ptrdiff_t eigen_work_size(std::ptrdiff_t p) {
    return eigen_work(p, kLanes).total();
}

template <int kLanes, int kRows>
class LaneEigen {
    using Vector = typename Lanes<kLanes>::Vector;
    using Mask = typename Lanes<kLanes>::Mask;

  public:
    LaneEigen(const crossphase::cpu::isa::LaneMatrices& in, double* const* values, double* const* panels)
        : in_(in), values_(values), panels_(panels), p_(in.p), distance_(row_distance(in.p)) {
        const EigenWork sizes = eigen_work(p_, kLanes);
        const Index length = padded(p_) + kMostLanes;
        a_ = reinterpret_cast<Vector*>(in.work);
        diagonal_ = reinterpret_cast<Vector*>(in.work + sizes.matrix);
        beside_ = diagonal_ + length;
        tau_ = beside_ + length;
        v_ = tau_ + length;
        w_ = v_ + length;
        next_ = w_ + length;
        rotations_ = reinterpret_cast<Vector*>(in.work + sizes.matrix + sizes.vectors);
        turned_ = in.work + sizes.matrix + sizes.vectors + sizes.rotations;
    }

    void run(int* has_converged) {
        load_covariances<kLanes>(in_, a_);
        scale();
        tridiagonalise();
        form_reflections();
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
    Vector& at(Index i, Index j) { return a_[i * distance_ + j]; }

    // Divides every matrix by a power of two near its largest entry: sums of squares neither overflow nor vanish.
    void scale() {
        Vector largest = {};
        for (Index i = 0; i < p_; ++i) {
            for (Index j = 0; j <= i; ++j) {
                const Vector size = absolute<kLanes>(at(i, j));
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
                at(i, j) *= reciprocal;
            }
        }
    }

    // The reflection (I - tau v v^T) that turns x = row[0 ... n - 1] into (0, ..., 0, beta); v ends in 1 and takes the
    // place of x.
    void reflect(Vector* x, Index n, Vector& tau, Vector& beta) {
        Vector sum = {};
        for (Index k = 0; k < n - 1; ++k) {
            sum += x[k] * x[k];
        }
        const Vector alpha = x[n - 1];
        const Mask is_needed = sum > Vector{} + kTiny;
        Vector length = square_root<kLanes>(alpha * alpha + sum);
        length = alpha > Vector{} ? -length : length;
        beta = is_needed ? length : alpha;
        tau = is_needed ? (length - alpha) / length : Vector{};
        const Vector factor = is_needed ? 1.0 / (alpha - length) : Vector{};
        for (Index k = 0; k < n - 1; ++k) {
            x[k] *= factor;
        }
        x[n - 1] = Vector{} + 1.0;
    }

    // A = Q T Q^T from the last row up. The update of one reflection (A -= v w^T + w v^T) and the product with the next
    // one share a pass over the matrix.
    void tridiagonalise() {
        bool is_pending = false;  // v_ and w_ hold an update of the leading rows
        for (Index i = p_ - 1; i >= 0; --i) {
            Vector* row = &at(i, 0);
            if (is_pending) {
                for (Index j = 0; j <= i; ++j) {
                    row[j] -= v_[i] * w_[j] + w_[i] * v_[j];
                }
            }
            diagonal_[i] = row[i];
            if (i == 0) {
                break;
            }
            Vector beta;
            reflect(row, i, tau_[i], beta);
            beside_[i - 1] = beta;
            for (Index j = 0; j < i; ++j) {
                next_[j] = Vector{};
            }
            if (is_pending) {
                update_and_multiply<true>(i, row);
            } else {
                update_and_multiply<false>(i, row);
            }
            Vector dot = {};
            for (Index j = 0; j < i; ++j) {
                next_[j] *= tau_[i];
                dot += next_[j] * row[j];
            }
            dot *= 0.5 * tau_[i];
            for (Index j = 0; j < i; ++j) {
                v_[j] = row[j];
                w_[j] = next_[j] - dot * row[j];
            }
            is_pending = true;
        }
    }

    // next_ += A x over the lower triangle of the leading n rows, after the pending update if there is one.
    template <bool is_pending>
    void update_and_multiply(Index n, const Vector* x) {
        Index i = 0;
        for (; i + kRows <= n; i += kRows) {
            multiply_rows<is_pending, kRows>(i, x);
        }
        for (; i < n; ++i) {
            multiply_rows<is_pending, 1>(i, x);
        }
    }

    template <bool is_pending, int kCount>
    void multiply_rows(Index i, const Vector* x) {
        Vector v[kCount], w[kCount], factor[kCount], sum[kCount];
        Vector* rows = &at(i, 0);
#pragma GCC unroll 4
        for (int r = 0; r < kCount; ++r) {
            v[r] = is_pending ? v_[i + r] : Vector{};
            w[r] = is_pending ? w_[i + r] : Vector{};
            factor[r] = x[i + r];
            sum[r] = Vector{};
        }
        for (Index j = 0; j < i; ++j) {
            const Vector v_j = v_[j], w_j = w_[j], x_j = x[j];
            Vector below = next_[j];
#pragma GCC unroll 4
            for (int r = 0; r < kCount; ++r) {
                Vector entry = rows[r * distance_ + j];
                if constexpr (is_pending) {
                    entry -= v[r] * w_j;
                    entry -= w[r] * v_j;
                    rows[r * distance_ + j] = entry;
                }
                sum[r] += entry * x_j;
                below += entry * factor[r];
            }
            next_[j] = below;
        }
        for (int r = 0; r < kCount; ++r) {  // the triangle on the diagonal
            for (int c = 0; c <= r; ++c) {
                Vector& entry = rows[r * distance_ + i + c];
                if constexpr (is_pending) {
                    entry -= v[r] * w_[i + c];
                    entry -= w[r] * v_[i + c];
                }
                sum[r] += entry * factor[c];
                if (c < r) {
                    sum[c] += entry * factor[r];
                }
            }
        }
        for (int r = 0; r < kCount; ++r) {
            next_[i + r] += sum[r];
        }
    }

    // Q = H_{p-1} ... H_1 over the matrix; H_i sits in row i and acts on the i coordinates before it, so the product
    // grows from the first corner: Q_i = H_i diag(Q_{i-1}, 1). Applying one reflection and multiplying with the next
    // share a pass.
    void form_reflections() {
        Vector* product = w_;       // v_i^T diag(Q_{i-1}, 1)
        Vector* following = next_;  // v_{i+1}^T Q_i
        for (Index i = 1; i < p_; ++i) {
            border_with_identity(i - 1);
            product[i - 1] = Vector{} + 1.0;
            const Vector* coming = i + 1 < p_ ? &at(i + 1, 0) : nullptr;
            for (Index r = 0; r < i; ++r) {
                v_[r] = -tau_[i] * at(i, r);
                following[r] = Vector{};
            }
            Index r = 0;
            for (; r + kRows <= i; r += kRows) {
                coming != nullptr ? turn_rows<true, kRows>(r, i, product, coming, following)
                                  : turn_rows<false, kRows>(r, i, product, coming, following);
            }
            for (; r < i; ++r) {
                coming != nullptr ? turn_rows<true, 1>(r, i, product, coming, following)
                                  : turn_rows<false, 1>(r, i, product, coming, following);
            }
            Vector* const spare = product;
            product = following;
            following = spare;
        }
        border_with_identity(p_ - 1);
    }

    void border_with_identity(Index last) {
        for (Index r = 0; r < last; ++r) {
            at(r, last) = at(last, r) = Vector{};
        }
        at(last, last) = Vector{} + 1.0;
    }

    template <bool has_coming, int kCount>
    void turn_rows(Index first, Index n, const Vector* product, const Vector* coming, Vector* following) {
        Vector factor[kCount], weight[kCount];
        for (int r = 0; r < kCount; ++r) {
            factor[r] = v_[first + r];
            weight[r] = has_coming ? coming[first + r] : Vector{};
        }
        Vector* rows = &at(first, 0);
        for (Index c = 0; c < n; ++c) {
            const Vector along = product[c];
            Vector sum = following[c];
#pragma GCC unroll 4
            for (int r = 0; r < kCount; ++r) {
                Vector entry = rows[r * distance_ + c];
                entry += factor[r] * along;
                rows[r * distance_ + c] = entry;
                if constexpr (has_coming) {
                    sum += weight[r] * entry;
                }
            }
            following[c] = sum;
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
                    block[k] = r + k < p_ ? at(r + k, c) : Vector{};
                }
                transpose<kLanes>(block);
#pragma GCC unroll 8
                for (int lane = 0; lane < kLanes; ++lane) {
                    if (panels_[lane] != nullptr) {
                        store(block[lane], panel(lane, r / kPanel) + c * kPanel + r % kPanel);
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
                store(rotations_[block + lane], turned_ + block);
            }
            for (Index index = 0; index * kPanel < p_; ++index) {
                for (Index k = 0; k < n_sweeps; ++k) {
                    turn_panel(panel(lane, index), turned_ + k * n, turned_ + (kSweepsAtOnce + k) * n, lower_[k][lane],
                               upper_[k][lane]);
                }
            }
        }
    }

    static void turn_panel(double* coordinates, const double* cosines, const double* sines, Index lower, Index upper) {
        constexpr int kParts = kPanel / kLanes;
        if (lower >= upper) {
            return;
        }
        Vector carried[kParts];
        for (int k = 0; k < kParts; ++k) {
            carried[k] = load<Vector>(coordinates + upper * kPanel + k * kLanes);
        }
        for (Index i = upper - 1; i >= lower; --i) {
            const double c = cosines[i], s = sines[i];
#pragma GCC unroll 8
            for (int k = 0; k < kParts; ++k) {
                const Vector entry = load<Vector>(coordinates + i * kPanel + k * kLanes);
                store(s * entry + c * carried[k], coordinates + (i + 1) * kPanel + k * kLanes);
                carried[k] = c * entry - s * carried[k];
            }
        }
        for (int k = 0; k < kParts; ++k) {
            store(carried[k], coordinates + lower * kPanel + k * kLanes);
        }
    }

    const crossphase::cpu::isa::LaneMatrices& in_;
    double* const* values_;
    double* const* panels_;
    Index p_;
    Index distance_;
    Vector* a_;
    Vector *diagonal_, *beside_;  // of T
    Vector *tau_, *v_, *w_, *next_;
    Vector* rotations_;  // cosines of kSweepsAtOnce sweeps, then sines
    double* turned_;     // those of one matrix
    Vector unit_ = {};
    Index lower_[kSweepsAtOnce][kLanes] = {}, upper_[kSweepsAtOnce][kLanes] = {};
};

template <int kLanes, int kRows>
void lane_eigen(const crossphase::cpu::isa::LaneMatrices& in, double* const* values, double* const* panels,
                int* has_converged) {
    LaneEigen<kLanes, kRows>(in, values, panels).run(has_converged);
}

}  // namespace
