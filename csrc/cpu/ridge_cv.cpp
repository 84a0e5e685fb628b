#include "crossphase/ridge_cv.hpp"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include "crossphase/instruction_set.hpp"
#include "crossphase/scalar_math.hpp"
#include "crossphase/thread_pool.hpp"
#include "packed_panels.hpp"

namespace crossphase::cpu {
namespace {

using Buffer = std::vector<double>;
using Index = std::ptrdiff_t;

constexpr Index kChunkRows = 256;    // rows of a score panel that stay in the first-level cache: 32 KiB
constexpr Index kLabelColumns = 64;  // permuted label columns handled together, so that one label still fills panels

std::size_t at(Index i) {
    return static_cast<std::size_t>(i);
}

Buffer column_means(MatrixView<const double> matrix) {
    Buffer means(at(matrix.n_columns));
    for (Index i = 0; i < matrix.n_rows; ++i) {
        for (Index j = 0; j < matrix.n_columns; ++j) {
            means[at(j)] += matrix(i, j);
        }
    }
    for (double& mean : means) {
        mean /= static_cast<double>(matrix.n_rows);
    }
    return means;
}

// Overwrites a symmetric positive definite d x d matrix with its inverse (Gauss-Jordan; d is 1 or 2 in practice).
void invert_in_place(double* a, Index d) {
    for (Index k = 0; k < d; ++k) {
        const double pivot = 1.0 / a[k * d + k];
        a[k * d + k] = 1.0;
        for (Index j = 0; j < d; ++j) {
            a[k * d + j] *= pivot;
        }
        for (Index i = 0; i < d; ++i) {
            if (i == k) {
                continue;
            }
            const double factor = a[i * d + k];
            a[i * d + k] = 0.0;
            for (Index j = 0; j < d; ++j) {
                a[i * d + j] -= factor * a[k * d + j];
            }
        }
    }
}

// What permutations leave alone: rows by fold, the packed scores, the labels, and of every fold its sums of x and x
// x^T, the means of its training rows, the inverse of their ridged Gram matrix, and the Gram matrix of its test rows
// about those means.
class Folds {
  public:
    explicit Folds(const RidgeCvInput& input)
        : d(input.scores_per_component),
          n_columns(input.scores.n_columns),
          n_components(n_columns / d),
          n_folds(input.n_folds),
          n_rows(input.scores.n_rows),
          first_row(at(n_folds + 1), 0),
          row(at(n_rows)) {
        sort_rows(input.folds);
        pack_scores(input.scores);
        centre_labels(input.labels);
        sum_scores();
        fit_grams(input.alpha);
    }

    Index rows_in(Index fold) const { return first_row[at(fold + 1)] - first_row[at(fold)]; }
    double n_train(Index fold) const { return static_cast<double>(n_rows - rows_in(fold)); }
    const double* sum(Index fold) const { return sums.data() + fold * n_columns; }
    const double* train_mean(Index fold) const { return train_means.data() + fold * n_columns; }
    const double* inverse(Index fold, Index c) const { return inverses.data() + (fold * n_components + c) * d * d; }
    const double* test_gram(Index fold, Index c) const { return test_grams.data() + (fold * n_components + c) * d * d; }

    const Index d, n_columns, n_components, n_folds, n_rows;
    std::vector<Index> first_row;      // n_folds + 1: where each fold begins in `row`
    std::vector<Index> row;            // row numbers, fold after fold
    std::vector<PackedPanels> scores;  // by fold, centred
    Buffer labels;                     // n_rows x n_labels, centred

  private:
    void sort_rows(std::span<const Index> folds) {
        for (const Index fold : folds) {
            if (fold < 0 || fold >= n_folds) {
                throw std::invalid_argument("a fold number lies outside 0 ... n_folds - 1");
            }
            ++first_row[at(fold + 1)];
        }
        for (Index fold = 0; fold < n_folds; ++fold) {
            if (first_row[at(fold + 1)] == 0 || first_row[at(fold + 1)] == n_rows) {
                throw std::invalid_argument("a fold is empty or holds every row");
            }
            first_row[at(fold + 1)] += first_row[at(fold)];
        }
        std::vector<Index> next(first_row.begin(), first_row.end() - 1);
        for (Index i = 0; i < n_rows; ++i) {
            row[at(next[at(folds[at(i)])]++)] = i;
        }
    }

