"""Rows that lie in a file as plain numbers from some position on: .npy, stored members of .npz, safetensors, Arrow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase.errors import InputValueError
from crossphase.sources.source import check_range, check_shape, value_dtype
from crossphase.sources.watched_file import WatchedFile, fingerprint_of


@dataclass(frozen=True, slots=True)
class PlainRows:
    """A matrix at `offset` of a file, rows or (``is_fortran``) columns one after another; a `RowSource`."""

    spec: str
    file: WatchedFile
    offset: int  # bytes before the first value
    shape: tuple[int, ...]  # (n_samples, n_features), or it is refused
    stored: np.dtype[Any]
    is_fortran: bool
    member: str = ""  # of a container

    def __post_init__(self) -> None:
        check_shape(self.shape, self.name, self.where)
        value_dtype(self.stored, self.name, self.where)
        needed = self.offset + self.n_samples * self.n_features * self.stored.itemsize
        if needed > self.file.size:
            raise InputValueError(
                f"{self.name}: {self.where} is not whole: its header says {self.shape} of {self.stored}, which takes "
                f"{needed} bytes; the file has {self.file.size}, which end in row {self._last_whole_row()}."
            )

    def __reduce__(self) -> tuple[Any, ...]:
        from crossphase.sources.opening import open_rows  # noqa: PLC0415  (which imports this module)

        return open_rows, (self.spec, self.name)

    @property
    def name(self) -> str:
        """The argument's name in messages."""
        return self.file.name

    @property
    def where(self) -> str:
        """File and member, for messages."""
        return f"{self.file.path}::{self.member}" if self.member else str(self.file.path)

    @property
    def n_samples(self) -> int:
        """Rows."""
        return self.shape[0]

    @property
    def n_features(self) -> int:
        """Columns."""
        return self.shape[1]

    @property
    def dtype(self) -> np.dtype[Any]:
        """See `RowSource.dtype`."""
        return value_dtype(self.stored, self.name, self.where)

    def read(self, first: int, stop: int) -> np.ndarray:
        """Rows ``first`` to ``stop - 1``; of a Fortran-ordered file, one read for each column."""
        check_range(first, stop, self)
        itemsize = self.stored.itemsize
        if self.is_fortran:
            columns = np.empty((self.n_features, stop - first), dtype=self.dtype)
            for column in range(self.n_features):
                position = self.offset + (column * self.n_samples + first) * itemsize
                self._fill(columns[column], position, first, stop)
            values = columns.T
        else:
            values = np.empty((stop - first, self.n_features), dtype=self.dtype)
            self._fill(values, self.offset + first * self.n_features * itemsize, first, stop)
        if not self.stored.isnative:
            values.byteswap(inplace=True)
        return values

    def fingerprint(self) -> str:
        """See `RowSource.fingerprint`."""
        return fingerprint_of([self.file], self.shape, self.dtype, self.member)

    def require_unchanged(self) -> None:
        """See `RowSource.require_unchanged`."""
        self.file.require_unchanged()

    def _fill(self, values: np.ndarray, position: int, first: int, stop: int) -> None:
        if not values.size:
            return
        n_read = self.file.read_into(values.data.cast("B"), position)
        if n_read < values.nbytes:
            raise InputValueError(
                f"{self.name}: {self.where} ended while rows {first} to {stop} were read: {n_read} of {values.nbytes} bytes came."
            )

    def _last_whole_row(self) -> int:
        there = max(self.file.size - self.offset, 0)
        return 0 if self.is_fortran else there // (self.n_features * self.stored.itemsize)
