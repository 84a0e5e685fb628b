#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>

#include "crossphase/instruction_set.hpp"
#include "crossphase/lapack.hpp"
#include "inverse_root.hpp"
#include "isa/lane_kernels.hpp"

namespace crossphase::cpu {
namespace {

using Buffer = std::vector<double>;

// Beyond this condition the eigenvectors are asked: they know the rank, and a pivot of T may be that much smaller than
// what it was subtracted from.
constexpr double kLeastReciprocalCondition = 1e-6;
constexpr std::ptrdiff_t kReflections = 32;  // of a block; 24 to 64 are alike at p = 512

Buffer buffer(std::ptrdiff_t size) {
    return Buffer(static_cast<std::size_t>(size));
}

struct Tridiagonal {
    explicit Tridiagonal(std::ptrdiff_t n) : diagonal(buffer(n)), beside(buffer(n)), tau(buffer(n)) {}

    Buffer diagonal, beside, tau;
};

// All eigenvalues of T exceed x: no pivot of T - x I from above is <= 0 (Sylvester's law of inertia).
bool exceeds(const Tridiagonal& t, double x) {
    double pivot = t.diagonal[0] - x;
    for (std::size_t i = 1; i < t.diagonal.size() && pivot > 0.0; ++i) {
        pivot = t.diagonal[i] - x - t.beside[i - 1] * t.beside[i - 1] / pivot;
    }
    return pivot > 0.0;
}

struct Interval {
    double least = 0.0, most = 0.0;
};

// Holds all eigenvalues, its lower end within a tenth of the least; least = 0 if that is too small.
Interval bracket(const Tridiagonal& t, double rcond) {
    Interval interval;
    for (std::size_t i = 0; i < t.diagonal.size(); ++i) {  // Gershgorin
        const double before = i > 0 ? std::abs(t.beside[i - 1]) : 0.0;
        const double after = i + 1 < t.diagonal.size() ? std::abs(t.beside[i]) : 0.0;
        interval.most = std::max(interval.most, t.diagonal[i] + before + after);
    }
    double exponent = std::log(std::max(2.0 * rcond, kLeastReciprocalCondition));  // of least / most: too low so far
    if (!(interval.most > 0.0) || !exceeds(t, std::exp(exponent) * interval.most)) {
        return interval;
    }
    for (double too_high = 0.0; too_high - exponent > 0.1;) {
        const double middle = (exponent + too_high) / 2;
        (exceeds(t, std::exp(middle) * interval.most) ? exponent : too_high) = middle;
    }
    interval.least = std::exp(exponent) * interval.most;
    return interval;
}

struct Elliptic {
    double sn, cn, dn;
};

// Jacobi's elliptic functions with complementary modulus k, 0 < k < 1, by the arithmetic-geometric mean (Abramowitz &
// Stegun 16.4); u in [0, K / 2], where none of them is small.
Elliptic elliptic(double u, double k) {
    constexpr int kMost = 16;  // quadratic convergence: 8 steps at k = 1e-5
    double a[kMost + 1] = {1.0}, c[kMost + 1] = {std::sqrt(1.0 - k * k)};
    double b = k;
    int n = 0;
    while (n < kMost && c[n] > 1e-17 * a[n]) {
        a[n + 1] = (a[n] + b) / 2;
        c[n + 1] = (a[n] - b) / 2;
        b = std::sqrt(a[n] * b);
        ++n;
    }
    double angle = std::ldexp(a[n] * u, n);
    for (; n > 0; --n) {
        angle = (angle + std::asin(c[n] / a[n] * std::sin(angle))) / 2;
    }
    const double sn = std::sin(angle);
    return {sn, std::cos(angle), std::sqrt(1.0 - (1.0 - k * k) * sn * sn)};
}

double elliptic_period(double k) {  // K of the complementary modulus k
    double a = 1.0, b = k;
    while (a - b > 1e-15 * a) {
        const double mean = (a + b) / 2;
        b = std::sqrt(a * b);
        a = mean;
    }
    return std::numbers::pi / (a + b);
}

struct Poles {
    Buffer shifts, weights;
};

// x^-1/2 = sum_j weights_j / (x + shifts_j) on the interval, to rounding: the error falls by exp(-2 pi^2 / log(16
// condition)) a pole.
Poles inverse_root_poles(const Interval& interval) {
    const double k = std::sqrt(interval.least / interval.most);
    const double rate = 2.0 * std::numbers::pi * std::numbers::pi / std::log(16.0 / (k * k));
    const auto n = static_cast<int>(std::ceil(38.0 / rate));  // exp(-38) is 2^-55
    const double period = elliptic_period(k);
    const double factor = 2.0 * period * std::sqrt(interval.least) / (std::numbers::pi * n);
    Poles poles;
    for (int j = 0; j < n; ++j) {
        const double u = (j + 0.5) * period / n;
        if (2 * j + 1 <= n) {
            const Elliptic at = elliptic(u, k);
            poles.shifts.push_back(interval.least * std::pow(at.sn / at.cn, 2));
            poles.weights.push_back(factor * at.dn / (at.cn * at.cn));
        } else {  // from K - u: cn(u) itself would be a difference of nearly equal numbers
            const Elliptic at = elliptic(period - u, k);
            poles.shifts.push_back(interval.least * std::pow(at.cn / (k * at.sn), 2));
            poles.weights.push_back(factor * at.dn / (k * at.sn * at.sn));
        }
    }
    return poles;
}

Tridiagonal tridiagonalise(Buffer& matrix, std::ptrdiff_t p) {
    Tridiagonal t(p);
    const LapackInt n = p;
    const LapackInt lwork = 64 * n;  // room for dsytrd's blocks of 32 or 64
    Buffer work = buffer(lwork);
    LapackInt info = 0;
    lapack().dsytrd("L", &n, matrix.data(), &n, t.diagonal.data(), t.beside.data(), t.tau.data(), work.data(), &lwork,
                    &info);
    if (info != 0) {
        throw std::runtime_error("LAPACK's dsytrd failed (info " + std::to_string(info) + ")");
    }
    return t;
}

// Everything below counts by columns, as LAPACK does: a symmetric matrix by rows is the same by columns.

void multiply(const char* left_is, const char* right_is, std::ptrdiff_t m, std::ptrdiff_t n, std::ptrdiff_t k,
              double alpha, const double* a, std::ptrdiff_t lda, const double* b, std::ptrdiff_t ldb, double beta,
              double* c, std::ptrdiff_t ldc) {
    const LapackInt m_ = m, n_ = n, k_ = k, lda_ = lda, ldb_ = ldb, ldc_ = ldc;
    lapack().dgemm(left_is, right_is, &m_, &n_, &k_, &alpha, a, &lda_, b, &ldb_, &beta, c, &ldc_);
}

// k reflections H_first ... as I - V T V^T on the coordinates after `first` (dsytrd's storage; dlarft's T).
struct Reflections {
    Reflections(const Buffer& reduced, const Buffer& tau, std::ptrdiff_t p, std::ptrdiff_t first, std::ptrdiff_t count)
        : n(p - first - 1), k(count), v(buffer(n * k)), t(buffer(k * k)) {
        for (std::ptrdiff_t c = 0; c < k; ++c) {
            double* column = v.data() + c * n;
            column[c] = 1.0;
            std::copy_n(reduced.data() + (first + c) * p + first + c + 2, n - c - 1, column + c + 1);
        }
        Buffer gram = buffer(k * k);
        multiply("T", "N", k, k, n, 1.0, v.data(), n, v.data(), n, 0.0, gram.data(), k);
        for (std::ptrdiff_t c = 0; c < k; ++c) {
            const double scale = tau[static_cast<std::size_t>(first + c)];
            for (std::ptrdiff_t i = 0; i < c; ++i) {
                double sum = 0.0;
                for (std::ptrdiff_t j = i; j < c; ++j) {
                    sum += t[static_cast<std::size_t>(j * k + i)] * gram[static_cast<std::size_t>(c * k + j)];
                }
                t[static_cast<std::size_t>(c * k + i)] = -scale * sum;
            }
            t[static_cast<std::size_t>(c * k + c)] = scale;
        }
    }

