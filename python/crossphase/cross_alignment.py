"""Linear cross-alignment (canonical correlation analysis) as an estimator."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np

from crossphase._estimator import CrossModalEstimator, LinearMaps
from crossphase._scalars import check_choice
from crossphase.closed_forms import linear_probe, score_deviations, shared_directions, solve_alignment
from crossphase.covariances import PairCovariances, PairMoments
from crossphase.errors import InputValueError
from crossphase.pair_factors import PairFactors


class Normalization(StrEnum):
    """How long the weights are."""

    UNIT_VARIANCE = "unit_variance"  # the usual one of canonical correlation analysis
    CROSS_MOMENT = "cross_moment"  # scores of X and Y have the identity as their cross-covariance


class CrossAlignment(CrossModalEstimator):
    """Linear maps that bring the paired rows of two views as close as possible: canonical correlation analysis.

    Minimizes ``E|W x - V y|²`` subject to ``E[W x (V y)^T] = I`` (``normalization="cross_moment"``, as in Kamai et al.), whose
    optimum has the directions of canonical correlation analysis; ``"unit_variance"`` scales them as is usual there.
    `predict` is a least-squares probe of Y on the scores of X.

    Parameters
    ----------
    n_components : int, optional
        Default: as many as there are, directions of correlation 0 not counted.
    normalization : {"unit_variance", "cross_moment"}
    ridge : float >= 0, or {"auto", "cross_validation", "ledoit_wolf", "oas"}
        Added to the eigenvalues of both covariances, in units of the mean variance of the view's columns, so that
        multiplying a view by a number changes nothing. "cross_validation" takes the ridge of the highest mean correlation on
        held-out rows (5 folds, row i in fold i mod 5); "ledoit_wolf" and "oas" shrink the covariances towards a sphere by
        formula; "auto" is cross-validation where there are folds, which `fit` and `partial_fit` make, and "oas" for a single
        state of moments.
    n_threads : int, optional
        Default: ``CROSSPHASE_NUM_THREADS``, else one a core.
    backend : {"cpu", "reference"}, optional
        Of the moments and the scores.

    Attributes
    ----------
    correlations_ : array, shape (n_components_,)
        Correlations of the paired scores of the rows fitted to: without a ridge the canonical correlations, descending. They
        are in-sample: see `score`.
    weights_x_, weights_y_ : arrays, shapes (n_features_x, n_components_) and (n_features_y, n_components_)
        The largest entry of each column of `weights_x_` is positive.
    coef_ : array, shape (n_features_y, n_features_x)
        Alignment followed by the probe, as one map.
    mean_x_, mean_y_, regularization_, n_components_, n_features_in_, n_features_y_in_
    moments_ : list of CrossMoments
        What is kept of the rows, in the order of the folds. A state holds up to 1023 rows as they are, and so does a pickle.

    Notes
    -----
    Cost: one pass over the rows, O(n (p + q)²), then O(p³ + q³).

    References
    ----------
    Hotelling (1936), Biometrika 28, 321-377. Kamai et al. (2026), "When to Align, When to Predict", Thm A.1 and Prop. 3.8.

    Examples
    --------
    >>> import numpy as np
    >>> from crossphase import CrossAlignment
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(500, 2))
    >>> X, Y = np.hstack([shared, rng.normal(size=(500, 3))]), shared + rng.normal(size=(500, 2))
    >>> aligned = CrossAlignment(n_components=2).fit(X, Y)
    >>> aligned.transform(X).shape
    (500, 2)
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        normalization: str = "unit_variance",
        ridge: float | str = 0.0,
        n_threads: int | None = None,
        backend: str | None = None,
    ) -> None:
        self.n_components = n_components
        self.normalization = normalization
        self.ridge = ridge
        self.n_threads = n_threads
        self.backend = backend

    @property
    def correlations_(self) -> np.ndarray:
        """Correlations of the paired scores of the rows fitted to."""
        return self._solved.maps.spectrum

    def correlations(self, X: Any, Y: Any) -> np.ndarray:
        """Correlations of the paired scores of these rows, shape (n_components_,); 0 where a score is constant."""
        x, y = np.asarray(self.transform(X)), np.asarray(self.transform_y(Y))
        if len(x) != len(y):
            raise InputValueError(f"X and Y must have the same number of rows; got {len(x)} and {len(y)}.")
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        return _ratio(np.sum(x * y, axis=0), np.linalg.norm(x, axis=0), np.linalg.norm(y, axis=0))

    def score(self, X: Any, y: Any) -> float:
        """Mean correlation of the paired scores of X and Y (`y`); on rows not fitted to, what alignment is worth."""
        return float(self.correlations(X, y).mean())

    def _check_parameters(self) -> None:
        check_choice(self.normalization, "normalization", Normalization)

    def _solve(self, factors: PairFactors, n_components: int) -> LinearMaps:
        m = factors.moments
        found = solve_alignment(factors, n_components)
        shared = shared_directions(found.correlations, found.weights_x, found.weights_y, m)
        strengths, weights_x, weights_y = (
            found.correlations[shared],
            found.weights_x[:, shared],
            found.weights_y[:, shared],
        )
        lengths_x, lengths_y = score_deviations(weights_x, m.cov_xx), score_deviations(weights_y, m.cov_yy)
        correlations = _ratio(strengths, lengths_x, lengths_y)
        if self.normalization == Normalization.CROSS_MOMENT:
            lengths_x = lengths_y = np.sqrt(strengths)
        return LinearMaps(correlations, weights_x / lengths_x, weights_y / lengths_y)

    def _loadings(self, maps: LinearMaps, moments: PairCovariances) -> np.ndarray:
        return linear_probe(maps.weights_x, moments)

    def _held_out_sums(
        self,
        maps: LinearMaps,
        training: PairMoments,  # noqa: ARG002  (correlations do not depend on means)
        held_out: PairMoments,
    ) -> np.ndarray:
        """Covariance and both variances of each component's scores, times their degrees of freedom, (3, k)."""
        x, y = maps.weights_x, maps.weights_y
        between = np.sum(x * (held_out.cov_xy @ y), axis=0)
        within = score_deviations(x, held_out.cov_xx) ** 2, score_deviations(y, held_out.cov_yy) ** 2
        return (held_out.n_samples - 1) * np.array([between, *within])

    def _held_out_shape(self, n_components: int) -> tuple[int, ...]:
        return 3, n_components

    def _held_out_loss(self, sums: np.ndarray) -> float:
        return -float(_ratio(sums[0], np.sqrt(sums[1]), np.sqrt(sums[2])).sum())


def _ratio(between: np.ndarray, deviations_x: np.ndarray, deviations_y: np.ndarray) -> np.ndarray:
    scale = deviations_x * deviations_y
    return np.asarray(np.divide(between, scale, out=np.zeros_like(between), where=scale > 0))
