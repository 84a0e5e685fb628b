"""Linear alignment and prediction at once, as an estimator."""

from __future__ import annotations

import numpy as np

from crossphase._estimator import CrossModalEstimator, LinearMaps, squared_error
from crossphase._scalars import check_number
from crossphase.closed_forms import linear_probe, score_deviations, score_noise, solve_joint
from crossphase.covariances import PairCovariances, PairMoments
from crossphase.pair_factors import PairFactors


class JointObjective(CrossModalEstimator):
    """Directions of X that predict Y and align with it: between `CrossPrediction` and `CrossAlignment`.

    Minimizes ``E|B W x - y|² + alignment_weight E|W x - V y|²`` over B, V, and W with scores of unit variance.

    Parameters
    ----------
    n_components : int, optional
        Default: as many as X and Y share.
    alignment_weight : float, >= 0, infinity included
        λ of the objective, in squared units of Y: the directions are those of cross-prediction at 0, of cross-alignment at
        infinity. The map onto Y is least squares on the scores, so with a ridge it shrinks less than `CrossPrediction`'s.
    ridge : float >= 0, or {"auto", "cross_validation", "ledoit_wolf", "oas"}
        On both covariances; see `CrossAlignment`. Cross-validation minimizes the objective itself on held-out rows (for an
        infinite weight, its alignment part).
    n_threads, backend
        As for `CrossAlignment`.

    Attributes
    ----------
    weights_x_, weights_y_ : arrays, shapes (n_features_x, n_components_) and (n_features_y, n_components_)
        W and V, transposed. Components come by descending share of the objective.
    coef_ : array, shape (n_features_y, n_features_x)
        ``B W``: least squares of Y on the scores.
    mean_x_, mean_y_, regularization_, n_components_, n_features_in_, n_features_y_in_, moments_

    References
    ----------
    Kamai et al. (2026), "When to Align, When to Predict", Prop. 3.10 and Cor. 3.12 of their code.
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        alignment_weight: float = 1.0,
        ridge: float | str = 0.0,
        n_threads: int | None = None,
        backend: str | None = None,
    ) -> None:
        self.n_components = n_components
        self.alignment_weight = alignment_weight
        self.ridge = ridge
        self.n_threads = n_threads
        self.backend = backend

    def _check_parameters(self) -> None:
        if self.alignment_weight != np.inf:
            check_number(self.alignment_weight, "alignment_weight", least=0)

    def _solve(self, factors: PairFactors, n_components: int) -> LinearMaps:
        m = factors.moments
        found = solve_joint(factors, n_components, float(self.alignment_weight))
        noise = score_noise(found.weights_x, m.cov_xx)
        is_above = (
            found.strengths > np.sqrt(noise * np.finfo(float).eps * 10 * max(m.cov_xy.shape)) * found.strengths[0]
        )
        shared = is_above & (score_deviations(found.weights_x, m.cov_xx) ** 2 > noise)
        weights_x, weights_y = found.weights_x[:, shared], found.weights_y[:, shared]
        deviations = score_deviations(weights_x, m.cov_xx)
        return LinearMaps(found.strengths[shared], weights_x / deviations, weights_y / deviations)

    def _loadings(self, maps: LinearMaps, moments: PairCovariances) -> np.ndarray:
        return linear_probe(maps.weights_x, moments)

    def _held_out_sums(self, maps: LinearMaps, training: PairMoments, held_out: PairMoments) -> np.ndarray:
        x, y, n = maps.weights_x, maps.weights_y, held_out.n_samples
        gap = (held_out.mean_x - training.mean_x) @ x - (held_out.mean_y - training.mean_y) @ y
        variance = (
            np.vdot(x, held_out.cov_xx @ x) - 2 * np.vdot(x, held_out.cov_xy @ y) + np.vdot(y, held_out.cov_yy @ y)
        )
        misalignment = (n - 1) * variance + n * (gap @ gap)
        if self.alignment_weight == np.inf:
            return np.array(misalignment)
        error = squared_error(x, self._loadings(maps, training), training, held_out)
        return np.array(error + self.alignment_weight * misalignment)
