#include "crossphase/whitening.hpp"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "crossphase/instruction_set.hpp"
#include "crossphase/lapack.hpp"
#include "crossphase/scalar_math.hpp"
#include "crossphase/thread_pool.hpp"
#include "inverse_root.hpp"
#include "isa/lane_kernels.hpp"
#include "symmetric_eigen.hpp"

namespace crossphase::cpu {
namespace {

using Buffer = std::vector<double>;
using Indices = std::vector<std::size_t>;

struct Batch {
    std::ptrdiff_t p;
    std::span<const MatrixView<const double>> covs;
    const WhiteningOptions& options;
    std::span<const MatrixView<double>> whiteners;
    std::span<WhiteningOutcome> outcomes;
    int n_threads;

    void refuse(std::size_t b, std::ptrdiff_t n_kept) const {
        std::fill_n(whiteners[b].data, p * p, 0.0);
        outcomes[b] = {n_kept, options.method};
    }
};

// The covariance as its average with the mirror image; false if it is not finite, or not symmetric within rounding.
bool read_covariance(const MatrixView<const double>& cov, Buffer& matrix) {
    const std::ptrdiff_t p = cov.n_rows;
    Buffer deviations(static_cast<std::size_t>(p));
    bool is_good = true;
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        is_good &= std::isfinite(cov(i, i));
        deviations[static_cast<std::size_t>(i)] = std::sqrt(std::abs(cov(i, i)));
    }
    constexpr std::ptrdiff_t kBlock = 16;  // reading down columns a few lines at a time keeps them in cache
    for (std::ptrdiff_t rows = 0; rows < p; rows += kBlock) {
        for (std::ptrdiff_t columns = 0; columns <= rows; columns += kBlock) {
            for (std::ptrdiff_t i = rows; i < std::min(p, rows + kBlock); ++i) {
                for (std::ptrdiff_t j = columns; j < std::min(i + 1, columns + kBlock); ++j) {
                    const double entry = cov(i, j), mirrored = cov(j, i);
                    is_good &= std::abs(entry - mirrored) <= kLargestAsymmetry *
                                                                 deviations[static_cast<std::size_t>(i)] *
                                                                 deviations[static_cast<std::size_t>(j)];
                    matrix[static_cast<std::size_t>(i * p + j)] = matrix[static_cast<std::size_t>(j * p + i)] =
                        entry / 2 + mirrored / 2;
                }
            }
        }
    }
    return is_good;
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
    Buffer of_direction;
    std::ptrdiff_t n_kept = 0;
};

Weights weigh(const Buffer& values, const WhiteningOptions& options) {
    Weights weights;
    const double largest = *std::max_element(values.begin(), values.end());
    const double cutoff = options.rcond * std::max(largest + options.ridge, 0.0);
    for (const double value : values) {
        const double weight = whitening_weight(value, options.ridge, cutoff);
        weights.of_direction.push_back(weight);
        weights.n_kept += weight > 0.0 ? 1 : 0;
    }
    return weights;
}

// W = V^T V with rows sqrt(weight) u^T of V: a symmetric product of packed panels.
void fill_zca(PackedPanels& vectors, std::ptrdiff_t p, const Weights& weights, const MatrixView<double>& whitener) {
    for (std::ptrdiff_t a = 0; a < vectors.n_panels(); ++a) {
        double* panel = vectors.panel(a);
        for (std::ptrdiff_t k = 0; k < p; ++k) {
            const double root = std::sqrt(weights.of_direction[static_cast<std::size_t>(k)]);
            for (std::ptrdiff_t j = 0; j < kPanelWidth; ++j) {
                panel[k * kPanelWidth + j] *= root;
            }
        }
    }
    const PanelProduct product = instruction_set().panel_product;
    for (std::ptrdiff_t a = 0; a < vectors.n_panels(); ++a) {
        for (std::ptrdiff_t b = 0; b <= a; ++b) {
            double tile[kPanelWidth * kPanelWidth] = {};
            product(vectors.panel(a), vectors.panel(b), p, tile);
            for (std::ptrdiff_t i = a * kPanelWidth; i < std::min(p, (a + 1) * kPanelWidth); ++i) {
                for (std::ptrdiff_t j = b * kPanelWidth; j < std::min(i + 1, (b + 1) * kPanelWidth); ++j) {
                    whitener(i, j) = whitener(j, i) = tile[i % kPanelWidth * kPanelWidth + j % kPanelWidth];
                }
            }
        }
    }
}

void fill_pca(PackedPanels& vectors, const Buffer& values, const Weights& weights, const MatrixView<double>& whitener) {
    const auto p = static_cast<std::ptrdiff_t>(values.size());
    std::vector<std::ptrdiff_t> order(values.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](std::ptrdiff_t a, std::ptrdiff_t b) {
        return values[static_cast<std::size_t>(a)] > values[static_cast<std::size_t>(b)];
    });
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        const std::ptrdiff_t k = order[static_cast<std::size_t>(i)];
        double* row = &whitener(i, 0);
        for (std::ptrdiff_t j = 0; j < p; ++j) {
            row[j] = vectors(k, j);
        }
        make_largest_entry_positive(row, p);
        const double weight = weights.of_direction[static_cast<std::size_t>(k)];
        std::transform(row, row + p, row, [weight](double value) { return weight * value; });
    }
}

