"""Prepared features of a view's rows, some at a time, with weights on the rows."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from crossphase.pair import PreparedView
from crossphase.reference.moments import to_float64

_VALUES_AT_A_TIME = 1 << 20  # converted to float64 together: 8 MiB


def weighted_rows(view: PreparedView, rows: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Prepared features of `rows`, each times the root of its weight, about the mean of all rows that were summed."""
    return np.asarray(view.features(to_float64(view.samples.values[rows])) * np.sqrt(weights[rows])[:, None])


def blocks_of_rows(*views: PreparedView) -> Iterator[np.ndarray]:
    """The rows that views of one pair hold, so many at a time as take little memory."""
    n = views[0].samples.n_samples
    size = max(1, _VALUES_AT_A_TIME // max(view.samples.n_features for view in views))
    for first in range(0, n, size):
        yield np.arange(first, min(first + size, n))
