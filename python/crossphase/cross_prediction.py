"""Linear cross-prediction (reduced-rank regression) as an estimator."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone

from crossphase._estimator import CrossModalEstimator, LinearMaps, squared_error
from crossphase.closed_forms import score_deviations, shared_directions, solve_prediction
from crossphase.covariances import PairCovariances, PairMoments, PooledMoments
from crossphase.pair_factors import PairFactors
from crossphase.precision import precision_of


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
        return self._solved.maps.spectrum

    def reversed(self) -> CrossPrediction:
        """Prediction of X from Y, fitted to the same moments with the same parameters; `partial_fit` cannot go on from it."""
        _ = self._solved
        other: CrossPrediction = clone(self).fit_moments(
            [_swapped(state) for state in self.moments_ if state.n_samples > 0]
        )
        names = {"feature_names_in_": "feature_names_y_in_", "feature_names_y_in_": "feature_names_in_"}
        for theirs, ours in names.items():
            if getattr(self, ours, None) is not None:
                setattr(other, theirs, getattr(self, ours))
        return other

    def _check_parameters(self) -> None:
        pass

    def _solve(self, factors: PairFactors, n_components: int) -> LinearMaps:
        m = factors.moments
        found = solve_prediction(factors, n_components)
        shared = shared_directions(found.gains, found.weights_x, found.directions_y, m)
        gains, weights_x, directions_y = found.gains[shared], found.weights_x[:, shared], found.directions_y[:, shared]
        deviations = score_deviations(weights_x, m.cov_xx)
        # A gain belongs to a score of unit variance under the regularized covariance. With a ridge the rows' own variance is
        # below 1. A shrunk covariance can leave it above, and the map would overshoot least squares: it gets those instead.
        return LinearMaps(gains * np.minimum(deviations, 1 / deviations), weights_x / deviations, directions_y)

    def _loadings(self, maps: LinearMaps, moments: PairCovariances) -> np.ndarray:  # noqa: ARG002  (the maps say it all)
        return np.asarray(maps.spectrum[:, None] * maps.weights_y.T)

    def _held_out_sums(self, maps: LinearMaps, training: PairMoments, held_out: PairMoments) -> np.ndarray:
        return np.array(squared_error(maps.weights_x, self._loadings(maps, training), training, held_out))


def _swapped(m: PairMoments) -> PooledMoments:
    """The roles of X and Y exchanged, for a state of a single row too, which has no covariance."""
    p, q = len(m.mean_x), len(m.mean_y)
    covs = (m.cov_yy, m.cov_xx, m.cov_xy.T) if m.n_samples > 1 else tuple(np.zeros(s) for s in ((q, q), (p, p), (q, p)))
    return PooledMoments(m.n_samples, m.mean_y, m.mean_x, covs[0], covs[1], covs[2], precision_of(m))
