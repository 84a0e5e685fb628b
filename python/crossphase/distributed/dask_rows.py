"""A dask array as a source of rows: its shape where the work is planned, its blocks where it is done."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from crossphase.errors import InputValueError
from crossphase.samples import as_samples
from crossphase.sources.array_rows import ArrayRows, piece_ranges
from crossphase.sources.source import check_shape


def is_dask_array(values: Any) -> bool:
    """Whether `values` is a dask array; does not import dask."""
    module = sys.modules.get("dask.array")
    return module is not None and isinstance(values, module.Array)


class DaskRows:
    """Shape and dtype of a dask array as those of a `RowSource`, whose rows only the workers read."""

    def __init__(self, array: Any, name: str) -> None:
        if any(size != size for size in array.shape):  # noqa: PLR0124  (dask's unknown sizes are NaN)
            raise InputValueError(f"{name} has chunks of unknown size; call {name}.compute_chunk_sizes() first.")
        self.spec = array
        self.name = name
        self.n_samples, self.n_features = check_shape(array.shape, name, "the dask array")
        self.dtype = as_samples(np.zeros((1, self.n_features), array.dtype), name).values.dtype

    def read(self, first: int, stop: int) -> np.ndarray:
        """Rows of the array, made in this process."""
        return ArrayRows(self.spec[first:stop].compute(), self.name).read(0, stop - first)

    def fingerprint(self) -> str:
        """Not known before the workers are done: they cut the pieces."""
        return ""

    def require_unchanged(self) -> None:
        """Nothing to compare with."""

    def pieces(self) -> list[Any]:
        """The rows that `ArrayRows.fingerprint` is made of, not yet computed."""
        ranges = piece_ranges((self.n_samples, self.n_features), self.dtype)
        return [self.spec[first:stop] for first, stop in ranges]


class BlockRows(ArrayRows):
    """Rows `first` and following of an array that is elsewhere."""

    def __init__(self, block: np.ndarray, name: str, first: int, n_samples: int) -> None:
        super().__init__(block, name)
        self._first, self._n_samples = first, n_samples

    @property
    def n_samples(self) -> int:
        return self._n_samples

    def read(self, first: int, stop: int) -> np.ndarray:
        return np.array(self._values[first - self._first : stop - self._first], dtype=self._dtype, order="C")

    def fingerprint(self) -> str:
        """Not known here."""
        return ""
