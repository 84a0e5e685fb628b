"""Some rows of another source, in another order."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase.sources.source import RowSource, check_range

_SKIPPED_BYTES = 64 * 1024  # reading on over as much is no slower than a second read
_MOST_BYTES = 16 * 2**20  # read at once


@dataclass(frozen=True, slots=True, eq=False)
class MatchedRows:
    """Row i is row ``rows[i]`` of `source`; a `RowSource`.

    A block is gathered by reads in the order of the file, neighbours together: as fast as the source if `rows` ascend, and
    as fast as the disk's single reads if they are shuffled.
    """

    source: RowSource
    rows: np.ndarray  # (n_samples,), integers

    @property
    def spec(self) -> Any:
        """The source itself: rows by number have no other name."""
        return self

    @property
    def name(self) -> str:
        """The argument's name in messages."""
        return self.source.name

    @property
    def n_samples(self) -> int:
        """Rows."""
        return len(self.rows)

    @property
    def n_features(self) -> int:
        """Columns."""
        return self.source.n_features

    @property
    def dtype(self) -> np.dtype[Any]:
        """See `RowSource.dtype`."""
        return self.source.dtype

    def read(self, first: int, stop: int) -> np.ndarray:
        """Rows ``first`` to ``stop - 1``."""
        check_range(first, stop, self)
        wanted = self.rows[first:stop]
        block = np.empty((len(wanted), self.n_features), dtype=self.dtype)
        order = np.argsort(wanted, kind="stable")
        row_bytes = self.n_features * self.dtype.itemsize
        for places in _runs(order, wanted, _SKIPPED_BYTES // row_bytes + 1, max(_MOST_BYTES // row_bytes, 1)):
            lowest, highest = int(wanted[places[0]]), int(wanted[places[-1]])
            block[places] = self.source.read(lowest, highest + 1)[wanted[places] - lowest]
        return block

    def fingerprint(self) -> str:
        """Of the source and of the rows taken."""
        digest = hashlib.sha256(self.source.fingerprint().encode())
        digest.update(np.ascontiguousarray(self.rows, dtype="<i8").data)
        return digest.hexdigest()

    def require_unchanged(self) -> None:
        """See `RowSource.require_unchanged`."""
        self.source.require_unchanged()


def _runs(order: np.ndarray, wanted: np.ndarray, most_apart: int, most_rows: int) -> list[np.ndarray]:
    """`order` cut where the next row wanted is further away than `most_apart`, or a read would span more than `most_rows`."""
    ascending = wanted[order]
    cuts = np.flatnonzero(np.diff(ascending) > most_apart) + 1
    runs: list[np.ndarray] = []
    for run in np.split(order, cuts):
        reach = (wanted[run] - wanted[run[0]]) // most_rows
        runs.extend(np.split(run, np.flatnonzero(np.diff(reach)) + 1))
    return runs
