#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "crossphase/lapack.hpp"
#include "inverse_root.hpp"

namespace crossphase::cpu {
namespace {

using Buffer = std::vector<double>;

constexpr int kMostSteps = 40;  // 24 for a condition of 1e12

// Everything counts by columns, as LAPACK does.
struct Square {
    LapackInt p;
    double one = 1.0, zero = 0.0;

    // c = op(a) b
    void multiply(const char* left_is, const Buffer& a, const Buffer& b, Buffer& c) const {
        lapack().dgemm(left_is, "N", &p, &p, &p, &one, a.data(), &p, b.data(), &p, &zero, c.data(), &p);
    }

    // a^T a, both triangles
    void gram(const Buffer& a, Buffer& c) const {
        lapack().dsyrk("L", "T", &p, &p, &one, a.data(), &p, &zero, c.data(), &p);
        mirror(c);
    }

    void mirror(Buffer& c) const {
        const auto n = static_cast<std::size_t>(p);
        for (std::size_t j = 0; j < n; ++j) {
            for (std::size_t i = j + 1; i < n; ++i) {
                c[i * n + j] = c[j * n + i];
            }
        }
    }
};

double frobenius_norm(const Buffer& matrix) {
    double sum = 0.0;
    for (const double entry : matrix) {
        sum += entry * entry;
    }
    return std::sqrt(sum);
}

}  // namespace

double newton_schulz_inverse_root(Buffer& matrix, std::ptrdiff_t p, double rcond) {
    const auto n = static_cast<std::size_t>(p);
    const Square square{p};
    LapackInt info = 0;
    lapack().dpotrf("L", &square.p, matrix.data(), &square.p, &info);
    if (info != 0) {
        return 0.0;
    }
    for (std::size_t j = 0; j < n; ++j) {
        std::fill_n(matrix.begin() + static_cast<std::ptrdiff_t>(j * n), j, 0.0);
    }
    const double norm = frobenius_norm(matrix);
    Buffer inverse = matrix;
    lapack().dtrtri("L", "N", &square.p, inverse.data(), &square.p, &info);
    if (info != 0) {
        return 0.0;
    }
    // |L| |L^-1| as Frobenius norms is at least the root of the condition: bounds on all singular values of X for free.
    const double inverse_norm = frobenius_norm(inverse);
    const double condition = std::pow(norm * inverse_norm, 2);
    if (!(1.0 / condition > std::max(rcond, 1e-12))) {
        return 0.0;
    }
    double least = 1.0 / (norm * inverse_norm);
    Buffer x = inverse, gram(matrix.size()), next(matrix.size());
    for (double& entry : x) {
        entry /= inverse_norm;
    }
    for (int step = 0; step < kMostSteps; ++step) {
        square.gram(x, gram);
        double gap = 0.0;
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                const double entry = gram[i * n + j] - (i == j ? 1.0 : 0.0);
                gap += entry * entry;
            }
        }
        gap = std::sqrt(gap);
        // Convergence is quadratic: a step from a gap of 1e-9 ends at rounding.
        const bool is_last = gap < 1e-9;
        // x (3 - x^2) / 2 after the scaling that makes both ends of [least, 1] equal.
        const double scale = is_last ? 1.0 : std::sqrt(3.0 / (1.0 + least + least * least));
        for (std::size_t i = 0; i < n; ++i) {
            for (std::size_t j = 0; j < n; ++j) {
                gram[i * n + j] = -0.5 * scale * scale * scale * gram[i * n + j] + (i == j ? 1.5 * scale : 0.0);
            }
        }
        square.multiply("N", x, gram, next);
        std::swap(x, next);
        if (is_last) {
            square.multiply("T", x, inverse, matrix);
            for (std::size_t i = 0; i < n; ++i) {
                for (std::size_t j = 0; j < i; ++j) {
                    matrix[i * n + j] = matrix[j * n + i] = (matrix[i * n + j] + matrix[j * n + i]) / 2;
                }
            }
            return condition;
        }
        least = 0.5 * scale * least * (3.0 - scale * scale * least * least);
    }
    return 0.0;
}

}  // namespace crossphase::cpu
