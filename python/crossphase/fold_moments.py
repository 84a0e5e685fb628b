"""Moments of every fold from one pass over the rows, and of the rows outside each fold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase import _core
from crossphase._threads import resolve_n_threads
from crossphase.errors import InputValueError
from crossphase.moments import CrossMoments
from crossphase.samples import Samples, as_samples, require_finite, require_same_rows

_CHUNK_BYTES = 1 << 24  # rows of a fold are gathered in pieces of this size, so that memory does not grow with n


@dataclass(frozen=True, slots=True, eq=False)
class LabelledMoments:
    """Means and covariances of the columns ``[X Y labels]`` of some rows, float64; blocks are views of one matrix.

    Without labels, `n_labels` is 0 and their blocks are empty.
    """

    n_samples: int
    n_features_x: int
    n_features_y: int
    mean: np.ndarray  # (n_columns,)
    cov: np.ndarray  # (n_columns, n_columns); divided by n_samples - 1

    @property
    def n_labels(self) -> int:
        return len(self.mean) - self.n_features_x - self.n_features_y

    @property
    def mean_x(self) -> np.ndarray:
        return self.mean[self._x]

    @property
    def mean_y(self) -> np.ndarray:
        return self.mean[self._y]

    @property
    def mean_labels(self) -> np.ndarray:
        return self.mean[self._labels]

    @property
    def cov_xx(self) -> np.ndarray:
        return self.cov[self._x, self._x]

    @property
    def cov_yy(self) -> np.ndarray:
        return self.cov[self._y, self._y]

    @property
    def cov_xy(self) -> np.ndarray:
        return self.cov[self._x, self._y]

    @property
    def cov_xl(self) -> np.ndarray:
        return self.cov[self._x, self._labels]

    @property
    def cov_yl(self) -> np.ndarray:
        return self.cov[self._y, self._labels]

    @property
    def cov_ll(self) -> np.ndarray:
        return self.cov[self._labels, self._labels]

    @property
    def _x(self) -> slice:
        return slice(0, self.n_features_x)

    @property
    def _y(self) -> slice:
        return slice(self.n_features_x, self.n_features_x + self.n_features_y)

    @property
    def _labels(self) -> slice:
        return slice(self.n_features_x + self.n_features_y, len(self.mean))


@dataclass(frozen=True, slots=True, eq=False)
class FoldMoments:
    """Moments of disjoint folds of rows, and of any union of them.

    Training moments pool the other folds (Chan, Golub & LeVeque 1983) rather than subtract a fold from the total: both cost
    additions of matrices, next to nothing beside the one product a row, but sums of positive terms lose no digits, and a
    column that is constant on the training rows gets a variance of exactly 0 instead of rounding of either sign.
    """

    folds: tuple[LabelledMoments, ...]

    @property
    def n_folds(self) -> int:
        return len(self.folds)

    @property
    def total(self) -> LabelledMoments:
        """Moments of all rows."""
        return _pooled(self.folds)

    def test(self, fold: int) -> LabelledMoments:
        """Moments of the rows of a fold."""
        return self.folds[fold]

    def train(self, *left_out: int) -> LabelledMoments:
        """Moments of the rows outside one or more folds."""
        kept = [state for f, state in enumerate(self.folds) if f not in left_out]
        if not kept:
            raise InputValueError(f"train must leave at least one fold in; got {sorted(left_out)} of {self.n_folds}.")
        return _pooled(kept)


def fold_moments(
    X: Any,
    Y: Any,
    folds: np.ndarray,
    labels: Any = None,
    *,
    n_threads: int | None = None,
    backend: str | None = None,
) -> FoldMoments:
    """Moments of every fold in one pass over the rows.

    Parameters
    ----------
    X, Y : array, shapes (n_samples, n_features_x) and (n_samples, n_features_y)
        float16, bfloat16, float32 or float64; any strides, memory maps included.
    folds : array of int, shape (n_samples,)
        As from `assign_folds`: 0 to n_folds - 1, at least 2 rows in each. Rows of fold -1 are left out.
    labels : array of float, shape (n_samples, n_labels), optional
        Numeric labels, as from ``encode_labels(...).values``.
    n_threads : int, optional
    backend : {"cpu", "reference"}, optional

    Raises
    ------
    InputValueError
        Shapes that do not fit, values that are not finite, a fold with fewer than 2 rows.

    Notes
    -----
    One product of D columns a row, O(n D²); memory O(n_folds D²) beside the input.
    """
    parts = [as_samples(values, name, uint16_is_bfloat16=True) for values, name in ((X, "X"), (Y, "Y"))]
    if labels is not None:
        parts.append(as_samples(labels, "labels"))
    require_same_rows(*parts)
    threads = resolve_n_threads(n_threads)
    for part in parts:
        require_finite(part, threads)
    return moments_of_checked(parts, check_folds(folds, parts[0].n_samples), n_threads=threads, backend=backend)


def moments_of_checked(
    parts: Sequence[Samples], folds: np.ndarray, *, n_threads: int, backend: str | None = None
) -> FoldMoments:
    """`fold_moments` of samples and folds that were checked before."""
    widths = [part.n_features for part in parts]
    n_labels = widths[2] if len(parts) == 3 else 0
    states = []
    for fold in range(int(folds.max()) + 1):
        state = CrossMoments(widths[0], widths[1], n_labels, precision="f64", n_threads=n_threads, backend=backend)
        for rows in _pieces(np.flatnonzero(folds == fold), parts):
            state._update_checked([Samples(part.values[rows], part.name) for part in parts])
        summary = state._moments()
        states.append(LabelledMoments(state.n_samples, widths[0], widths[1], summary.mean, summary.cov))
        del state, summary
        _core.return_freed_memory()
    return FoldMoments(tuple(states))


def check_folds(folds: Any, n_samples: int) -> np.ndarray:
    """`folds` as integers, one a row, each fold from 0 on with at least 2 rows; or a sentence."""
    array = np.asarray(folds)
    if array.shape != (n_samples,) or array.dtype.kind not in "iu":
        raise InputValueError(
            f"folds must be integers, one a row, shape ({n_samples},); got {array.dtype} of shape {array.shape}. "
            "assign_folds makes them."
        )
    if array.min() < -1:
        row = int(np.flatnonzero(array < -1)[0])
        raise InputValueError(f"folds must count from 0, with -1 for rows left out; got {array[row]} at row {row}.")
    counts = np.bincount(array[array >= 0].astype(np.int64))
    if len(counts) < 2 or counts.min() < 2:
        raise InputValueError(f"folds must be at least 2, of at least 2 rows each; got rows {counts.tolist()}.")
    return array.astype(np.int64)


def _pieces(rows: np.ndarray, parts: Sequence[Samples]) -> Iterator[np.ndarray]:
    bytes_a_row = sum(part.n_features * part.values.itemsize for part in parts)
    step = max(1024, _CHUNK_BYTES // bytes_a_row)
    for start in range(0, len(rows), step):
        yield rows[start : start + step]


def _pooled(states: Sequence[LabelledMoments]) -> LabelledMoments:
    """Scatter within the sets of rows plus scatter of their means about the common one."""
    if len(states) == 1:
        return states[0]
    counts = np.array([state.n_samples for state in states], dtype=np.float64)
    means = np.array([state.mean for state in states])
    mean = np.average(means, axis=0, weights=counts)
    steps = means - mean
    steps[:, np.ptp(means, axis=0) == 0] = 0.0  # equal means: their average may differ in the last bit
    scatter = (steps * counts[:, None]).T @ steps
    for state, count in zip(states, counts, strict=True):
        scatter += (count - 1) * state.cov
    first = states[0]
    return LabelledMoments(
        int(counts.sum()), first.n_features_x, first.n_features_y, mean, scatter / (counts.sum() - 1)
    )
