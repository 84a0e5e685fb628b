"""What the closed-form estimators share: moments in, scores out, by scikit-learn's rules."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
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

from crossphase._columns import column_names, require_same_columns
from crossphase._threads import resolve_n_threads, single_threaded_blas
from crossphase.cholesky_factor import Regularization
from crossphase.covariances import (
    PairCovariances,
    PairMoments,
    PooledMoments,
    n_components_of,
    pooled,
    require_covariances,
)
from crossphase.errors import InputTypeError, InputValueError
from crossphase.moments import CrossMoments
from crossphase.pair_factors import PairFactors
from crossphase.precision import precision_of
from crossphase.projection import project
from crossphase.ridge_selection import N_FOLDS, PairRegularization, RidgeRule, check_ridge, choose_regularization
from crossphase.samples import as_samples

_FLOATS = (np.float64, np.float32, np.float16)  # read as they are; all else is cast to float64


@dataclass(frozen=True, slots=True, eq=False)
class LinearMaps:
    """Weights of both views, and the singular values that they come from."""

    spectrum: np.ndarray  # (k,)
    weights_x: np.ndarray  # (n_features_x, k)
    weights_y: np.ndarray  # (n_features_y, k)


@dataclass(frozen=True, slots=True, eq=False)
class _Fitted:
    """What a solve leaves, assigned at once."""

    maps: LinearMaps
    loadings: np.ndarray  # (k, n_features_y): Y is predicted by scores of X times these
    mean_x: np.ndarray
    mean_y: np.ndarray
    regularization: PairRegularization


class CrossModalEstimator(
    ClassNamePrefixFeaturesOutMixin,  # type: ignore[misc]  # scikit-learn ships no types
    TransformerMixin,  # type: ignore[misc]
    MultiOutputMixin,  # type: ignore[misc]
    RegressorMixin,  # type: ignore[misc]
    BaseEstimator,  # type: ignore[misc]
):
    """A linear map of X towards Y that is optimal in closed form; subclasses say for what.

    Of the rows, moments are kept: `fit` takes rows, `partial_fit` more of them, `fit_moments` moments made elsewhere.
    """

    n_components: int | None
    ridge: float | str
    n_threads: int | None
    backend: str | None
    moments_: list[Any]  # CrossMoments, or what `fit_moments` got
    _fitted: _Fitted | None  # None: there are rows that no solve has seen

    # What a subclass says --------------------------------------------------------------------------------------------

    @abstractmethod
    def _check_parameters(self) -> None:
        """Raise for parameters of the subclass that are out of range."""

    @abstractmethod
    def _solve(self, factors: PairFactors, n_components: int) -> LinearMaps:
        """The optimum for these moments: those of the components that both views share."""

    @abstractmethod
    def _loadings(self, maps: LinearMaps, moments: PairCovariances) -> np.ndarray:
        """How Y is predicted from scores of X, (k, n_features_y)."""

    @abstractmethod
    def _held_out_sums(self, maps: LinearMaps, training: PairMoments, held_out: PairMoments) -> np.ndarray:
        """What the loss of cross-validation needs of a fold, as sums over its rows."""

    def _held_out_shape(self, n_components: int) -> tuple[int, ...]:  # noqa: ARG002
        """Of those sums: one number, unless a subclass needs more."""
        return ()

    def _held_out_loss(self, sums: np.ndarray) -> float:
        """What cross-validation minimizes, from the sums over all folds."""
        return float(sums)

    # Fitting ---------------------------------------------------------------------------------------------------------

    def fit(self, X: Any, Y: Any) -> Self:
        """Fit to paired rows.

        Parameters
        ----------
        X : array or data frame, shape (n_samples, n_features_x)
            float16, float32 or float64; read as it is, without a copy. Other numbers are cast to float64.
        Y : array or data frame, shape (n_samples, n_features_y) or (n_samples,)
            The other view: row i belongs to row i of X. Class labels are no view; they belong to a probe behind.

        Raises
        ------
        numpy.linalg.LinAlgError
            A covariance that has to be inverted is singular, and `ridge` is 0.
        """
        with self._unchanged_on_error():
            self._take_rows(X, Y, is_first=True, least=2)
            self._solve_moments()
        return self

    def partial_fit(self, X: Any, Y: Any) -> Self:
        """Take more rows. The closed form is solved when a result is asked for, so early chunks may be small."""
        with self._unchanged_on_error():
            self._take_rows(X, Y, is_first=not hasattr(self, "moments_"), least=1)
            self._fitted = None
        return self

    def fit_moments(self, moments: PairCovariances | Sequence[PairMoments]) -> Self:
        """Fit to moments made elsewhere: streamed, merged, stored, or a population's.

        Parameters
        ----------
        moments : CrossMoments, SpikedModel, any object with `cov_xx`, `cov_yy` and `cov_xy`, or a list of CrossMoments
            States of disjoint rows in a list are taken together, and serve as folds where the ridge is chosen by
            cross-validation. Means are taken as 0 and rows as infinitely many where an object does not tell them.
        """
        states = list(moments) if isinstance(moments, list | tuple) else [moments]
        if not states:
            raise InputValueError("moments is an empty list; pass at least one CrossMoments.")
        for state in states:
            require_covariances(state, "call fit(X, Y)")
        with self._unchanged_on_error():
            self.moments_ = [_with_means(state) for state in states]
            shapes = {state.cov_xy.shape for state in self.moments_}
            if len(shapes) > 1:
                raise InputValueError(f"all moments must have the same columns; got cov_xy of shapes {sorted(shapes)}.")
            self.n_features_in_, self.n_features_y_in_ = self.moments_[0].cov_xy.shape
            for name in ("feature_names_in_", "feature_names_y_in_", "_n_rows_seen"):
                self.__dict__.pop(name, None)
            self._y_is_vector = False
            self._solve_moments()
        return self

    @contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        """A fit that fails leaves the estimator as it was."""
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _take_rows(self, X: Any, Y: Any, *, is_first: bool, least: int) -> None:
        self._check_parameters()
        for name, view in (("X", X), ("Y", Y)):
            if getattr(getattr(view, "dtype", None), "name", "") == "bfloat16":
                raise InputTypeError(
                    f'{name} is bfloat16, which scikit-learn\'s checks do not know; pass {name}.astype("float32"), or make a '
                    "CrossMoments of the rows and call fit_moments."
                )
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
        names = column_names(Y)
        if is_first:
            self._y_is_vector = y.ndim == 1
            self.n_features_y_in_ = 1 if y.ndim == 1 else y.shape[1]
            self.feature_names_y_in_ = names
            self._n_rows_seen = 0
            n_threads = resolve_n_threads(self.n_threads)
            self.moments_ = [
                CrossMoments(
                    self.n_features_in_,
                    self.n_features_y_in_,
                    precision="f64",
                    n_threads=n_threads,
                    backend=self.backend,
                )
                for _ in range(N_FOLDS if needs_folds else 1)
            ]
        elif not hasattr(self, "_n_rows_seen"):
            raise InputValueError(
                "partial_fit cannot go on from fit_moments; update the CrossMoments themselves and call fit_moments again."
            )
        y = self._as_columns(y, names)
        for fold, state in enumerate(self.moments_):  # row i to fold i mod K, so that sorted rows do no harm
            rows = slice((fold - self._n_rows_seen) % len(self.moments_), None, len(self.moments_))
            if len(x[rows]):
                state.update(x[rows], y[rows])
        self._n_rows_seen += len(x)

    def _as_columns(self, y: np.ndarray, names: np.ndarray | None) -> np.ndarray:
        """Y as a matrix, if it has the columns that it had at the first fit."""
        matrix = y[:, None] if y.ndim == 1 else y
        if matrix.shape[1] != self.n_features_y_in_:
            raise InputValueError(
                f"Y has {matrix.shape[1]} features, but {type(self).__name__} was fitted with {self.n_features_y_in_}."
            )
        require_same_columns(names, getattr(self, "feature_names_y_in_", None), "Y")
        return matrix

    def _solve_moments(self) -> None:
        self._check_parameters()
        ridge = check_ridge(self.ridge)
        n_threads = resolve_n_threads(self.n_threads)
        folds = [state for state in self.moments_ if state.n_samples > 0]
        if not folds:
            raise InputValueError("the moments hold no rows; update them first.")
        with single_threaded_blas():
            moments: PairMoments = folds[0] if len(folds) == 1 else pooled(folds)
            k = n_components_of(moments, self.n_components)
            chosen = choose_regularization(ridge, folds, _HeldOut(self, k), n_threads=n_threads)
            maps = self._solve(PairFactors(moments, x=chosen.x, y=chosen.y), k)
            n_found = len(maps.spectrum)
            if n_found == 0:
                raise InputValueError(
                    "X and Y share no direction: their cross-covariance is zero. Check that rows are paired."
                )
            if self.n_components is not None and n_found < k:
                raise InputValueError(
                    f"n_components must be at most {n_found}, the number of directions that X and Y share here; got {k}."
                )
            loadings = self._loadings(maps, moments)
        self._fitted = _Fitted(maps, loadings, moments.mean_x, moments.mean_y, chosen)

    # Results ---------------------------------------------------------------------------------------------------------

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "moments_")

    @property
    def _solved(self) -> _Fitted:
        check_is_fitted(self)
        if self._fitted is None:
            self._solve_moments()
        return cast(_Fitted, self._fitted)

    @property
    def weights_x_(self) -> np.ndarray:
        """Weights of X's columns, shape (n_features_x, k): ``transform(X) = (X - mean_x_) @ weights_x_``."""
        return self._solved.maps.weights_x

    @property
    def weights_y_(self) -> np.ndarray:
        """Weights of Y's columns, shape (n_features_y, k): ``transform_y(Y) = (Y - mean_y_) @ weights_y_``."""
        return self._solved.maps.weights_y

    @property
    def coef_(self) -> np.ndarray:
        """Map that predicts Y, shape (n_features_y, n_features_x): ``predict(X) = (X - mean_x_) @ coef_.T + mean_y_``."""
        solved = self._solved
        with single_threaded_blas():
            return np.asarray((solved.maps.weights_x @ solved.loadings).T)

    @property
    def mean_x_(self) -> np.ndarray:
        """Mean of X, shape (n_features_x,)."""
        return self._solved.mean_x

    @property
    def mean_y_(self) -> np.ndarray:
        """Mean of Y, shape (n_features_y,)."""
        return self._solved.mean_y

    @property
    def regularization_(self) -> PairRegularization:
        """What was done to the covariances: ridge and shrinkage of `x` and of `y`, and the `rule` that chose them."""
        return self._solved.regularization

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
        scores = self._project(self._as_columns(y, column_names(Y)), "Y", self.mean_y_, self.weights_y_)
        return cast(np.ndarray, _wrap_data_with_container("transform", scores, Y, self))

    def predict(self, X: Any) -> np.ndarray:
        """Y as predicted from X, shape (n_samples, n_features_y), or (n_samples,) if Y was a vector."""
        check_is_fitted(self)
        x = validate_data(self, X, reset=False, dtype=_FLOATS)
        scores = self._project(x, "X", self.mean_x_, self.weights_x_)
        with single_threaded_blas():
            predicted = scores @ self._solved.loadings + self.mean_y_
        return np.asarray(predicted[:, 0] if self._y_is_vector else predicted)

    def score(self, X: Any, y: Any) -> float:
        """Share of the variance of Y (`y`, as scikit-learn calls it here) that `predict` explains; 1 is best."""
        return float(r2_score(y, self.predict(X), multioutput="variance_weighted"))

    def _project(self, samples: np.ndarray, name: str, mean: np.ndarray, weights: np.ndarray) -> np.ndarray:
        n_threads = resolve_n_threads(self.n_threads)
        return project(as_samples(samples, name), mean, weights, n_threads=n_threads, backend=self.backend)


