"""What the closed-form estimators share: moments in, scores out, by scikit-learn's rules."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Any, Self, cast

import numpy as np
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    MultiOutputMixin,
    RegressorMixin,
    TransformerMixin,
)
from sklearn.metrics import r2_score
from sklearn.utils._set_output import _wrap_data_with_container  # what `set_output` itself wraps `transform` with
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from crossphase._threads import resolve_n_threads
from crossphase.cholesky_factor import Regularization
from crossphase.closed_forms import n_components_of
from crossphase.covariances import PairCovariances, PairMoments, PooledMoments, pooled
from crossphase.errors import InputTypeError, InputValueError
from crossphase.moments import CrossMoments
from crossphase.pair_factors import PairFactors
from crossphase.projection import project
from crossphase.ridge_selection import N_FOLDS, PairRegularization, RidgeRule, check_ridge, choose_regularization
from crossphase.samples import as_samples

_FLOATS = (np.float64, np.float32, np.float16)  # read as they are; all else is cast to float64


class CrossModalEstimator(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]  # scikit-learn ships no types
    TransformerMixin,  # type: ignore[misc]
    MultiOutputMixin,  # type: ignore[misc]
    RegressorMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """A linear map of X towards Y that is optimal in closed form; subclasses say for what.

    The moments of the rows are all that is kept of them: `fit` takes rows, `partial_fit` more of them, `fit_moments` moments
    made elsewhere.
    """

    n_components: int | None
    ridge: float | str
    n_threads: int | None
    backend: str | None
    moments_: list[Any]  # CrossMoments, or what `fit_moments` got

    # What a subclass says --------------------------------------------------------------------------------------------

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise for parameters of the subclass that are out of range."""

    @abstractmethod
    def _solve(self, factors: PairFactors, n_components: int) -> Any:
        """The optimum for these moments, an object with `weights_x`, `weights_y` and `coef`; components that exist."""

    @abstractmethod
    def _held_out_loss(self, solution: Any, training: PairMoments, held_out: PairMoments) -> float:
        """What cross-validation of the ridge minimizes."""

    # Fitting ---------------------------------------------------------------------------------------------------------

    def fit(self, X: Any, Y: Any) -> Self:
        """Fit to paired rows.

        Parameters
        ----------
        X : array or data frame, shape (n_samples, n_features_x)
        Y : array or data frame, shape (n_samples, n_features_y) or (n_samples,)
            Row i belongs to row i of X.

        Raises
        ------
        numpy.linalg.LinAlgError
            A covariance that has to be inverted is singular, and `ridge` is 0.
        """
        self._take_rows(X, Y, is_first=True, least=2)
        self._solve_moments()
        return self

    def partial_fit(self, X: Any, Y: Any) -> Self:
        """Take more rows. The closed form is solved when a result is asked for, so early chunks may be small."""
        self._take_rows(X, Y, is_first=not hasattr(self, "moments_"), least=1)
        self._solution = None
        return self

    def fit_moments(self, moments: PairCovariances | Sequence[PairMoments]) -> Self:
        """Fit to moments made elsewhere: streamed, merged, stored, or a population's.

        Parameters
        ----------
        moments : CrossMoments, SpikedModel, any object with `cov_xx`, `cov_yy` and `cov_xy`, or a list of CrossMoments
            States of disjoint rows in a list are taken together, and serve as folds where the ridge is chosen by
            cross-validation. Means are taken as 0 and rows as infinitely many where an object does not tell them.
        """
        self._check_parameters()
        check_ridge(self.ridge)
        states = list(moments) if isinstance(moments, list | tuple) else [moments]
        if not states:
            raise InputValueError("moments is an empty list; pass at least one CrossMoments.")
        for state in states:
            if not all(hasattr(state, name) for name in ("cov_xx", "cov_yy", "cov_xy")):
                raise InputTypeError(
                    f"moments must hold cov_xx, cov_yy and cov_xy, as CrossMoments does; got {type(state).__name__}. "
                    "For rows, call fit(X, Y)."
                )
        self.moments_ = [_with_means(state) for state in states]
        shapes = {state.cov_xy.shape for state in self.moments_}
        if len(shapes) > 1:
            raise InputValueError(f"all moments must have the same columns; got cov_xy of shapes {sorted(shapes)}.")
        self.n_features_in_, self.n_features_y_in_ = self.moments_[0].cov_xy.shape
        for name in ("feature_names_in_", "feature_names_y_in_"):
            self.__dict__.pop(name, None)
        self._y_is_vector = False
        self._solve_moments()
        return self

    def _take_rows(self, X: Any, Y: Any, *, is_first: bool, least: int) -> None:
        self._check_parameters()
        needs_folds = isinstance(rule := check_ridge(self.ridge), RidgeRule) and rule.needs_folds
        x, y = validate_data(
            self,
            X,
            Y,
            reset=is_first,
            dtype=_FLOATS,
            multi_output=True,
            y_numeric=True,
            ensure_min_samples=least,
        )
        y = check_array(y, dtype=_FLOATS, ensure_2d=False, input_name="Y", ensure_min_samples=0)
        names = getattr(Y, "columns", None)
        if is_first:
            self._y_is_vector = y.ndim == 1
            self.n_features_y_in_ = 1 if y.ndim == 1 else y.shape[1]
            self.feature_names_y_in_ = None if names is None else np.asarray(names, dtype=object)
            self._n_rows_seen = 0
            n_threads = resolve_n_threads(self.n_threads)
            self.moments_ = [
                CrossMoments(self.n_features_in_, self.n_features_y_in_, n_threads=n_threads, backend=self.backend)
                for _ in range(N_FOLDS if needs_folds else 1)
            ]
        elif not all(isinstance(state, CrossMoments) for state in self.moments_) or not hasattr(self, "_n_rows_seen"):
            raise InputValueError(
                "partial_fit cannot go on from fit_moments; update the CrossMoments themselves and call fit_moments again."
            )
        y = self._as_columns(y, names)
        for fold, state in enumerate(self.moments_):  # row i to fold i mod K, so that sorted rows do no harm
            rows = slice((fold - self._n_rows_seen) % len(self.moments_), None, len(self.moments_))
            if len(x[rows]):
                state.update(x[rows], y[rows])
        self._n_rows_seen += len(x)

    def _as_columns(self, y: np.ndarray, names: Any) -> np.ndarray:
        """Y as a matrix, if it has the columns that it had at the first fit."""
        matrix = y[:, None] if y.ndim == 1 else y
        if matrix.shape[1] != self.n_features_y_in_:
            raise InputValueError(
                f"Y has {matrix.shape[1]} features, but {type(self).__name__} was fitted with {self.n_features_y_in_}."
            )
        known = getattr(self, "feature_names_y_in_", None)
        if known is not None and names is not None and list(names) != list(known):
            first = next(i for i, (a, b) in enumerate(zip(names, known, strict=True)) if a != b)
            raise InputValueError(
                f"Y's columns must be named and ordered as at fit; column {first} is {names[first]!r} and was {known[first]!r}."
            )
        return matrix

    def _solve_moments(self) -> None:
        folds = [state for state in self.moments_ if state.n_samples > 0]
        if not folds:
            raise InputValueError("the moments hold no rows; update them first.")
        moments: PairMoments = folds[0] if len(folds) == 1 else pooled(folds)

        k = n_components_of(moments, self.n_components)

        def held_out_loss(training: PairMoments, held_out: PairMoments, ridge: float) -> float:
            regularization = Regularization(ridge)
            solution = self._solve(PairFactors(training, x=regularization, y=regularization), k)
            return self._held_out_loss(solution, training, held_out)

        chosen = choose_regularization(
            check_ridge(self.ridge), folds, held_out_loss, n_threads=resolve_n_threads(self.n_threads)
        )
        solution = self._solve(PairFactors(moments, x=chosen.x, y=chosen.y), k)
        n_found = solution.weights_x.shape[1]
        if n_found == 0:
            raise InputValueError(
                "X and Y share no direction: their cross-covariance is zero. Check that rows are paired."
            )
        if self.n_components is not None and n_found < k:
            raise InputValueError(
                f"n_components must be at most {n_found}, the number of directions that X and Y share here; got {k}."
            )
        self._solution = solution
        self._means = moments.mean_x, moments.mean_y
        self._regularization = chosen

    # Results ---------------------------------------------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "moments_")

    @property
    def _solved(self) -> Any:
        check_is_fitted(self)
        if self._solution is None:
            self._solve_moments()
        return self._solution

    @property
    def weights_x_(self) -> np.ndarray:
        """Weights of X's columns, shape (n_features_x, k): ``transform(X) = (X - mean_x_) @ weights_x_``."""
        return np.asarray(self._solved.weights_x)

    @property
    def weights_y_(self) -> np.ndarray:
        """Weights of Y's columns, shape (n_features_y, k): ``transform_y(Y) = (Y - mean_y_) @ weights_y_``."""
        return np.asarray(self._solved.weights_y)

    @property
    def coef_(self) -> np.ndarray:
        """Map that predicts Y, shape (n_features_y, n_features_x): ``predict(X) = (X - mean_x_) @ coef_.T + mean_y_``."""
        return np.asarray(self._solved.coef)

    @property
    def mean_x_(self) -> np.ndarray:
        """Mean of X, shape (n_features_x,)."""
        _ = self._solved
        return np.asarray(self._means[0])

    @property
    def mean_y_(self) -> np.ndarray:
        """Mean of Y, shape (n_features_y,)."""
        _ = self._solved
        return np.asarray(self._means[1])

    @property
    def regularization_(self) -> PairRegularization:
        """What was done to the covariances: ridge and shrinkage of `x` and of `y`, and the `rule` that chose them."""
        _ = self._solved
        return self._regularization

    @property
    def n_components_(self) -> int:
        """Components found."""
        return int(self.weights_x_.shape[1])

    @property
    def _n_features_out(self) -> int:  # what get_feature_names_out counts
        return self.n_components_

    # Use -------------------------------------------------------------------------------------------------------------

    def transform(self, X: Any) -> np.ndarray:
        """Scores of X, shape (n_samples, n_components_), float64 (or a data frame: `set_output`)."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=_FLOATS)
        return self._project(x, "X", self.mean_x_, self.weights_x_)

    def transform_y(self, Y: Any) -> np.ndarray:
        """Scores of Y, shape (n_samples, n_components_); columns pair with those of `transform` and are named like them."""
        check_is_fitted(self)
        y = check_array(Y, dtype=_FLOATS, ensure_2d=False, input_name="Y")
        scores = self._project(self._as_columns(y, getattr(Y, "columns", None)), "Y", self.mean_y_, self.weights_y_)
        return cast(np.ndarray, _wrap_data_with_container("transform", scores, Y, self))

    def predict(self, X: Any) -> np.ndarray:
        """Y as predicted from X, shape (n_samples, n_features_y), or (n_samples,) if Y was a vector."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=_FLOATS)
        predicted = self._project(x, "X", self.mean_x_, self.coef_.T) + self.mean_y_
        return np.asarray(predicted[:, 0] if self._y_is_vector else predicted)

    def score(self, X: Any, y: Any) -> float:
        """Share of the variance of Y (`y`, as scikit-learn calls it here) that `predict` explains; 1 is best."""
        return float(r2_score(y, self.predict(X), multioutput="variance_weighted"))

    def _project(self, samples: np.ndarray, name: str, mean: np.ndarray, weights: np.ndarray) -> np.ndarray:
        n_threads = resolve_n_threads(self.n_threads)
        return project(as_samples(samples, name), mean, weights, n_threads=n_threads, backend=self.backend)


def _with_means(state: Any) -> PairMoments:
    """The state itself, or, for covariances alone, a population of mean 0."""
    if all(hasattr(state, name) for name in ("mean_x", "mean_y", "n_samples")):
        return state  # type: ignore[no-any-return]
    p, q = state.cov_xy.shape
    return PooledMoments(2**62, np.zeros(p), np.zeros(q), state.cov_xx, state.cov_yy, state.cov_xy)


def explained_variance(coef: np.ndarray, training: PairMoments, held_out: PairMoments) -> float:
    """Share of the variance of held-out Y that ``mean_y + coef (x - mean_x)`` explains, means from the training rows.

    The held-out squared error is its variance plus its squared mean; all of it follows from moments.
    """
    variance = float(np.trace(held_out.cov_yy))
    if variance <= 0:
        return 0.0  # nothing to explain
    error = (
        variance
        - 2 * np.vdot(coef, held_out.cov_xy.T)
        + np.vdot(coef @ held_out.cov_xx, coef)
        + np.sum((held_out.mean_y - training.mean_y - coef @ (held_out.mean_x - training.mean_x)) ** 2)
    )
    return float(1 - error / variance)
