// The inner loops of a cross-validated ridge regression, compiled once per instruction set.
#pragma once

#include <cstddef>

namespace crossphase::cpu::isa {

// Label columns of one packed panel: two cache lines of each precision.
template <typename Real>
inline constexpr std::ptrdiff_t kPanelColumns = 128 / static_cast<std::ptrdiff_t>(sizeof(Real));

inline constexpr std::ptrdiff_t kMostScores = 8;     // of one component
inline constexpr std::ptrdiff_t kErrorColumns = 16;  // label columns whose errors are summed together

// What a component's regressions need, fold by fold; entry f of a d-vector or d x d matrix begins at f * stride.
struct ComponentFolds {
    std::ptrdiff_t n_folds, d;
    const double* n_in;  // rows of each fold; of all folds before it; of all after it
    const double* n_before;
    const double* n_after;
    std::ptrdiff_t mean_stride;  // of the score means: in the fold, before it, after it, on its training rows
    const double* mean_of;
    const double* mean_before;
    const double* mean_after;
    const double* mean_train;
    std::ptrdiff_t gram_stride;
    const double* inverse;  // of the training rows' ridged scatter
    const double* scatter;  // of the fold's rows
};

// Moments of n_columns label columns (a multiple of kErrorColumns) in every fold; entry f begins at f * n_columns.
struct LabelFolds {
    std::ptrdiff_t n_columns;
    const double* mean_of;
    const double* mean_before;
    const double* mean_after;
    const double* mean_train;
    const double* squares;
    const double* cross;  // with score column s of the component in fold f: at f * cross_stride + s * n_columns
    std::ptrdiff_t cross_stride;
};

template <typename Real>
struct ProductLoops {
    std::ptrdiff_t most_scores;  // columns of a group of packed scores, at most

    // products += scores^T labels over n_rows rows of n_scores packed scores and one packed panel of labels; the sums
    // of one call are in the precision of the factors.
    void (*add_products)(const Real* scores, std::ptrdiff_t n_scores, const Real* labels, std::ptrdiff_t n_rows,
                         double* products, std::ptrdiff_t row_stride);

    // Packs 8 columns of `labels - shift`, one row for each pointer, and adds the columns and their squares to two
    // sums.
    void (*pack_columns)(const double* const* labels, std::ptrdiff_t offset, std::ptrdiff_t n_rows, const double* shift,
                         Real* panel, double* sums, double* squares);
};

struct RidgeCvLoops {
    ProductLoops<double> in_float64;
    ProductLoops<float> in_float32;

    // sums[class] += scores of row i for every class of its label row, counts[class] += 1. Label row r belongs to the
    // classes classes[first_class[r]] ... classes[first_class[r + 1] - 1]; n_scores is a multiple of 8.
    void (*add_to_classes)(const double* scores, std::ptrdiff_t n_scores, const std::ptrdiff_t* label_rows,
                           std::ptrdiff_t n_rows, const std::size_t* first_class, const std::ptrdiff_t* classes,
                           double* sums, double* counts);

    // errors[j]: sum over the folds of the squared errors of label column j, predicted from the component.
    // Workspace: n_folds d kErrorColumns values.
    void (*sum_errors)(const ComponentFolds& component, const LabelFolds& labels, double* workspace, double* errors);
};

extern const RidgeCvLoops ridge_cv_loops_baseline;
extern const RidgeCvLoops ridge_cv_loops_avx2;
extern const RidgeCvLoops ridge_cv_loops_avx512;

}  // namespace crossphase::cpu::isa
