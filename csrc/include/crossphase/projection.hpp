// Scores of samples on weights: scores = (x - mean) W, in one pass over the samples as they are stored.
//
// x: n x p in any sample type and strides; W: p x k; scores: n x k, float64. Every score sums its features in order, so
// its bits depend on the instruction set alone. Cost 2 n p k flop.
#pragma once

#include <span>

#include "crossphase/matrix_view.hpp"

namespace crossphase::cpu {

void project(const SampleView& samples, std::span<const double> mean, MatrixView<const double> weights,
             MatrixView<double> scores, int n_threads);

}  // namespace crossphase::cpu
