"""Alignment of more than two views: generalized canonical correlation analysis."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from crossphase._columns import column_names, require_same_columns
from crossphase._scalars import check_choice, check_integer, check_number
from crossphase._threads import resolve_n_threads, single_threaded_blas
from crossphase.cholesky_factor import CholeskyFactor, Regularization
from crossphase.closed_forms import score_deviations, score_noise
from crossphase.errors import InputTypeError, InputValueError
from crossphase.multiview_moments import MultiviewMoments, require_views, view_name
from crossphase.precision import null_variance_of
from crossphase.projection import project
from crossphase.ridge_selection import RidgeRule, check_ridge, oas_shrinkage
from crossphase.samples import as_samples, require_finite
from crossphase.singular_vectors import fix_signs, leading_eigenvectors


class Criterion(StrEnum):
    """What the scores of all views should have in common."""

    MAXVAR = "maxvar"  # one common score a component, as close as possible to all views' scores
    SUMCOR = "sumcor"  # the sum of all pairwise correlations is largest, scores of a view uncorrelated


@dataclass(frozen=True, slots=True, eq=False)
class _Solution:
    directions: list[np.ndarray]  # (n_features[i], k) in whitened coordinates; a zero column: the view takes no part
    n_iter: int


class MultiviewCrossAlignment(BaseEstimator):  # type: ignore[misc]  # scikit-learn ships no types
    """Linear maps that bring the paired rows of several views together; with two views, `CrossAlignment`.

    Parameters
    ----------
    n_components : int, optional
        Default: the columns of the narrowest view.
    criterion : {"maxvar", "sumcor"}
        "maxvar": the leading eigenvectors of the whitened covariance of all views side by side; scores of one view may
        correlate with each other. "sumcor": largest sum of pairwise correlations with uncorrelated scores in every view, by
        alternating polar decompositions from the "maxvar" solution, each of which can only raise the sum; a local maximum.
    ridge : float >= 0, or {"auto", "oas"}
        As for `CrossAlignment`, chosen for each view; "auto" is "oas", which looks at one view alone: standardize columns of
        unequal units first.
    max_iter : int, default 1000
        Sweeps of "sumcor".
    tol : float, default 1e-12
        "sumcor" ends when a sweep raises the sum by less than this share of it.
    n_threads, backend
        As for `CrossAlignment`.

    Attributes
    ----------
    weights_ : list of arrays, shapes (n_features[i], n_components_)
        ``transform(views)[i] = (views[i] - means_[i]) @ weights_[i]``, scores of unit variance; zero where a view takes no
        part in a component.
    means_ : list of arrays, shapes (n_features[i],)
    correlations_ : array, shape (n_components_,)
        Mean correlation over pairs of views of each component's scores, in the rows fitted to; with two views and no ridge the
        canonical correlations. Components come in the order of the criterion.
    regularizations_ : list of Regularization
    n_components_, n_iter_ : int
    moments_ : MultiviewMoments

    Notes
    -----
    Cost: one pass over the rows, then O(P³) for P columns in all.

    References
    ----------
    Kettenring (1971), Biometrika 58, 433-451. Carroll (1968), Proc. 76th APA Convention 3, 227-228 (MAXVAR).
    """

    def __init__(
        self,
        n_components: int | None = None,
        *,
        criterion: str = "maxvar",
        ridge: float | str = 0.0,
        max_iter: int = 1000,
        tol: float = 1e-12,
        n_threads: int | None = None,
        backend: str | None = None,
    ) -> None:
        self.n_components = n_components
        self.criterion = criterion
        self.ridge = ridge
        self.max_iter = max_iter
        self.tol = tol
        self.n_threads = n_threads
        self.backend = backend

    def fit(self, views: Sequence[Any], y: Any = None) -> Self:  # noqa: ARG002  (scikit-learn passes one)
        """Fit to paired rows: a list of arrays or data frames of shape (n_samples, n_features[i]), row i of each one sample."""
        return self._fit_rows(self._new_moments(views), views, [column_names(view) for view in views])

    def partial_fit(self, views: Sequence[Any], y: Any = None) -> Self:  # noqa: ARG002
        """Take more rows and fit to all so far. For many small chunks, update a `MultiviewMoments` and fit to it once.

        Rows are kept also where there are too few of them yet to solve, which raises `numpy.linalg.LinAlgError`.
        """
        if not hasattr(self, "_row_moments"):
            if hasattr(self, "moments_"):
                raise InputValueError(
                    "partial_fit cannot go on from fit_moments; update the MultiviewMoments itself and call fit_moments again."
                )
            self._row_moments, self._row_names = self._new_moments(views), [column_names(view) for view in views]
        self._require_names(views, self._row_names)
        return self._fit_rows(self._row_moments, views, self._row_names)

    def _new_moments(self, views: Sequence[Any]) -> MultiviewMoments:
        widths = [as_samples(view, view_name(i)).n_features for i, view in enumerate(require_views(views))]
        return MultiviewMoments(widths, precision="f64", n_threads=self.n_threads, backend=self.backend)

    def _fit_rows(self, moments: MultiviewMoments, views: Sequence[Any], names: list[np.ndarray | None]) -> Self:
        self._row_moments, self._row_names = moments.update(views), names
        self._solve(moments)
        self.feature_names_in_ = names
        return self

    def fit_moments(self, moments: MultiviewMoments) -> Self:
        """Fit to moments made elsewhere: streamed or merged."""
        if not isinstance(moments, MultiviewMoments):
            raise InputTypeError(f"moments must be a MultiviewMoments; got {type(moments).__name__}.")
        self._solve(moments)
        self.feature_names_in_ = [None] * len(moments.n_features)
        self.__dict__.pop("_row_moments", None)
        return self

    def _solve(self, moments: MultiviewMoments) -> None:
        criterion = check_choice(self.criterion, "criterion", Criterion)
        max_iter = check_integer(self.max_iter, "max_iter", least=1)
        tol = check_number(self.tol, "tol", least=0)
        n_views, least = len(moments.n_features), min(moments.n_features)
        k = least if self.n_components is None else check_integer(self.n_components, "n_components", least=1)
        if k > least:
            raise InputValueError(f"n_components must be at most {least}, the columns of the narrowest view; got {k}.")
        covs = [moments.cov(i, i) for i in range(n_views)]
        regularizations = [self._regularization(cov, moments.n_samples) for cov in covs]
        null = null_variance_of(moments)
        factors = [
            CholeskyFactor(cov, view_name(i), regularization, n_samples=moments.n_samples, null_variance=null)
            for i, (cov, regularization) in enumerate(zip(covs, regularizations, strict=True))
        ]
        with single_threaded_blas():
            blocks = _whitened_blocks(moments, factors)
            solution = _maxvar(blocks, moments.n_features, k)
            if criterion is Criterion.SUMCOR:
                solution = _sumcor(blocks, solution.directions, max_iter, tol)
            weights = [
                _of_unit_variance(factor.weights(direction), cov)
                for factor, direction, cov in zip(factors, solution.directions, covs, strict=True)
            ]
            takes_part = np.array([(w != 0).any(axis=0) for w in weights])
            shared = takes_part.sum(axis=0) > 1
            if not shared.any():
                raise InputValueError(
                    "the views share no direction: their cross-covariances are zero. Check the pairing."
                )
            if self.n_components is not None and not shared.all():
                raise InputValueError(
                    f"n_components must be at most {shared.sum()}, the number of directions that views share here; got {k}."
                )
            stacked = np.vstack(weights)[:, shared]
            stacked, _ = fix_signs(stacked, stacked)
            weights = np.split(stacked, np.cumsum(moments.n_features)[:-1])
            correlations = _mean_correlations(weights, moments)
        self.moments_ = moments
        self.means_ = [moments.mean(i) for i in range(n_views)]
        self.weights_ = weights
        self.correlations_ = correlations
        self.regularizations_ = regularizations
        self.n_iter_ = solution.n_iter
        self.n_components_ = int(shared.sum())

    def transform(self, views: Sequence[Any]) -> list[np.ndarray]:
        """Scores of each view, a list of arrays of shape (n_samples, n_components_)."""
        check_is_fitted(self)
        n_threads = resolve_n_threads(self.n_threads)
        self._require_names(require_views(views, len(self.weights_)), self.feature_names_in_)
        scores = []
        for i, view in enumerate(views):
            samples = as_samples(view, view_name(i))
            if samples.n_features != len(self.means_[i]):
                raise InputValueError(
                    f"{view_name(i)} has {samples.n_features} columns, but was fitted with {len(self.means_[i])}."
                )
            require_finite(samples, n_threads)
            scores.append(project(samples, self.means_[i], self.weights_[i], n_threads=n_threads, backend=self.backend))
        return scores

    def _require_names(self, views: Sequence[Any], known: list[np.ndarray | None]) -> None:
        for i, (view, names) in enumerate(zip(views, known, strict=False)):
            require_same_columns(column_names(view), names, view_name(i))

    def fit_transform(self, views: Sequence[Any], y: Any = None) -> list[np.ndarray]:
        """`fit`, then `transform` of the same rows."""
        return self.fit(views, y).transform(views)

    def score(self, views: Sequence[Any], y: Any = None) -> float:  # noqa: ARG002
        """Mean correlation over components and pairs of views; on rows not fitted to, what alignment is worth."""
        scores = self.transform(views)
        k, n_views = self.n_components_, len(scores)
        with np.errstate(invalid="ignore"):
            table = np.corrcoef(np.hstack(scores), rowvar=False)
        pairs = [np.diag(table[i * k : (i + 1) * k, j * k : (j + 1) * k]) for i in range(n_views) for j in range(i)]
        return float(np.nan_to_num(np.array(pairs)).mean())

    def _regularization(self, cov: np.ndarray, n_samples: int) -> Regularization:
        ridge = check_ridge(self.ridge)
        if not isinstance(ridge, RidgeRule):
            return Regularization(ridge)
        if ridge not in (RidgeRule.AUTO, RidgeRule.OAS):
            raise InputValueError(f'ridge must be a number, "auto" or "oas" for several views; got {self.ridge!r}.')
        return Regularization(shrinkage=oas_shrinkage(cov, n_samples))


def _whitened_blocks(moments: MultiviewMoments, factors: list[CholeskyFactor]) -> list[list[np.ndarray]]:
    """``L_i^-1 cov_ij L_j^-T`` for i != j, and zeros for i = j."""
    n_views = len(factors)
    blocks = [[np.zeros(moments.cov(i, j).shape) for j in range(n_views)] for i in range(n_views)]
    for i in range(n_views):
        for j in range(i):
            blocks[i][j] = factors[j].whiten(factors[i].whiten(moments.cov(i, j)).T).T
            blocks[j][i] = blocks[i][j].T
    return blocks


def _maxvar(blocks: list[list[np.ndarray]], n_features: Sequence[int], k: int) -> _Solution:
    _, vectors = leading_eigenvectors(np.block(blocks), k)
    parts = np.split(vectors, np.cumsum(n_features)[:-1])
    # A part of squared length below u is the rounding of a view that takes no part in the component.
    lengths = [np.linalg.norm(part, axis=0) for part in parts]
    return _Solution(
        [
            np.divide(part, length, out=np.zeros_like(part), where=length**2 > np.finfo(float).eps)
            for part, length in zip(parts, lengths, strict=True)
        ],
        0,
    )


def _of_unit_variance(weights: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """The weights scaled to scores of unit variance; zero where all of a score's variance may be rounding."""
    deviations = score_deviations(weights, cov)
    return np.asarray(
        np.divide(weights, deviations, out=np.zeros_like(weights), where=deviations**2 > score_noise(weights, cov))
    )


