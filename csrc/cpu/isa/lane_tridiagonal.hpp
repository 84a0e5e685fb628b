// Householder tridiagonalisation of one symmetric matrix a lane: A = Q T Q^T.
#pragma once

#include "lanes.hpp"

namespace {

constexpr double kTiny = 0x1p-900;  // a sum of squares of entries scaled to 1 below this is rounding of rounding

inline Index tridiagonal_work_size(Index p, Index n_lanes) {
    return 6 * padded(p) * n_lanes;
}

// kRows rows of the matrix keep their sums in registers.
template <int kLanes, int kRows>
class LaneTridiagonal {
    using Vector = typename Lanes<kLanes>::Vector;
    using Mask = typename Lanes<kLanes>::Mask;

  public:
    // `matrix` holds lower triangles as load_covariances leaves them; `work` tridiagonal_work_size doubles.
    LaneTridiagonal(Vector* matrix, Index p, double* work)
        : diagonal(reinterpret_cast<Vector*>(work)),
          beside(diagonal + padded(p)),
          p_(p),
          distance_(row_distance(p)),
          a_(matrix),
          tau_(beside + padded(p)),
          v_(tau_ + padded(p)),
          w_(v_ + padded(p)),
          next_(w_ + padded(p)) {}

    // From the last row up. The update of one reflection (A -= v w^T + w v^T) and the product with the next
    // one share a pass over the matrix.
    void reduce() {
        bool is_pending = false;  // v_ and w_ hold an update of the leading rows
        for (Index i = p_ - 1; i >= 0; --i) {
            Vector* row = &at(i, 0);
            if (is_pending) {
                for (Index j = 0; j <= i; ++j) {
                    row[j] -= v_[i] * w_[j] + w_[i] * v_[j];
                }
            }
            diagonal[i] = row[i];
            if (i == 0) {
                break;
            }
            Vector beta;
            reflect(row, i, tau_[i], beta);
            beside[i - 1] = beta;
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

    // Q = H_{p-1} ... H_1 over the matrix; H_i sits in row i and acts on the i coordinates before it, so the product
    // grows from the first corner: Q_i = H_i diag(Q_{i-1}, 1). Applying one reflection and multiplying with the next
    // share a pass.
    void form_vectors() {
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

    Vector& at(Index i, Index j) { return a_[i * distance_ + j]; }

    Vector* const diagonal;  // of T
    Vector* const beside;

  private:
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

    Index p_;
    Index distance_;
    Vector* a_;
    Vector *tau_, *v_, *w_, *next_;
};

}  // namespace
