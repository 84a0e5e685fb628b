"""A pair of views made ready: dead columns dropped, columns scaled, principal components taken, all as linear maps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase.errors import InputValueError
from crossphase.moments import CrossMoments
from crossphase.samples import Samples
from crossphase.spectra import Covariances


@dataclass(frozen=True, slots=True, eq=False)
class PreparedView:
    """One view: prepared features are ``(samples - mean) @ basis``."""

    samples: Samples
    mean: np.ndarray  # (n_features,)
    basis: np.ndarray  # (n_features, n_prepared)
    constant_columns: tuple[int, ...]

    @property
    def n_prepared(self) -> int:
        return int(self.basis.shape[1])

    def on_features(self, weights: np.ndarray) -> np.ndarray:
        """Weights ``(n_prepared, k)`` on prepared features as weights on the samples' own, ``(n_features, k)``."""
        return np.asarray(self.basis @ weights)


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPair:
    """Both views and the covariances of their prepared features, divided by n as the published procedure does."""

    x: PreparedView
    y: PreparedView
    covariances: Covariances


def prepare_pair(
    x: Samples, y: Samples, moments: CrossMoments, *, standardize: bool, reduce: tuple[int | None, int | None]
) -> PreparedPair:
    """Prepare both views from the pair's moments.

    Parameters
    ----------
    standardize : bool
        Divide each column by its standard deviation.
    reduce : (int or None, int or None)
        Principal components to keep of X and of Y, after scaling.
    """
    view_x = _prepare_view(x, moments.mean_x, moments.cov_xx, standardize, reduce[0])
    view_y = _prepare_view(y, moments.mean_y, moments.cov_yy, standardize, reduce[1])
    by_n = (moments.n_samples - 1) / moments.n_samples
    covariances = Covariances(
        cov_xx=by_n * (view_x.basis.T @ moments.cov_xx @ view_x.basis),
        cov_yy=by_n * (view_y.basis.T @ moments.cov_yy @ view_y.basis),
        cov_xy=by_n * (view_x.basis.T @ moments.cov_xy @ view_y.basis),
    )
    return PreparedPair(view_x, view_y, covariances)


def _prepare_view(
    samples: Samples, mean: np.ndarray, cov: np.ndarray, standardize: bool, n_kept: int | None
) -> PreparedView:
    deviations = np.sqrt(np.diag(cov))
    is_constant = deviations <= _rounding_of(samples, mean)
    if is_constant.all():
        raise InputValueError(
            f"{samples.name} is constant: all {samples.n_features} columns hold one value each (column 0: {mean[0]:g}). "
            "Check that the right array was passed."
        )
    kept = np.flatnonzero(~is_constant)
    basis = np.zeros((samples.n_features, len(kept)))
    basis[kept, np.arange(len(kept))] = 1.0 / deviations[kept] if standardize else 1.0
    if n_kept is not None and n_kept < len(kept):
        _, vectors = np.linalg.eigh(basis.T @ cov @ basis)
        basis = basis @ vectors[:, ::-1][:, :n_kept]
    return PreparedView(samples, mean, basis, tuple(np.flatnonzero(is_constant).tolist()))


_PRECISION = {  # relative spacing of neighbours, smallest positive number
    "float64": (2.0**-52, 2.0**-1074),
    "float32": (2.0**-23, 2.0**-149),
    "float16": (2.0**-10, 2.0**-24),
    "bfloat16": (2.0**-7, 2.0**-133),
}


def _rounding_of(samples: Samples, mean: np.ndarray) -> np.ndarray:
    """Standard deviation that storing one value in the samples' dtype can feign: a few units in the last place."""
    epsilon, smallest = _PRECISION[samples.dtype_name]
    # A column that alternates between two neighbouring floats has half an epsilon; 2 leaves room for values that were
    # computed, not stored. In float16 and bfloat16 such neighbours are data (1.01, 1.02): there only the spacing at 0 counts.
    relative = 2.0 * epsilon if epsilon < 1e-6 else 0.0
    return np.asarray(np.maximum(relative * np.abs(mean), smallest))