def _mean_correlations(weights: list[np.ndarray], moments: MultiviewMoments) -> np.ndarray:
    """Mean over pairs of views of the correlations of their scores, (k,); 0 with a view that takes no part."""
    pairs = [(i, j) for i in range(len(weights)) for j in range(i)]
    found = [np.sum(weights[i] * (moments.cov(i, j) @ weights[j]), axis=0) for i, j in pairs]
    return np.asarray(np.mean(found, axis=0))


def _sumcor(blocks: list[list[np.ndarray]], start: list[np.ndarray], max_iter: int, tol: float) -> _Solution:
    """Each view in turn takes the polar factor of the others' sum, the best orthonormal directions given the others."""
    n_views = len(blocks)
    directions = [_polar(part) for part in start]
    total = -np.inf
    for n_iter in range(1, max_iter + 1):  # noqa: B007  (used after the loop)
        for i in range(n_views):
            directions[i] = _polar(sum(blocks[i][j] @ directions[j] for j in range(n_views) if j != i))
        before, total = total, _pairwise(blocks, directions).trace()
        if total - before <= tol * abs(total):
            break
    else:
        warnings.warn(
            f'criterion="sumcor" still rose by {total - before:.2g} in sweep {max_iter}; raise max_iter or tol.',
            ConvergenceWarning,
            stacklevel=4,
        )
    _, rotation = np.linalg.eigh(_pairwise(blocks, directions))  # any common rotation keeps the sum: principal axes
    return _Solution([part @ rotation[:, ::-1] for part in directions], n_iter)


def _pairwise(blocks: list[list[np.ndarray]], directions: list[np.ndarray]) -> np.ndarray:
    """Sum over pairs of views of the symmetrized cross-correlations of their scores, (k, k)."""
    total = sum(directions[i].T @ blocks[i][j] @ directions[j] for i in range(len(blocks)) for j in range(i))
    return np.asarray((total + total.T) / 2)


def _polar(matrix: Any) -> np.ndarray:
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray(u @ vt)