    std::ptrdiff_t n, k;
    Buffer v, t;
};

// S <- H S H^T over the lower triangle of the p x p matrix at `s`, whose columns are `distance` apart.
void reflect_both_sides(const Reflections& h, double* s, std::ptrdiff_t p, std::ptrdiff_t distance) {
    const std::ptrdiff_t first = p - h.n, n = h.n, k = h.k;
    if (first > 0) {  // the rows before stay: one side only
        double* block = s + first;
        Buffer product = buffer(k * first), turned = buffer(k * first);
        multiply("T", "N", k, first, n, 1.0, h.v.data(), n, block, distance, 0.0, product.data(), k);
        multiply("N", "N", k, first, k, 1.0, h.t.data(), k, product.data(), k, 0.0, turned.data(), k);
        multiply("N", "N", n, first, k, -1.0, h.v.data(), n, turned.data(), k, 1.0, block, distance);
    }
    // With P = S V T^T and M = T V^T P: H S H^T = S - (P - V M / 2) V^T - V (P - V M / 2)^T.
    double* block = s + first * distance + first;
    Buffer product = buffer(n * k), turned = buffer(n * k), inner = buffer(k * k), middle = buffer(k * k);
    const LapackInt n_ = n, k_ = k, distance_ = distance;
    const double one = 1.0, zero = 0.0, minus = -1.0;
    lapack().dsymm("L", "L", &n_, &k_, &one, block, &distance_, h.v.data(), &n_, &zero, product.data(), &n_);
    multiply("N", "T", n, k, k, 1.0, product.data(), n, h.t.data(), k, 0.0, turned.data(), n);
    multiply("T", "N", k, k, n, 1.0, h.v.data(), n, turned.data(), n, 0.0, inner.data(), k);
    multiply("N", "N", k, k, k, 1.0, h.t.data(), k, inner.data(), k, 0.0, middle.data(), k);
    multiply("N", "N", n, k, k, -0.5, h.v.data(), n, middle.data(), k, 1.0, turned.data(), n);
    lapack().dsyr2k("L", "N", &n_, &k_, &minus, turned.data(), &n_, h.v.data(), &n_, &one, block, &distance_);
}

}  // namespace

double rational_inverse_root(Buffer& matrix, std::ptrdiff_t p, double rcond) {
    const Tridiagonal t = tridiagonalise(matrix, p);
    const Interval interval = bracket(t, rcond);
    if (!(interval.least > 0.0)) {
        return 0.0;
    }
    const Poles poles = inverse_root_poles(interval);
    const auto n_poles = static_cast<std::ptrdiff_t>(poles.shifts.size());
    const std::ptrdiff_t distance = (p + 7) / 8 * 8;
    Buffer root = buffer(p * distance);
    Buffer work = buffer(instruction_set().lane_kernels->resolvents_work_size(p, n_poles));
    instruction_set().lane_kernels->sum_resolvents(
        {t.diagonal.data(), t.beside.data(), p, poles.shifts.data(), poles.weights.data(), n_poles, distance},
        work.data(), root.data());
    const std::ptrdiff_t n_reflections = p - 1;
    for (std::ptrdiff_t end = n_reflections; end > 0;) {
        const std::ptrdiff_t first = (end - 1) / kReflections * kReflections;
        const std::ptrdiff_t count = end - first;
        end = first;
        reflect_both_sides(Reflections(matrix, t.tau, p, first, count), root.data(), p, distance);
    }
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        for (std::ptrdiff_t j = i; j < p; ++j) {
            matrix[static_cast<std::size_t>(i * p + j)] = matrix[static_cast<std::size_t>(j * p + i)] =
                root[static_cast<std::size_t>(i * distance + j)];
        }
    }
    return interval.most / interval.least;
}

}  // namespace crossphase::cpu
