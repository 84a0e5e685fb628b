#include "crossphase/whitening.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <stdexcept>
#include <string>
#include <vector>

#include "crossphase/instruction_set.hpp"
#include "crossphase/lapack.hpp"
#include "crossphase/scalar_math.hpp"
#include "crossphase/thread_pool.hpp"
#include "packed_panels.hpp"

namespace crossphase::cpu {
namespace {

using Buffer = std::vector<double>;

void require_success(LapackInt info, const char* routine) {
    if (info != 0) {
        throw std::runtime_error(std::string("LAPACK's ") + routine + " failed (info " + std::to_string(info) + ")");
    }
}

// Eigenvectors replace `a` (p x p, symmetric): row i of the buffer is the vector of values[i], ascending.
Buffer eigen_decompose(Buffer& a, std::ptrdiff_t p) {
    const LapackInt n = p;
    // Sizes that dsyevd documents as sufficient for jobz = 'V'.
    const LapackInt lwork = 1 + 6 * n + 2 * n * n;
    const LapackInt liwork = 3 + 5 * n;
    Buffer values(static_cast<std::size_t>(p));
    Buffer work(static_cast<std::size_t>(lwork));
    std::vector<LapackInt> iwork(static_cast<std::size_t>(liwork));
    LapackInt info = 0;
    lapack().dsyevd("V", "L", &n, a.data(), &n, values.data(), work.data(), &lwork, iwork.data(), &liwork, &info);
    require_success(info, "dsyevd");
    return values;
}

void make_largest_entry_positive(double* vector, std::ptrdiff_t p) {
    const double* largest =
        std::max_element(vector, vector + p, [](double a, double b) { return std::abs(a) < std::abs(b); });
    if (*largest < 0.0) {
        std::transform(vector, vector + p, vector, [](double value) { return -value; });
    }
}

// Weight of every direction in W; a dropped one has weight 0.
struct Weights {
    Buffer of_direction;  // in the order of `vectors`: ascending eigenvalues
    std::ptrdiff_t n_kept = 0;
};

Weights weigh(const Buffer& values, const WhiteningOptions& options) {
    Weights weights;
    const double cutoff = options.rcond * std::max(values.back() + options.ridge, 0.0);
    for (const double value : values) {
        const double weight = whitening_weight(value, options.ridge, cutoff);
        weights.of_direction.push_back(weight);
        weights.n_kept += weight > 0.0 ? 1 : 0;
    }
    return weights;
}

// W = V^T V with rows sqrt(weight) u^T of V: a symmetric product of packed panels.
void fill_zca(const Buffer& vectors, std::ptrdiff_t p, const Weights& weights, MatrixView<double> whitener) {
    PackedPanels scaled(p, p);
    for (std::ptrdiff_t k = 0; k < p; ++k) {
        const double root = std::sqrt(weights.of_direction[static_cast<std::size_t>(k)]);
        for (std::ptrdiff_t j = 0; j < p; ++j) {
            scaled(k, j) = root * vectors[static_cast<std::size_t>(k * p + j)];
        }
    }
    const PanelProduct product = instruction_set().panel_product;
    for (std::ptrdiff_t a = 0; a < scaled.n_panels(); ++a) {
        for (std::ptrdiff_t b = 0; b <= a; ++b) {
            double tile[kPanelWidth * kPanelWidth] = {};
            product(scaled.panel(a), scaled.panel(b), p, tile);
            for (std::ptrdiff_t i = a * kPanelWidth; i < std::min(p, (a + 1) * kPanelWidth); ++i) {
                for (std::ptrdiff_t j = b * kPanelWidth; j < std::min(i + 1, (b + 1) * kPanelWidth); ++j) {
                    whitener(i, j) = whitener(j, i) = tile[i % kPanelWidth * kPanelWidth + j % kPanelWidth];
                }
            }
        }
    }
}

void fill_pca(Buffer& vectors, std::ptrdiff_t p, const Weights& weights, MatrixView<double> whitener) {
    for (std::ptrdiff_t k = 0; k < p; ++k) {
        double* vector = vectors.data() + (p - 1 - k) * p;  // descending eigenvalues
        make_largest_entry_positive(vector, p);
        for (std::ptrdiff_t j = 0; j < p; ++j) {
            whitener(k, j) = weights.of_direction[static_cast<std::size_t>(p - 1 - k)] * vector[j];
        }
    }
}

std::ptrdiff_t whiten_by_eigenvalues(Buffer& matrix, std::ptrdiff_t p, const WhiteningOptions& options,
                                     MatrixView<double> whitener) {
    const Buffer values = eigen_decompose(matrix, p);
    const Weights weights = weigh(values, options);
    if (options.kind == WhiteningKind::pca) {
        fill_pca(matrix, p, weights, whitener);
    } else {
        fill_zca(matrix, p, weights, whitener);
    }
    return weights.n_kept;
}

std::ptrdiff_t whiten_by_cholesky(Buffer& matrix, std::ptrdiff_t p, const WhiteningOptions& options,
                                  MatrixView<double> whitener) {
    const LapackInt n = p;
    Buffer diagonal(static_cast<std::size_t>(p));
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        matrix[static_cast<std::size_t>(i * p + i)] += options.ridge;
        diagonal[static_cast<std::size_t>(i)] = matrix[static_cast<std::size_t>(i * p + i)];
    }
    LapackInt info = 0;
    // LAPACK counts by columns: the upper factor it sees is our lower one, row by row.
    lapack().dpotrf("U", &n, matrix.data(), &n, &info);
    if (info == 0) {
        lapack().dtrtri("U", "N", &n, matrix.data(), &n, &info);
    }
    bool is_definite = info == 0;
    // dpotrf may not notice a null direction: its pivot is then rounding, and the inverse large. The diagonal of the
    // inverse covariance times that of the covariance is 1 / (1 - R^2) of each column given the others; beyond 1 / (64
    // p eps) that is rounding.
    const double largest_inflation = 1.0 / (64.0 * static_cast<double>(p) * std::numeric_limits<double>::epsilon());
    for (std::ptrdiff_t j = 0; is_definite && j < p; ++j) {
        double inverse = 0.0;
        for (std::ptrdiff_t i = j; i < p; ++i) {
            const double entry = matrix[static_cast<std::size_t>(i * p + j)];
            inverse += entry * entry;
        }
        is_definite = inverse * diagonal[static_cast<std::size_t>(j)] < largest_inflation;
    }
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        for (std::ptrdiff_t j = 0; j < p; ++j) {
            whitener(i, j) = is_definite && j <= i ? matrix[static_cast<std::size_t>(i * p + j)] : 0.0;
        }
    }
    return is_definite ? p : 0;
}

}  // namespace