void whiten_by_eigenvalues(const Batch& batch, std::size_t b, EigenSystem& system) {
    const Weights weights = weigh(system.values, batch.options);
    if (batch.options.kind == WhiteningKind::pca) {
        fill_pca(system.vectors, system.values, weights, batch.whiteners[b]);
    } else {
        fill_zca(system.vectors, batch.p, weights, batch.whiteners[b]);
    }
    batch.outcomes[b] = {weights.n_kept, WhiteningMethod::eigh};
}

// Inverse of the Cholesky factor over `matrix`; false if it is not positive definite.
bool invert_cholesky_factor(Buffer& matrix, std::ptrdiff_t p, double ridge) {
    const LapackInt n = p;
    Buffer diagonal(static_cast<std::size_t>(p));
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        matrix[static_cast<std::size_t>(i * p + i)] += ridge;
        diagonal[static_cast<std::size_t>(i)] = matrix[static_cast<std::size_t>(i * p + i)];
    }
    LapackInt info = 0;
    // LAPACK counts by columns: the upper factor it sees is our lower one, row by row.
    lapack().dpotrf("U", &n, matrix.data(), &n, &info);
    if (info == 0) {
        lapack().dtrtri("U", "N", &n, matrix.data(), &n, &info);
    }
    if (info != 0) {
        return false;
    }
    // dpotrf may not notice a null direction: its pivot is then rounding, and the inverse large. The diagonal of the
    // inverse covariance times that of the covariance is 1 / (1 - R^2) of each column given the others.
    Buffer inverse(static_cast<std::size_t>(p));
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        for (std::ptrdiff_t j = 0; j <= i; ++j) {
            const double entry = matrix[static_cast<std::size_t>(i * p + j)];
            inverse[static_cast<std::size_t>(j)] += entry * entry;
        }
    }
    for (std::size_t j = 0; j < inverse.size(); ++j) {
        if (!(inverse[j] * diagonal[j] < largest_inflation(p))) {
            return false;
        }
    }
    return true;
}

// |root (cov + ridge I) root - I| over 8 probes of random signs, as a root mean square: at most the spectral norm.
double probed_residual(const Buffer& root, const Buffer& cov, std::ptrdiff_t p, double ridge) {
    constexpr std::ptrdiff_t kProbes = 8;
    const auto size = static_cast<std::size_t>(p * kProbes);
    Buffer probes(size), half(size), product(size), whole(size);
    std::uint64_t state = 0;
    for (double& sign : probes) {  // splitmix64
        state += 0x9e3779b97f4a7c15u;
        std::uint64_t bits = (state ^ (state >> 30)) * 0xbf58476d1ce4e5b9u;
        bits = (bits ^ (bits >> 27)) * 0x94d049bb133111ebu;
        sign = (bits >> 63) != 0 ? 1.0 : -1.0;
    }
    const LapackInt n = p, k = kProbes;
    const double one = 1.0, zero = 0.0;
    const auto multiply = [&](const Buffer& matrix, const Buffer& columns, Buffer& out) {
        lapack().dgemm("N", "N", &n, &k, &n, &one, matrix.data(), &n, columns.data(), &n, &zero, out.data(), &n);
    };
    multiply(root, probes, half);
    multiply(cov, half, product);
    std::transform(product.begin(), product.end(), half.begin(), product.begin(),
                   [ridge](double entry, double x) { return entry + ridge * x; });
    multiply(root, product, whole);
    double sum = 0.0;
    for (std::size_t i = 0; i < size; ++i) {
        sum += (whole[i] - probes[i]) * (whole[i] - probes[i]);
    }
    return std::sqrt(sum / static_cast<double>(size));
}

