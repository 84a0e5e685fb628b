"""Rows of an array in memory, or of a memory map, as a `RowSource`."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

import numpy as np

from crossphase.samples import as_samples
from crossphase.sources.source import check_range

_N_PIECES, _PIECE = 16, 4096


class ArrayRows:
    """Rows of what `as_samples` takes; a `RowSource` that pickles with its data, having nothing else to pickle."""

    def __init__(self, values: Any, name: str) -> None:
        array = values
        if isinstance(values, np.ndarray) and values.dtype.kind == "f" and not values.dtype.isnative:
            # `as_samples` would convert the whole array; here each block is converted as it is read.
            array = values.view(values.dtype.newbyteorder("="))
        samples = as_samples(array, name)
        self._values = samples.values if array is values else np.asarray(values)
        self._dtype = samples.values.dtype
        self._name = name

    def __reduce__(self) -> tuple[Any, ...]:
        return ArrayRows, (self.spec, self._name)

    @property
    def spec(self) -> np.ndarray:
        """The array."""
        return self._values.view("V2") if self._dtype == np.uint16 else self._values

    @property
    def name(self) -> str:
        """The argument's name in messages."""
        return self._name

    @property
    def n_samples(self) -> int:
        """Rows."""
        return int(self._values.shape[0])

    @property
    def n_features(self) -> int:
        """Columns."""
        return int(self._values.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        """See `RowSource.dtype`."""
        return self._dtype

    def read(self, first: int, stop: int) -> np.ndarray:
        """A copy of rows ``first`` to ``stop - 1``."""
        check_range(first, stop, self)
        return np.array(self._values[first:stop], dtype=self._dtype, order="C")

    def fingerprint(self) -> str:
        """SHA-256 of shape, dtype and evenly spaced rows."""
        shape = (self.n_samples, self.n_features)
        return fingerprint_of_pieces(
            shape, self._dtype, [self.read(*piece) for piece in piece_ranges(shape, self._dtype)]
        )

    def require_unchanged(self) -> None:
        """Nothing to compare with: the array is the caller's."""


def piece_ranges(shape: tuple[int, int], dtype: np.dtype[Any]) -> list[tuple[int, int]]:
    """``(first, stop)`` of the rows that enter a fingerprint."""
    n_rows = max(1, _PIECE // (shape[1] * dtype.itemsize))
    starts = [piece * max(shape[0] - n_rows, 0) // (_N_PIECES - 1) for piece in range(_N_PIECES)]
    return [(start, min(start + n_rows, shape[0])) for start in starts]


def fingerprint_of_pieces(shape: tuple[int, int], dtype: np.dtype[Any], pieces: Iterable[np.ndarray]) -> str:
    """The fingerprint of an array whose rows in `piece_ranges` these are."""
    digest = hashlib.sha256(f"{shape}\n{dtype}".encode())
    for piece in pieces:
        digest.update(piece.tobytes())
    return digest.hexdigest()
