"""What can be handed to a probe: frozen views, both side by side, and the outputs of cross-modal heads."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from crossphase.cholesky_factor import Regularization
from crossphase.closed_forms import solve_alignment, solve_joint, solve_prediction
from crossphase.covariances import Covariances, swapped
from crossphase.fold_moments import LabelledMoments
from crossphase.pair_factors import PairFactors

# A bottleneck trained to predict starts as a random map of its input, and nothing in its loss removes what the target does
# not need (an alignment loss does: its invariance term is what the views do not share). How much of the output's variance
# stays the input's own depends on optimizer and time; one half is the middle between the lazy limit, where all does (Chizat,
# Oyallon & Bach 2019, NeurIPS), and the optimum of the loss, where none does.
INPUT_SHARE = 0.5
_INITIALIZATION = 0  # seed of that random map: the same for every fold and view
_CONSTANT = 1e-6  # a column whose deviation is below this share of the view's median deviation, or of its mean, is dead


class AtUse(StrEnum):
    """Which views there will be when the representation is used."""

    X = "x"
    Y = "y"
    BOTH = "both"


class Candidate(StrEnum):
    """A representation to probe."""

    X = "x"  # the frozen views
    Y = "y"
    CONCAT = "concat"  # both side by side
    CA = "ca"  # both aligned projections side by side
    CA_X = "ca_x"
    CA_Y = "ca_y"
    CP = "cp"  # the bottleneck, fed by X, that predicts Y
    CP_REVERSE = "cp_reverse"  # the bottleneck, fed by Y, that predicts X
    JOINT = "joint"  # the X side of aligning and predicting at once


@dataclass(frozen=True, slots=True, eq=False)
class Heads:
    """Linear maps of standardized rows, fitted on training moments; outputs of a head have total variance `width`."""

    mean_x: np.ndarray  # (n_features_x,)
    mean_y: np.ndarray
    inverse_scale_x: np.ndarray  # (n_features_x,); 0 for a column that does not vary
    inverse_scale_y: np.ndarray
    weights: dict[Candidate, np.ndarray]  # on standardized columns
    ridge: float

    def features(self, candidate: Candidate, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """What a probe sees of rows that `standardize` made."""
        if candidate is Candidate.X:
            return x
        if candidate is Candidate.Y:
            return y
        if candidate is Candidate.CONCAT:
            return np.hstack([x, y])
        if candidate is Candidate.CA:
            return np.hstack([x @ self.weights[Candidate.CA_X], y @ self.weights[Candidate.CA_Y]])
        source = y if candidate in (Candidate.CA_Y, Candidate.CP_REVERSE) else x
        return np.asarray(source @ self.weights[candidate])

    def standardize(self, x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Rows of both views in float64, centred and scaled by the training rows."""
        return (x - self.mean_x) * self.inverse_scale_x, (y - self.mean_y) * self.inverse_scale_y


def inverse_scales(mean: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """One over the standard deviation of every column, 0 for columns that do not vary."""
    deviations = np.sqrt(np.maximum(np.diag(cov), 0.0))
    varying = deviations[deviations > 0]
    least = _CONSTANT * np.maximum(np.median(varying) if len(varying) else 0.0, np.abs(mean))
    return np.divide(1.0, deviations, out=np.zeros(len(deviations)), where=deviations > least)


def standardized(moments: LabelledMoments, scale_x: np.ndarray, scale_y: np.ndarray) -> Covariances:
    """Covariances of columns multiplied by `scale_x`, `scale_y`."""
    return Covariances(
        moments.cov_xx * scale_x * scale_x[:, None],
        moments.cov_yy * scale_y * scale_y[:, None],
        moments.cov_xy * scale_y * scale_x[:, None],
    )


def fit_heads(training: LabelledMoments, *, width: int, ridge: float) -> Heads:
    """Closed-form heads of `width` outputs.

    Closed forms fix a subspace; how a trained head weighs its directions matters as much to a regularized probe on few
    labels. Alignment: every score by its correlation, which makes it the best guess of its partner. Prediction: by the square
    root of its gain, since gradient descent shares a product of two layers evenly between them (Saxe, McClelland & Ganguli
    2014), with `INPUT_SHARE` of the variance the input's own.
    """
    scale_x = inverse_scales(training.mean_x, training.cov_xx)
    scale_y = inverse_scales(training.mean_y, training.cov_yy)
    covariances = standardized(training, scale_x, scale_y)
    regularization = Regularization(ridge=ridge)
    factors = PairFactors(covariances, x=regularization, y=regularization)
    k = min(width, *covariances.cov_xy.shape)
    reverse = PairFactors(swapped(covariances), x=regularization, y=regularization)
    alignment, joint = solve_alignment(factors, k), solve_joint(factors, k, 1.0)
    weights = {
        Candidate.CA_X: _scaled(alignment.weights_x * alignment.correlations, covariances.cov_xx, width),
        Candidate.CA_Y: _scaled(alignment.weights_y * alignment.correlations, covariances.cov_yy, width),
        Candidate.CP: _bottleneck(factors, covariances.cov_xx, k, width),
        Candidate.CP_REVERSE: _bottleneck(reverse, covariances.cov_yy, k, width),
        Candidate.JOINT: _scaled(joint.weights_x * np.sqrt(joint.strengths), covariances.cov_xx, width),
    }
    return Heads(training.mean_x, training.mean_y, scale_x, scale_y, weights, ridge)


def _bottleneck(factors: PairFactors, cov: np.ndarray, k: int, width: int) -> np.ndarray:
    """Learned directions, turned at random, on top of the random map that the layer started from."""
    prediction = solve_prediction(factors, k)
    generator = np.random.default_rng(_INITIALIZATION)
    rotation = np.linalg.qr(generator.standard_normal((width, k)))[0].T
    learned = (prediction.weights_x * np.sqrt(prediction.gains)) @ rotation
    start = generator.standard_normal((len(cov), width))
    return np.asarray(_scaled(learned, cov, (1 - INPUT_SHARE) * width) + _scaled(start, cov, INPUT_SHARE * width))


def _scaled(weights: np.ndarray, cov: np.ndarray, total_variance: float) -> np.ndarray:
    """Weights times the number that gives their scores this total variance."""
    variance = float(np.vdot(weights, cov @ weights))
    return weights * np.sqrt(total_variance / variance) if variance > 0 else weights