void whitening_matrix(std::span<const MatrixView<const double>> covs, const WhiteningOptions& options,
                      std::span<const MatrixView<double>> whiteners, std::span<std::ptrdiff_t> n_kept, int n_threads) {
    if (whiteners.size() != covs.size() || n_kept.size() != covs.size()) {
        throw std::invalid_argument("one whitener and one count are needed for each covariance");
    }
    parallel_for(static_cast<std::ptrdiff_t>(covs.size()), n_threads, [&](std::ptrdiff_t index) {
        const auto b = static_cast<std::size_t>(index);
        const MatrixView<const double>& cov = covs[b];
        const std::ptrdiff_t p = cov.n_rows;
        if (p < 1 || cov.n_columns != p || whiteners[b].n_rows != p || whiteners[b].n_columns != p) {
            throw std::invalid_argument("covariances and whiteners must be square and of one size");
        }
        Buffer matrix(static_cast<std::size_t>(p * p));
        for (std::ptrdiff_t i = 0; i < p; ++i) {
            for (std::ptrdiff_t j = 0; j < p; ++j) {
                matrix[static_cast<std::size_t>(i * p + j)] = cov(i, j);
            }
        }
        n_kept[b] = options.kind == WhiteningKind::cholesky ? whiten_by_cholesky(matrix, p, options, whiteners[b])
                                                            : whiten_by_eigenvalues(matrix, p, options, whiteners[b]);
    });
}

}  // namespace crossphase::cpu
