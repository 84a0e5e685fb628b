// The loops behind ridge_cv_loops.hpp. Only the translation units in this folder include it, each under its own
// compiler flags, so it stays in an unnamed namespace and includes no header with inline functions: the linker could
// otherwise keep an AVX-512 copy of something the baseline calls.
#pragma once

#include <cstddef>

#include "ridge_cv_loops.hpp"
#include "vectors.hpp"

namespace {

using Index = std::ptrdiff_t;
using crossphase::cpu::isa::ComponentFolds;
using crossphase::cpu::isa::kErrorColumns;
using crossphase::cpu::isa::kMostScores;
using crossphase::cpu::isa::kPanelColumns;
using crossphase::cpu::isa::LabelFolds;
using crossphase::cpu::isa::ProductLoops;
using crossphase::cpu::isa::RidgeCvLoops;

typedef double Block __attribute__((vector_size(8 * kErrorColumns)));

// kScores x 2 vectors of sums stay in registers while both factors stream by.
template <typename Real, int kVectorBytes, int kScores>
void add_products_of(const Real* scores, const Real* labels, Index n_rows, double* products, Index row_stride) {
    typedef Real Vector __attribute__((vector_size(kVectorBytes)));
    constexpr Index kLanes = kVectorBytes / static_cast<Index>(sizeof(Real));
    constexpr Index kColumns = kPanelColumns<Real>;
    for (Index first = 0; first < kColumns; first += 2 * kLanes) {
        Vector sums[kScores][2] = {};
        for (Index r = 0; r < n_rows; ++r) {
            const Vector left = load<Vector>(labels + r * kColumns + first);
            const Vector right = load<Vector>(labels + r * kColumns + first + kLanes);
#pragma GCC unroll 16
            for (int i = 0; i < kScores; ++i) {
                const Real score = scores[r * kScores + i];
                sums[i][0] += score * left;
                sums[i][1] += score * right;
            }
        }
        for (Index i = 0; i < kScores; ++i) {
            double* into = products + i * row_stride + first;
            for (Index j = 0; j < kLanes; ++j) {
                into[j] += static_cast<double>(sums[i][0][j]);
                into[kLanes + j] += static_cast<double>(sums[i][1][j]);
            }
        }
    }
}

template <typename Real, int kVectorBytes, int kScores>
void add_products(const Real* scores, Index n_scores, const Real* labels, Index n_rows, double* products,
                  Index row_stride) {
    if (n_scores == kScores) {
        add_products_of<Real, kVectorBytes, kScores>(scores, labels, n_rows, products, row_stride);
    } else if constexpr (kScores > 1) {
        add_products<Real, kVectorBytes, kScores - 1>(scores, n_scores, labels, n_rows, products, row_stride);
    }
}

template <typename Real>
void pack_columns(const double* const* labels, Index offset, Index n_rows, const double* shift, Real* panel,
                  double* sums, double* squares) {
    typedef double Vector __attribute__((vector_size(64)));
    typedef Real Narrow __attribute__((vector_size(8 * sizeof(Real))));
    const Vector about = load<Vector>(shift);
    Vector sum = load<Vector>(sums), square = load<Vector>(squares);
    for (Index r = 0; r < n_rows; ++r) {
        const Vector value = load<Vector>(labels[r] + offset) - about;
        store(panel + r * kPanelColumns<Real>, __builtin_convertvector(value, Narrow));
        sum += value;
        square += value * value;
    }
    store(sums, sum);
    store(squares, square);
}

void add_to_classes(const double* scores, Index n_scores, const Index* label_rows, Index n_rows,
                    const std::size_t* first_class, const Index* classes, double* sums, double* counts) {
    typedef double Vector __attribute__((vector_size(64)));
    for (Index i = 0; i < n_rows; ++i, scores += n_scores) {
        const Index row = label_rows[i];
        for (std::size_t e = first_class[row]; e < first_class[row + 1]; ++e) {
            double* into = sums + classes[e] * n_scores;
            counts[classes[e]] += 1.0;
            for (Index j = 0; j < n_scores; j += 8) {
                store(into + j, load<Vector>(into + j) + load<Vector>(scores + j));
            }
        }
    }
}

// Scatter of a score with label columns over two sets of rows together, less the scatters within: n_a n_b / n times the
// steps of both means.
inline Block between(double n_a, double n_b, double step_x, Block mean_a, Block mean_b) {
    return n_a > 0.0 ? n_a * (n_b / (n_a + n_b)) * step_x * (mean_b - mean_a) : Block{};
}

template <int kD>  // scores of the component, 0 if not known when compiling
void sum_errors_of(const ComponentFolds& x, const LabelFolds& y, double* workspace, double* errors) {
    const Index d = kD > 0 ? kD : x.d;
    const Index n_folds = x.n_folds;
    for (Index first = 0; first < y.n_columns; first += kErrorColumns) {
        const auto label = [&](const double* of, Index fold) { return load<Block>(of + fold * y.n_columns + first); };
        const auto cross = [&](Index fold, Index a) {
            return load<Block>(y.cross + fold * y.cross_stride + a * y.n_columns + first);
        };
        const auto before = [&](Index fold, Index a) { return workspace + (fold * d + a) * kErrorColumns; };
        for (Index a = 0; a < d; ++a) {
            store(before(0, a), Block{});
        }
        for (Index fold = 0; fold + 1 < n_folds; ++fold) {
            for (Index a = 0; a < d; ++a) {
                const double step = x.mean_of[fold * x.mean_stride + a] - x.mean_before[fold * x.mean_stride + a];
                const Block added =
                    between(x.n_before[fold], x.n_in[fold], step, label(y.mean_before, fold), label(y.mean_of, fold));
                store(before(fold + 1, a), load<Block>(before(fold, a)) + cross(fold, a) + added);
            }
        }
        Block after[kMostScores] = {};
        Block error = {};
        for (Index fold = n_folds - 1; fold >= 0; --fold) {
            const double* inverse = x.inverse + fold * x.gram_stride;
            const double* scatter = x.scatter + fold * x.gram_stride;
            const Index at = fold * x.mean_stride;
            Block weights[kMostScores] = {};
            for (Index b = 0; b < d; ++b) {
                const Block train =
                    load<Block>(before(fold, b)) + after[b] +
                    between(x.n_before[fold], x.n_after[fold], x.mean_after[at + b] - x.mean_before[at + b],
                            label(y.mean_before, fold), label(y.mean_after, fold));
                for (Index a = 0; a < d; ++a) {
                    weights[a] += inverse[a * d + b] * train;
                }
            }
            // Sum over the fold of (y - mean_train - w^T (x - mean_train))^2, from moments about the fold's own means.
            Block offset = label(y.mean_of, fold) - label(y.mean_train, fold);  // of the fold's mean residual
            Block sum_squared = label(y.squares, fold);
            for (Index a = 0; a < d; ++a) {
                offset -= weights[a] * (x.mean_of[at + a] - x.mean_train[at + a]);
                Block explained = -2.0 * cross(fold, a);
                for (Index b = 0; b < d; ++b) {
                    explained += scatter[a * d + b] * weights[b];
                }
                sum_squared += weights[a] * explained;
            }
            error += sum_squared + x.n_in[fold] * offset * offset;
            for (Index a = 0; a < d; ++a) {
                after[a] +=
                    cross(fold, a) + between(x.n_after[fold], x.n_in[fold], x.mean_of[at + a] - x.mean_after[at + a],
                                             label(y.mean_after, fold), label(y.mean_of, fold));
            }
        }
        store(errors + first, error);
    }
}

void sum_errors(const ComponentFolds& x, const LabelFolds& y, double* workspace, double* errors) {
    if (x.d == 1) {
        sum_errors_of<1>(x, y, workspace, errors);
    } else if (x.d == 2) {
        sum_errors_of<2>(x, y, workspace, errors);
    } else {
        sum_errors_of<0>(x, y, workspace, errors);
    }
}

template <int kVectorBytes, int kScores>
constexpr RidgeCvLoops ridge_cv_loops() {
    return {ProductLoops<double>{kScores, add_products<double, kVectorBytes, kScores>, pack_columns<double>},
            ProductLoops<float>{kScores, add_products<float, kVectorBytes, kScores>, pack_columns<float>},
            add_to_classes, sum_errors};
}

}  // namespace