    void pack_scores(MatrixView<const double> from) {
        const Buffer means = column_means(from);
        for (Index fold = 0; fold < n_folds; ++fold) {
            PackedPanels& panels = scores.emplace_back(rows_in(fold), n_columns);
            for (Index i = 0; i < rows_in(fold); ++i) {
                for (Index j = 0; j < n_columns; ++j) {
                    panels(i, j) = from(row[at(first_row[at(fold)] + i)], j) - means[at(j)];
                }
            }
        }
    }

    void centre_labels(MatrixView<const double> from) {
        const Buffer means = column_means(from);
        labels.reserve(at(from.n_rows * from.n_columns));
        for (Index i = 0; i < from.n_rows; ++i) {
            for (Index j = 0; j < from.n_columns; ++j) {
                labels.push_back(from(i, j) - means[at(j)]);
            }
        }
    }

    void sum_scores() {
        sums.assign(at(n_folds * n_columns), 0.0);
        grams.assign(at(n_folds * n_columns * d), 0.0);
        for (Index fold = 0; fold < n_folds; ++fold) {
            PackedPanels& panels = scores[at(fold)];
            for (Index i = 0; i < rows_in(fold); ++i) {
                for (Index j = 0; j < n_columns; ++j) {
                    const double x = panels(i, j);
                    sums[at(fold * n_columns + j)] += x;
                    for (Index b = 0; b < d; ++b) {  // row j of the component's d x d Gram matrix
                        grams[at((fold * n_columns + j) * d + b)] += x * panels(i, j - j % d + b);
                    }
                }
            }
        }
    }

    void fit_grams(double alpha) {
        train_means.assign(at(n_folds * n_columns), 0.0);
        inverses.assign(grams.size(), 0.0);
        test_grams.assign(grams.size(), 0.0);
        for (Index fold = 0; fold < n_folds; ++fold) {
            for (Index other = 0; other < n_folds; ++other) {
                if (other == fold) {
                    continue;  // summed without the fold, not by subtracting it: no cancellation
                }
                for (Index j = 0; j < n_columns; ++j) {
                    train_means[at(fold * n_columns + j)] += sum(other)[j];
                }
                for (Index j = 0; j < n_columns * d; ++j) {
                    inverses[at(fold * n_columns * d + j)] += grams[at(other * n_columns * d + j)];
                }
            }
            const auto n_test = static_cast<double>(rows_in(fold));
            for (Index j = 0; j < n_columns; ++j) {
                train_means[at(fold * n_columns + j)] /= n_train(fold);
            }
            for (Index j = 0; j < n_columns; ++j) {
                for (Index b = 0; b < d; ++b) {
                    const Index k = j - j % d + b;
                    const Index entry = (fold * n_columns + j) * d + b;
                    const double mean_j = train_mean(fold)[j];
                    const double mean_k = train_mean(fold)[k];
                    inverses[at(entry)] += (j == k ? alpha : 0.0) - n_train(fold) * mean_j * mean_k;
                    test_grams[at(entry)] =
                        grams[at(entry)] - mean_j * sum(fold)[k] - sum(fold)[j] * mean_k + n_test * mean_j * mean_k;
                }
            }
            for (Index c = 0; c < n_components; ++c) {
                invert_in_place(inverses.data() + (fold * n_components + c) * d * d, d);
            }
        }
    }

    Buffer sums, grams, train_means, inverses, test_grams;
};

// Sums over each fold of a group of permuted label columns, padded with zeros to whole panels: y, y^2, the training
// mean of y, and x y for every score column.
struct LabelSums {
    LabelSums(const Folds& folds, Index n_used)
        : n_columns((n_used + kPanelWidth - 1) / kPanelWidth * kPanelWidth),
          sum(at(folds.n_folds * n_columns)),
          squares(sum.size()),
          train_mean(sum.size()),
          cross(at(folds.n_folds * folds.n_columns * n_columns)),
          total_cross(at(folds.n_columns * n_columns)) {}

    const double* of_fold(const Buffer& values, Index fold) const { return values.data() + fold * n_columns; }