class _HeldOut:
    """How the ridge of an estimator is judged on a fold left out."""

    def __init__(self, estimator: CrossModalEstimator, n_components: int) -> None:
        self._estimator = estimator
        self._n_components = n_components
        self._shape = estimator._held_out_shape(n_components)

    def sums(self, training: PairMoments, held_out: PairMoments, ridge: float) -> np.ndarray:
        regularization = Regularization(ridge)
        try:
            factors = PairFactors(training, x=regularization, y=regularization)
            maps = self._estimator._solve(factors, self._n_components)
        except np.linalg.LinAlgError:  # too small a ridge for this fold
            return np.full(self._shape, np.nan)
        found = self._estimator._held_out_sums(maps, training, held_out)
        missing = [(0, wanted - got) for wanted, got in zip(self._shape, found.shape, strict=True)]
        return np.pad(found, missing) if missing else found  # a fold may have fewer components

    def loss(self, sums: np.ndarray) -> float:
        return self._estimator._held_out_loss(sums)


def _with_means(state: Any) -> PairMoments:
    """The state itself, or, for covariances alone, a population of mean 0."""
    if all(hasattr(type(state), name) or hasattr(state, name) for name in ("mean_x", "mean_y", "n_samples")):
        return cast(PairMoments, state)
    p, q = state.cov_xy.shape
    return PooledMoments(2**62, np.zeros(p), np.zeros(q), state.cov_xx, state.cov_yy, state.cov_xy, precision_of(state))


def squared_error(weights_x: np.ndarray, loadings: np.ndarray, training: PairMoments, held_out: PairMoments) -> float:
    """Sum over the held-out rows of ``|y - mean_y - loadings^T W (x - mean_x)|²``, means from the training rows.

    It is the scatter about the held-out means plus that of the means; all of it follows from moments.
    """
    n = held_out.n_samples
    variance = (
        np.trace(held_out.cov_yy)
        - 2 * np.vdot(loadings, weights_x.T @ held_out.cov_xy)
        + np.vdot(loadings, (weights_x.T @ held_out.cov_xx @ weights_x) @ loadings)
    )
    shift = held_out.mean_y - training.mean_y - (held_out.mean_x - training.mean_x) @ weights_x @ loadings
    return float((n - 1) * variance + n * np.sum(shift**2))