// zca without eigenvectors; false where they are needed.
bool whiten_by_inverse_root(const Batch& batch, std::size_t b) {
    const std::ptrdiff_t p = batch.p;
    Buffer cov(static_cast<std::size_t>(p * p));
    if (!read_covariance(batch.covs[b], cov)) {
        batch.refuse(b, -1);
        return true;
    }
    Buffer root = cov;
    for (std::ptrdiff_t i = 0; i < p; ++i) {
        root[static_cast<std::size_t>(i * p + i)] += batch.options.ridge;
    }
    const double condition = batch.options.method == WhiteningMethod::rational
                                 ? rational_inverse_root(root, p, batch.options.rcond)
                                 : newton_schulz_inverse_root(root, p, batch.options.rcond);
    // 40 p u condition bounds the residual of a backward stable factorization (tests/problems.py): more is not one.
    const double bound = 40.0 * static_cast<double>(p) * 0x1p-53 * condition;
    if (!(condition > 0.0) || !(probed_residual(root, cov, p, batch.options.ridge) <= bound)) {
        return false;
    }
    std::copy(root.begin(), root.end(), batch.whiteners[b].data);
    batch.outcomes[b] = {p, batch.options.method};
    return true;
}

void whiten_one(const Batch& batch, std::size_t b) {
    Buffer matrix(static_cast<std::size_t>(batch.p * batch.p));
    if (!read_covariance(batch.covs[b], matrix)) {
        batch.refuse(b, -1);
    } else if (batch.options.method == WhiteningMethod::cholesky) {
        if (!invert_cholesky_factor(matrix, batch.p, batch.options.ridge)) {
            batch.refuse(b, 0);
            return;
        }
        for (std::ptrdiff_t i = 0; i < batch.p; ++i) {
            double* row = &batch.whiteners[b](i, 0);
            std::copy_n(matrix.data() + i * batch.p, i + 1, row);
            std::fill(row + i + 1, row + batch.p, 0.0);
        }
        batch.outcomes[b] = {batch.p, WhiteningMethod::cholesky};
    } else {
        EigenSystem system = eigen_decompose(matrix, batch.p);
        whiten_by_eigenvalues(batch, b, system);
    }
}

// Memory of one group of lanes, used again for group after group.
class LaneWork {
  public:
    LaneWork(std::ptrdiff_t p, WhiteningMethod method)
        : n_(static_cast<std::size_t>(instruction_set().lane_kernels->n_lanes)),
          covs_(n_),
          outputs_(n_),
          is_covariance_(n_),
          has_succeeded_(n_),
          work_((method == WhiteningMethod::cholesky ? instruction_set().lane_kernels->cholesky_work_size(p)
                                                     : instruction_set().lane_kernels->eigen_work_size(p)) /
                        kPanelWidth +
                    1,
                kPanelWidth) {
        if (method != WhiteningMethod::cholesky) {
            systems_.reserve(n_);
            std::generate_n(std::back_inserter(systems_), n_, [p] { return EigenSystem(p); });
        }
    }

    // At most n_lanes matrices of the batch.
    void whiten(const Batch& batch, std::span<const std::size_t> group) {
        for (std::size_t lane = 0; lane < n_; ++lane) {
            covs_[lane] = lane < group.size() ? batch.covs[group[lane]].data : nullptr;
        }
        const isa::LaneMatrices in{covs_.data(),          batch.p,           work_.panel(0),
                                   is_covariance_.data(), kLargestAsymmetry, largest_inflation(batch.p)};
        if (batch.options.method == WhiteningMethod::cholesky) {
            whiten_by_cholesky(batch, group, in);
        } else {
            whiten_by_eigenvectors(batch, group, in);
        }
    }

  private:
    void whiten_by_cholesky(const Batch& batch, std::span<const std::size_t> group, const isa::LaneMatrices& in) {
        for (std::size_t lane = 0; lane < n_; ++lane) {
            outputs_[lane] = lane < group.size() ? batch.whiteners[group[lane]].data : nullptr;
        }
        instruction_set().lane_kernels->cholesky(in, batch.options.ridge, outputs_.data(), has_succeeded_.data());
        for (std::size_t lane = 0; lane < group.size(); ++lane) {
            batch.outcomes[group[lane]] = {batch.p, WhiteningMethod::cholesky};
            if (is_covariance_[lane] == 0 || has_succeeded_[lane] == 0) {
                batch.refuse(group[lane], is_covariance_[lane] == 0 ? -1 : 0);
            }
        }
    }

