"""Principal components of one view, columns scaled to unit variance: what tests whiten, without a look at the other view."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crossphase._threads import single_threaded_blas
from crossphase.errors import InputValueError
from crossphase.reference.moments import to_float64
from crossphase.samples import Samples

_CHUNK_ROWS = 4096
_NULL_VARIANCE = 1e-10  # of a direction, columns scaled to unit variance: below it, rounding may look like correlation


@dataclass(frozen=True, slots=True, eq=False)
class PrincipalScores:
    """Scores ``(rows - mean) @ weights`` with ``scores.T @ scores = diag(sums_of_squares)``."""

    samples: Samples
    mean: np.ndarray  # (n_features,)
    weights: np.ndarray  # (n_features, rank), by descending variance
    sums_of_squares: np.ndarray  # (rank,), with columns scaled to unit variance
    n_varying: int  # columns that are not constant

    @property
    def rank(self) -> int:
        """Linearly independent directions, constants apart."""
        return len(self.sums_of_squares)

    def scores(self, rows: np.ndarray | slice, n_components: int, *, is_white: bool) -> np.ndarray:
        """Leading scores of some rows, in float64; white ones are orthonormal over all rows."""
        weights = self.weights[:, :n_components]
        if is_white:
            weights = weights / np.sqrt(self.sums_of_squares[:n_components])
        return np.asarray((np.ascontiguousarray(to_float64(self.samples.values[rows])) - self.mean) @ weights)


def principal_scores(samples: Samples) -> PrincipalScores:
    """Principal components of finite samples.

    Cost O(n p min(n, p)); the rows are read in chunks unless features outnumber them.

    Raises
    ------
    InputValueError
        All columns are constant, or so large that their sums overflow.
    """
    with np.errstate(over="ignore"):
        mean = sum(chunk.sum(axis=0) for chunk in _chunks(samples)) / samples.n_samples
    if not np.isfinite(mean).all():
        raise InputValueError(f"{samples.name} is so large that its sums overflow float64; rescale it.")
    reach = np.max([np.abs(chunk - mean).max(axis=0) for chunk in _chunks(samples)], axis=0)
    varying = reach > 1e-12 * np.abs(mean)  # else what summing a constant in float64 can feign
    unit = np.where(varying, reach, 1.0)  # divided first: squares of 1e200 or 1e-200 stay finite and nonzero
    if not varying.any():
        raise InputValueError(
            f"{samples.name} is constant: none of its {samples.n_features} columns varies (column 0: {mean[0]:g} in every "
            "row). Check that the right array was passed."
        )
    squares = sum((((chunk - mean) / unit) ** 2).sum(axis=0) for chunk in _chunks(samples))
    scale = np.where(varying, 1.0 / unit / np.sqrt(np.where(varying, squares / samples.n_samples, 1.0)), 0.0)
    with single_threaded_blas():
        if samples.n_features <= samples.n_samples:
            gram = sum(scaled.T @ scaled for scaled in ((chunk - mean) * scale for chunk in _chunks(samples)))
            squares, axes = np.linalg.eigh(gram)
        else:
            rows = (np.ascontiguousarray(to_float64(samples.values)) - mean) * scale
            squares, left = np.linalg.eigh(rows @ rows.T)
            axes = rows.T @ left / np.sqrt(np.where(squares > 0, squares, np.inf))
    kept = np.flatnonzero(squares > samples.n_samples * _NULL_VARIANCE)[::-1]
    return PrincipalScores(samples, mean, scale[:, None] * axes[:, kept], squares[kept], int(varying.sum()))


def _chunks(samples: Samples) -> Iterator[np.ndarray]:
    for start in range(0, samples.n_samples, _CHUNK_ROWS):
        # Contiguous: sums of columns come in an order that follows the layout.
        yield np.ascontiguousarray(to_float64(samples.values[start : start + _CHUNK_ROWS]))