    const Index n_columns;
    Buffer sum, squares, train_mean;  // n_folds x n_columns
    Buffer cross;                     // n_folds x score columns x n_columns
    Buffer total_cross;               // score columns x n_columns
};

void add_products(const Folds& folds, Index fold, Index first, const PackedPanels& labels, LabelSums& sums) {
    const PanelProduct product = instruction_set().panel_product;
    const PackedPanels& scores = folds.scores[at(fold)];
    for (Index s = 0; s < scores.n_panels(); ++s) {
        const Index n_here = std::min(kPanelWidth, folds.n_columns - s * kPanelWidth);
        for (Index l = 0; l < labels.n_panels(); ++l) {
            double tile[kPanelWidth * kPanelWidth] = {};
            product(scores.panel(s) + first * kPanelWidth, labels.panel(l), labels.n_rows(), tile);
            for (Index i = 0; i < n_here; ++i) {
                const Index row = fold * folds.n_columns + s * kPanelWidth + i;
                double* into = sums.cross.data() + row * sums.n_columns + l * kPanelWidth;
                for (Index j = 0; j < kPanelWidth; ++j) {
                    into[j] += tile[i * kPanelWidth + j];
                }
            }
        }
    }
}

void finish(const Folds& folds, LabelSums& sums) {
    const Index size = folds.n_columns * sums.n_columns;
    for (Index fold = 0; fold < folds.n_folds; ++fold) {
        for (Index k = 0; k < size; ++k) {
            sums.total_cross[at(k)] += sums.cross[at(fold * size + k)];
        }
        for (Index other = 0; other < folds.n_folds; ++other) {
            for (Index j = 0; other != fold && j < sums.n_columns; ++j) {
                sums.train_mean[at(fold * sums.n_columns + j)] += sums.sum[at(other * sums.n_columns + j)];
            }
        }
        for (Index j = 0; j < sums.n_columns; ++j) {
            sums.train_mean[at(fold * sums.n_columns + j)] /= folds.n_train(fold);
        }
    }
}

LabelSums sum_labels(const RidgeCvInput& input, const Folds& folds, Index first_permutation, Index n_permutations) {
    const Index n_labels = input.labels.n_columns;
    LabelSums sums(folds, n_permutations * n_labels);
    Buffer row(at(sums.n_columns));
    for (Index fold = 0; fold < folds.n_folds; ++fold) {
        double* sum = sums.sum.data() + fold * sums.n_columns;
        double* squares = sums.squares.data() + fold * sums.n_columns;
        for (Index first = 0; first < folds.rows_in(fold); first += kChunkRows) {
            PackedPanels labels(std::min(kChunkRows, folds.rows_in(fold) - first), sums.n_columns);
            for (Index i = 0; i < labels.n_rows(); ++i) {
                const Index score_row = folds.row[at(folds.first_row[at(fold)] + first + i)];
                for (Index k = 0; k < n_permutations; ++k) {
                    const Index label_row = input.permutations(first_permutation + k, score_row);
                    std::copy_n(folds.labels.data() + label_row * n_labels, n_labels, row.data() + k * n_labels);
                }
                for (Index j = 0; j < sums.n_columns; ++j) {
                    sum[j] += row[at(j)];
                    squares[j] += row[at(j)] * row[at(j)];
                }
                for (Index l = 0; l < labels.n_panels(); ++l) {
                    std::copy_n(row.data() + l * kPanelWidth, kPanelWidth, labels.panel(l) + i * kPanelWidth);
                }
            }
            add_products(folds, fold, first, labels, sums);
        }
    }
    finish(folds, sums);
    return sums;
}

// Errors of component c summed over folds, for every label column of the group, added to `error`.
void add_errors(const Folds& folds, const LabelSums& sums, Index c, double* error) {
    const Index d = folds.d;
    const Index n_columns = sums.n_columns;
    for (Index fold = 0; fold < folds.n_folds; ++fold) {
        const auto n_test = static_cast<double>(folds.rows_in(fold));
        const double n_train = folds.n_train(fold);
        const double* mean_x = folds.train_mean(fold) + c * d;
        const double* sum_x = folds.sum(fold) + c * d;
        const double* inverse = folds.inverse(fold, c);
        const double* gram = folds.test_gram(fold, c);
        const double* mean_y = sums.of_fold(sums.train_mean, fold);
        const double* sum_y = sums.of_fold(sums.sum, fold);
        const double* squares_y = sums.of_fold(sums.squares, fold);
        const double* test_cross = sums.cross.data() + (fold * folds.n_columns + c * d) * n_columns;
        const double* total_cross = sums.total_cross.data() + c * d * n_columns;
        for (Index j = 0; j < n_columns; ++j) {
            double weights[kMaxScoresPerComponent] = {};
            for (Index b = 0; b < d; ++b) {
                const double train_cross =
                    total_cross[b * n_columns + j] - test_cross[b * n_columns + j] - n_train * mean_x[b] * mean_y[j];
                for (Index a = 0; a < d; ++a) {
                    weights[a] += inverse[a * d + b] * train_cross;
                }
            }
            double sum_squared = squares_y[j] - 2.0 * mean_y[j] * sum_y[j] + n_test * mean_y[j] * mean_y[j];
            for (Index a = 0; a < d; ++a) {
                const double cross = test_cross[a * n_columns + j] - mean_x[a] * sum_y[j] - sum_x[a] * mean_y[j] +
                                     n_test * mean_x[a] * mean_y[j];
                double explained = -2.0 * cross;
                for (Index b = 0; b < d; ++b) {
                    explained += gram[a * d + b] * weights[b];
                }
                sum_squared += weights[a] * explained;
            }
            error[j] += sum_squared;
        }
    }
}

// Total sum of squares of every label column of the group about the means of the test folds.
Buffer total_squares(const Folds& folds, const LabelSums& sums) {
    Buffer total(at(sums.n_columns));
    for (Index fold = 0; fold < folds.n_folds; ++fold) {
        const double* sum_y = sums.of_fold(sums.sum, fold);
        const double* squares_y = sums.of_fold(sums.squares, fold);
        for (Index j = 0; j < sums.n_columns; ++j) {
            total[at(j)] += squares_y[j] - sum_y[j] * sum_y[j] / static_cast<double>(folds.rows_in(fold));
        }
    }
    return total;
}

void require_consistent(const RidgeCvInput& input, MatrixView<double> r2) {
    const Index n = input.scores.n_rows;
    const Index d = input.scores_per_component;
    if (d < 1 || d > kMaxScoresPerComponent || input.scores.n_columns % d != 0 || input.labels.n_rows != n ||
        input.permutations.n_columns != n || static_cast<Index>(input.folds.size()) != n || !(input.alpha > 0.0) ||
        r2.n_rows != input.permutations.n_rows * (input.scores.n_columns / d) ||
        r2.n_columns != input.labels.n_columns) {
        throw std::invalid_argument("component_r2: the shapes do not fit together, or alpha is not positive");
    }
    for (Index k = 0; k < input.permutations.n_rows; ++k) {
        for (Index i = 0; i < n; ++i) {
            if (input.permutations(k, i) < 0 || input.permutations(k, i) >= n) {
                throw std::invalid_argument("component_r2: a permutation holds a row number outside 0 ... n - 1");
            }
        }
    }
}

}  // namespace

void component_r2(const RidgeCvInput& input, MatrixView<double> r2, int n_threads) {
    require_consistent(input, r2);
    const Folds folds(input);
    const Index n_labels = input.labels.n_columns;
    const Index n_permutations = input.permutations.n_rows;
    const Index group = std::max<Index>(1, kLabelColumns / std::max<Index>(1, n_labels));
    parallel_for((n_permutations + group - 1) / group, n_threads, [&](Index task) {
        const Index first = task * group;
        const Index count = std::min(group, n_permutations - first);
        const LabelSums sums = sum_labels(input, folds, first, count);
        const Buffer total = total_squares(folds, sums);
        Buffer error(total.size());
        for (Index c = 0; c < folds.n_components; ++c) {
            std::fill(error.begin(), error.end(), 0.0);
            add_errors(folds, sums, c, error.data());
            for (Index k = 0; k < count; ++k) {
                for (Index l = 0; l < n_labels; ++l) {
                    const std::size_t column = at(k * n_labels + l);
                    r2((first + k) * folds.n_components + c, l) = clipped_r2(error[column], total[column]);
                }
            }
        }
    });
}

}  // namespace crossphase::cpu