    void whiten_by_eigenvectors(const Batch& batch, std::span<const std::size_t> group, const isa::LaneMatrices& in) {
        std::vector<double*> values(n_);
        for (std::size_t lane = 0; lane < n_; ++lane) {
            values[lane] = lane < group.size() ? systems_[lane].values.data() : nullptr;
            outputs_[lane] = lane < group.size() ? systems_[lane].vectors.panel(0) : nullptr;
        }
        instruction_set().lane_kernels->eigen(in, values.data(), outputs_.data(), has_succeeded_.data());
        for (std::size_t lane = 0; lane < group.size(); ++lane) {
            if (is_covariance_[lane] == 0) {
                batch.refuse(group[lane], -1);
            } else if (has_succeeded_[lane] == 0) {
                whiten_one(batch, group[lane]);
            } else {
                whiten_by_eigenvalues(batch, group[lane], systems_[lane]);
            }
        }
    }

    std::size_t n_;
    std::vector<const double*> covs_;
    std::vector<double*> outputs_;
    std::vector<int> is_covariance_;
    std::vector<int> has_succeeded_;
    PackedPanels work_;
    std::vector<EigenSystem> systems_;
};

void whiten_in_lanes(const Batch& batch, const Indices& indices) {
    const auto n_lanes = static_cast<std::size_t>(instruction_set().lane_kernels->n_lanes);
    const std::size_t n_groups = (indices.size() + n_lanes - 1) / n_lanes;
    // A task of several groups allocates once; four tasks a thread still end together.
    const std::size_t n_groups_a_task =
        std::clamp<std::size_t>(n_groups / (4 * static_cast<std::size_t>(batch.n_threads)), 1, 8);
    const std::size_t n_tasks = (n_groups + n_groups_a_task - 1) / n_groups_a_task;
    parallel_for(static_cast<std::ptrdiff_t>(n_tasks), batch.n_threads, [&](std::ptrdiff_t task) {
        LaneWork work(batch.p, batch.options.method);
        const std::size_t first = static_cast<std::size_t>(task) * n_groups_a_task * n_lanes;
        const std::size_t end = std::min(indices.size(), first + n_groups_a_task * n_lanes);
        for (std::size_t i = first; i < end; i += n_lanes) {
            work.whiten(batch, std::span(indices).subspan(i, std::min(n_lanes, end - i)));
        }
    });
}

}  // namespace

void whitening_matrix(std::span<const MatrixView<const double>> covs, const WhiteningOptions& options,
                      std::span<const MatrixView<double>> whiteners, std::span<WhiteningOutcome> outcomes,
                      int n_threads) {
    if (whiteners.size() != covs.size() || outcomes.size() != covs.size()) {
        throw std::invalid_argument("one whitener and one outcome are needed for each covariance");
    }
    if (covs.empty()) {
        return;
    }
    const std::ptrdiff_t p = covs[0].n_rows;
    const auto fits = [p](const auto& view) {
        return view.n_rows == p && view.n_columns == p && view.row_stride == p && view.column_stride == 1;
    };
    if (p < 1 || !std::all_of(covs.begin(), covs.end(), fits) ||
        !std::all_of(whiteners.begin(), whiteners.end(), fits)) {
        throw std::invalid_argument("covariances and whiteners must be square, contiguous and of one size");
    }
    if ((options.kind == WhiteningKind::cholesky) != (options.method == WhiteningMethod::cholesky)) {
        throw std::invalid_argument("cholesky is a kind and a method that go together");
    }
    if (options.kind == WhiteningKind::pca && options.method != WhiteningMethod::eigh) {
        throw std::invalid_argument("pca needs the eigenvectors");
    }
    const Batch batch{p, covs, options, whiteners, outcomes, n_threads};
    const auto n_covs = static_cast<std::ptrdiff_t>(covs.size());
    Indices indices(covs.size());
    std::iota(indices.begin(), indices.end(), 0u);
    if (options.method == WhiteningMethod::rational || options.method == WhiteningMethod::newton_schulz) {
        std::vector<char> is_done(covs.size());
        parallel_for(n_covs, n_threads, [&](std::ptrdiff_t b) {
            const auto index = static_cast<std::size_t>(b);
            is_done[index] = whiten_by_inverse_root(batch, index) ? 1 : 0;
        });
        std::erase_if(indices, [&](std::size_t index) { return is_done[index] != 0; });
    }
    if (p <= kLargestInLanes) {
        whiten_in_lanes(batch, indices);
    } else {
        parallel_for(static_cast<std::ptrdiff_t>(indices.size()), n_threads,
                     [&](std::ptrdiff_t i) { whiten_one(batch, indices[static_cast<std::size_t>(i)]); });
    }
}

}  // namespace crossphase::cpu
