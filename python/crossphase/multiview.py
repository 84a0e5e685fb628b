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

from crossphase._scalars import check_choice, check_integer, check_number
from crossphase._threads import resolve_n_threads, single_threaded_blas
from crossphase.cholesky_factor import CholeskyFactor, Regularization
from crossphase.errors import InputTypeError, InputValueError
from crossphase.multiview_moments import MultiviewMoments, require_views, view_name
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
    directions: list[np.ndarray]  # (n_features[i], k) in whitened coordinates, columns of unit length
    correlations: np.ndarray  # (k,)
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
        As for `CrossAlignment`, chosen for each view; "auto" is "oas".
    max_iter : int, default 1000
        Sweeps of "sumcor".
    tol : float, default 1e-12
        "sumcor" ends when a sweep raises the sum by less than this share of it.
    n_threads, backend
        As for `CrossAlignment`.

    Attributes
    ----------
    weights_ : list of arrays, shapes (n_features[i], n_components_)
        ``transform(views)[i] = (views[i] - means_[i]) @ weights_[i]``; scores of unit variance under the regularized covariance.
    means_ : list of arrays, shapes (n_features[i],)
    correlations_ : array, shape (n_components_,)
        Mean correlation over pairs of views of each component, descending; for "maxvar", ``(λ - 1) / (n_views - 1)`` of the
        eigenvalue λ. With two views the canonical correlations.
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
        """Fit to paired rows: a list of arrays of shape (n_samples, n_features[i]), row i of each being one sample."""
        samples = [as_samples(view, view_name(i)) for i, view in enumerate(require_views(views))]
        moments = MultiviewMoments([s.n_features for s in samples], n_threads=self.n_threads, backend=self.backend)
        return self.fit_moments(moments.update(views))

    def partial_fit(self, views: Sequence[Any], y: Any = None) -> Self:  # noqa: ARG002
        """Take more rows and fit to all so far. For many small chunks, update a `MultiviewMoments` and fit to it once."""
        if not hasattr(self, "moments_"):
            return self.fit(views)
        return self.fit_moments(self.moments_.update(views))

    def fit_moments(self, moments: MultiviewMoments) -> Self:
        """Fit to moments made elsewhere: streamed or merged."""
        if not isinstance(moments, MultiviewMoments):
            raise InputTypeError(f"moments must be a MultiviewMoments; got {type(moments).__name__}.")
        criterion = check_choice(self.criterion, "criterion", Criterion)
        max_iter = check_integer(self.max_iter, "max_iter", least=1)
        tol = check_number(self.tol, "tol", least=0)
        n_views, least = len(moments.n_features), min(moments.n_features)
        k = least if self.n_components is None else check_integer(self.n_components, "n_components", least=1)
        if k > least:
            raise InputValueError(f"n_components must be at most {least}, the columns of the narrowest view; got {k}.")
        regularizations = [self._regularization(moments.cov(i, i), moments.n_samples) for i in range(n_views)]
        factors = [CholeskyFactor(moments.cov(i, i), view_name(i), r) for i, r in enumerate(regularizations)]
        with single_threaded_blas():
            blocks = _whitened_blocks(moments, factors)
            solution = _maxvar(blocks, moments.n_features, k)
            if criterion is Criterion.SUMCOR:
                solution = _sumcor(blocks, solution.directions, max_iter, tol)
            weights = np.vstack([f.weights(d) for f, d in zip(factors, solution.directions, strict=True)])
        weights, _ = fix_signs(weights, weights)
        self.moments_ = moments
        self.means_ = [moments.mean(i) for i in range(n_views)]
        self.weights_ = np.split(weights, np.cumsum(moments.n_features)[:-1])
        self.correlations_ = solution.correlations
        self.regularizations_ = regularizations
        self.n_iter_ = solution.n_iter
        self.n_components_ = k
        return self

    def transform(self, views: Sequence[Any]) -> list[np.ndarray]:
        """Scores of each view, a list of arrays of shape (n_samples, n_components_)."""
        check_is_fitted(self)
        n_threads = resolve_n_threads(self.n_threads)
        scores = []
        for i, view in enumerate(require_views(views, len(self.weights_))):
            samples = as_samples(view, view_name(i))
            if samples.n_features != len(self.means_[i]):
                raise InputValueError(
                    f"{view_name(i)} has {samples.n_features} columns, but was fitted with {len(self.means_[i])}."
                )
            require_finite(samples, n_threads)
            scores.append(project(samples, self.means_[i], self.weights_[i], n_threads=n_threads, backend=self.backend))
        return scores

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
    values, vectors = leading_eigenvectors(np.block(blocks), k)
    parts = np.split(vectors, np.cumsum(n_features)[:-1])
    lengths = [np.linalg.norm(part, axis=0) for part in parts]
    directions = [
        np.divide(part, length, out=np.zeros_like(part), where=length > 0)
        for part, length in zip(parts, lengths, strict=True)
    ]
    return _Solution(directions, values / (len(blocks) - 1), 0)


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
    values, rotation = np.linalg.eigh(
        _pairwise(blocks, directions)
    )  # any common rotation keeps the sum: take principal axes
    n_pairs = n_views * (n_views - 1) / 2
    return _Solution([part @ rotation[:, ::-1] for part in directions], values[::-1] / n_pairs, n_iter)


def _pairwise(blocks: list[list[np.ndarray]], directions: list[np.ndarray]) -> np.ndarray:
    """Sum over pairs of views of the symmetrized cross-correlations of their scores, (k, k)."""
    total = sum(directions[i].T @ blocks[i][j] @ directions[j] for i in range(len(blocks)) for j in range(i))
    return np.asarray((total + total.T) / 2)


def _polar(matrix: Any) -> np.ndarray:
    u, _, vt = np.linalg.svd(matrix, full_matrices=False)
    return np.asarray(u @ vt)
