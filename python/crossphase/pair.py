"""A pair of views made ready: constant columns and null directions left out, columns scaled, principal components taken."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from crossphase._threads import single_threaded_blas
from crossphase.covariances import Covariances
from crossphase.errors import InputValueError
from crossphase.moments import CrossMoments
from crossphase.precision import null_variance_of
from crossphase.samples import Samples


@dataclass(frozen=True, slots=True, eq=False)
class PreparedView:
    """One view: prepared features are ``(samples - mean)[:, kept] * scale``, on `axes` if there are any."""

    samples: Samples
    mean: np.ndarray  # (n_features,)
    kept: np.ndarray  # (n_kept,), columns that are not constant
    scale: np.ndarray  # (n_kept,)
    axes: np.ndarray | None  # (n_kept, n_prepared), orthonormal: principal axes, or a basis of the columns' span
    rank: int  # linearly independent columns
    deviations: np.ndarray  # (n_kept,), standard deviations of the kept columns as given

    @property
    def n_prepared(self) -> int:
        return len(self.kept) if self.axes is None else int(self.axes.shape[1])

    @property
    def constant_columns(self) -> tuple[int, ...]:
        return tuple(np.setdiff1d(np.arange(self.samples.n_features), self.kept).tolist())

    def features(self, rows: np.ndarray) -> np.ndarray:
        """Prepared features ``(n_rows, n_prepared)`` of rows of the samples, given as float64."""
        scaled = (rows - self.mean)[:, self.kept] * self.scale
        return scaled if self.axes is None else np.asarray(scaled @ self.axes)

    def of_features(self, cross: np.ndarray) -> np.ndarray:
        """Covariances ``(n_prepared, k)`` of prepared features with anything, from those of the samples' own features."""
        scaled = self.scale[:, None] * cross[self.kept]
        with single_threaded_blas():
            return scaled if self.axes is None else np.asarray(self.axes.T @ scaled)

    def on_features(self, weights: np.ndarray) -> np.ndarray:
        """Weights ``(n_prepared, k)`` on prepared features as weights on the samples' own, ``(n_features, k)``."""
        own = np.zeros((self.samples.n_features, weights.shape[1]))
        own[self.kept] = self.scale[:, None] * (weights if self.axes is None else self.axes @ weights)
        return own


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPair:
    """Both views and the covariances of their prepared features, divided by n as the published procedure does."""

    x: PreparedView
    y: PreparedView
    covariances: Covariances
    n_samples: int  # pairs that were summed; the views' samples are all of them, or a sample of them

    @property
    def is_sampled(self) -> bool:
        """Whether the views hold only some of the rows that were summed."""
        return self.x.samples.n_samples < self.n_samples


def prepare_pair(
    x: Samples, y: Samples, moments: CrossMoments, *, standardize: bool, reduce: tuple[int | None, int | None]
) -> PreparedPair:
    """Prepare both views from the pair's moments.

    Parameters
    ----------
    x, y : Samples
        The rows that were summed, or a sample of them.
    standardize : bool
        Divide each column by its standard deviation.
    reduce : (int or None, int or None)
        Principal components to keep of X and of Y, after scaling.
    """
    null_variance = null_variance_of(moments)
    view_x = _prepare_view(x, moments.mean_x, moments.cov_xx, standardize, reduce[0], null_variance)
    view_y = _prepare_view(y, moments.mean_y, moments.cov_yy, standardize, reduce[1], null_variance)
    by_n = (moments.n_samples - 1) / moments.n_samples
    covariances = Covariances(
        cov_xx=by_n * _on_prepared(moments.cov_xx, view_x, view_x),
        cov_yy=by_n * _on_prepared(moments.cov_yy, view_y, view_y),
        cov_xy=by_n * _on_prepared(moments.cov_xy, view_x, view_y),
    )
    return PreparedPair(view_x, view_y, covariances, moments.n_samples)


def _on_prepared(cov: np.ndarray, rows: PreparedView, columns: PreparedView) -> np.ndarray:
    """Covariance of prepared features from that of the samples' own."""
    prepared = rows.scale[:, None] * cov[np.ix_(rows.kept, columns.kept)] * columns.scale
    with single_threaded_blas():
        if rows.axes is not None:
            prepared = rows.axes.T @ prepared
        return np.asarray(prepared if columns.axes is None else prepared @ columns.axes)


def _prepare_view(
    samples: Samples, mean: np.ndarray, cov: np.ndarray, standardize: bool, n_axes: int | None, null_variance: float
) -> PreparedView:
    deviations = np.sqrt(np.diag(cov))
    is_constant = deviations <= _rounding_of(samples, mean)
    if is_constant.all():
        raise InputValueError(
            f"{samples.name} is constant: none of its {samples.n_features} columns varies by more than the rounding of "
            f"{samples.dtype_name} (column 0: about {mean[0]:g} in every row). Check that the right array was passed; if it "
            "was, subtract an offset or rescale before storing it in so few digits."
        )
    kept = np.flatnonzero(~is_constant)
    scale = 1.0 / deviations[kept] if standardize else np.ones(len(kept))
    view = PreparedView(samples, mean, kept, scale, None, len(kept), deviations[kept])
    prepared = _on_prepared(cov, view, view)
    with single_threaded_blas():
        basis = _independent_directions(prepared, null_variance)
        view = replace(view, rank=basis.shape[1])
        if n_axes is not None and n_axes < view.rank:
            _, vectors = np.linalg.eigh(prepared)
            return replace(view, axes=vectors[:, ::-1][:, :n_axes])
        return view if view.rank == len(kept) else replace(view, axes=np.linalg.qr(basis)[0])


def _independent_directions(cov: np.ndarray, null_variance: float) -> np.ndarray:
    """Directions ``(n_features, rank)`` that span the columns' linear span."""
    deviations = np.sqrt(np.diag(cov))
    values, vectors = np.linalg.eigh(cov / deviations / deviations[:, None])
    return np.asarray(deviations[:, None] * vectors[:, values > null_variance])


_PRECISION = {  # relative spacing of neighbours, smallest deviation that can be told from 0
    "float64": (2.0**-52, 2.0**-485),  # its square, the variance, still has all its digits
    "float32": (2.0**-23, 2.0**-149),
    "float16": (2.0**-10, 2.0**-24),
    "bfloat16": (2.0**-7, 2.0**-133),
}


def _rounding_of(samples: Samples, mean: np.ndarray) -> np.ndarray:
    """Standard deviation that storing one value in the samples' dtype can feign."""
    epsilon, smallest = _PRECISION[samples.dtype_name]
    # A column that alternates between two neighbouring floats has a deviation of half their spacing. In float16 and bfloat16
    # such neighbours are data (1.01, 1.02): there only the spacing at 0 counts.
    relative = 0.5 * epsilon if epsilon < 1e-6 else 0.0
    return np.asarray(np.maximum(relative * np.abs(mean), smallest))
