"""Linear cross-prediction (reduced-rank regression) as an estimator."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase._estimator import CrossModalEstimator, explained_variance
from crossphase.closed_forms import n_shared_directions, score_deviations, solve_prediction
from crossphase.covariances import PairMoments, PooledMoments
from crossphase.pair_factors import PairFactors


@dataclass(frozen=True, slots=True, eq=False)
class _Solution:
    gains: np.ndarray
    weights_x: np.ndarray
    weights_y: np.ndarray
    coef: np.ndarray


class CrossPrediction(CrossModalEstimator):
    """The best prediction of Y from a few directions of X: reduced-rank regression.

    Minimizes ``E|y - B W x|²`` over maps of rank `n_components`. It weighs the columns of Y by their variance, so the units of Y
    matter. For the other direction, `reversed` costs no second pass.

    Parameters
    ----------
    n_components : int, optional
        Rank of the map. Default: as high as there is, ordinary least squares.
    ridge : float >= 0, or {"auto", "cross_validation", "ledoit_wolf", "oas"}
        Added to the eigenvalues of X's covariance, in units of the mean variance of X's columns; see `CrossAlignment`.
        Cross-validation takes the ridge that explains most variance of held-out Y.
    n_threads, backend
        As for `CrossAlignment`.

    Attributes
    ----------
    gains_ : array, shape (n_components_,)
        Standard deviation of each component of the prediction, in units of Y; without a ridge descending.
    weights_x_ : array, shape (n_features_x, n_components_)
        `transform(X)` has scores of unit variance.
    weights_y_ : array, shape (n_features_y, n_components_)
        Orthonormal directions of Y; `transform_y(Y)` is predicted by ``gains_ * transform(X)``.
    coef_ : array, shape (n_features_y, n_features_x)
    mean_x_, mean_y_, regularization_, n_components_, n_features_in_, n_features_y_in_, moments_

    References
    ----------
    Izenman (1975), J. Multivar. Anal. 5, 248-264. Mukherjee & Zhu (2011), Stat. Anal. Data Min. 4, 612-622 (ridge).
    Kamai et al. (2026), "When to Align, When to Predict", Thm A.2.
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        ridge: float | str = 0.0,
        n_threads: int | None = None,
        backend: str | None = None,
    ) -> None:
        self.n_components = n_components
        self.ridge = ridge
        self.n_threads = n_threads
        self.backend = backend

    @property
    def gains_(self) -> np.ndarray:
        """Standard deviations of the prediction's components."""
        return np.asarray(self._solved.gains)

    def reversed(self) -> CrossPrediction:
        """Prediction of X from Y, fitted to the same moments with the same parameters."""
        _ = self._solved
        states = [PooledMoments(m.n_samples, m.mean_y, m.mean_x, m.cov_yy, m.cov_xx, m.cov_xy.T) for m in self.moments_]
        other = CrossPrediction(self.n_components, ridge=self.ridge, n_threads=self.n_threads, backend=self.backend)
        return other.fit_moments(states)

    def _check_parameters(self) -> None:
        pass

    def _solve(self, factors: PairFactors, n_components: int) -> _Solution:
        found = solve_prediction(factors, n_components)
        shared = slice(n_shared_directions(found.gains, factors.moments))
        gains, weights_x, directions_y = found.gains[shared], found.weights_x[:, shared], found.directions_y[:, shared]
        deviations = score_deviations(weights_x, factors.moments.cov_xx)
        coef = (directions_y * gains) @ weights_x.T
        return _Solution(gains * deviations, weights_x / deviations, directions_y, coef)

    def _held_out_loss(self, solution: _Solution, training: PairMoments, held_out: PairMoments) -> float:
        return -explained_variance(solution.coef, training, held_out)
