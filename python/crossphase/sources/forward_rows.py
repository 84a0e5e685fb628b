"""Rows of formats that must be decoded: read forward, with the position kept from one block to the next."""

from __future__ import annotations

import os
import threading
import weakref
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.sources.source import check_range, check_shape
from crossphase.sources.watched_file import WatchedFile, fingerprint_of

PIECE_BYTES = 1 << 22  # decoded at a time, where the format leaves the choice


class _Cursor:
    """Pieces of rows, one after another, from some row on."""

    def __init__(self, row: int, pieces: Iterator[np.ndarray]) -> None:
        self.row = row  # of the first row of what is left
        self.process = os.getpid()
        self._pieces = pieces
        self._left: np.ndarray | None = None

    def take(self, most: int) -> np.ndarray:
        """The next rows: a view of at least one and at most `most`; none at the end."""
        while self._left is None or not len(self._left):
            self._left = next(self._pieces, None)
            if self._left is None:
                return np.empty((0, 0))
        rows, self._left = self._left[:most], self._left[most:]
        self.row += len(rows)
        return rows


_SOURCES: weakref.WeakSet[ForwardRows] = weakref.WeakSet()


def _unlock_all() -> None:
    """In a forked child, where a thread that was reading is gone and would never give its lock back."""
    for source in _SOURCES:
        source._lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_all)


class ForwardRows(ABC):
    """A `RowSource` over pieces that only come in order: a deflated stream, pages, chunks.

    Reading block after block decodes everything once. A block before the last one, or far behind it, starts again where
    the format allows it (`_restart_row`).
    """

    def __init__(self, spec: str, file: WatchedFile, member: str, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
        self.spec = spec
        self.file = file
        self.member = member
        self.where = f"{file.path}::{member}" if member else str(file.path)
        self.name = file.name
        self.n_samples, self.n_features = check_shape(shape, self.name, self.where)
        self.dtype = dtype
        self._lock = threading.Lock()
        self._cursor: _Cursor | None = None
        _SOURCES.add(self)

    def __reduce__(self) -> tuple[Any, ...]:
        from crossphase.sources.opening import open_rows  # noqa: PLC0415  (which imports this module)

        return open_rows, (self.spec, self.name)

    @abstractmethod
    def _restart_row(self, row: int) -> int:
        """The last row at or before `row` at which decoding can start."""

    @abstractmethod
    def _pieces(self, start: int) -> Iterator[np.ndarray]:
        """All rows from a restart row on, in order, as arrays that will not be written to."""

    def read(self, first: int, stop: int) -> np.ndarray:
        """Rows ``first`` to ``stop - 1``."""
        check_range(first, stop, self)
        rows = np.empty((stop - first, self.n_features), dtype=self.dtype)
        with self._lock:
            cursor, self._cursor = self._cursor, None  # forgotten if reading fails
            try:
                cursor = self._cursor_at(cursor, first)
                n_filled = 0
                while n_filled < len(rows):
                    piece = cursor.take(len(rows) - n_filled)
                    if not len(piece):
                        raise InputValueError(
                            f"{self.name}: {self.where} ends after row {cursor.row}; its header says {self.n_samples} rows."
                        )
                    rows[n_filled : n_filled + len(piece)] = piece
                    n_filled += len(piece)
            except (InputValueError, InputTypeError):
                self.file.require_unchanged()  # which may be why
                raise
            except Exception as error:  # whatever a decoder raises on damaged bytes
                self.file.require_unchanged()
                raise InputValueError(
                    f"{self.name}: {self.where} is damaged; reading rows {first} to {stop} failed ({error})."
                ) from error
            self._cursor = cursor if stop < self.n_samples else None  # no file stays open behind the last row
        self.file.require_unchanged()
        return rows

    def fingerprint(self) -> str:
        """See `RowSource.fingerprint`."""
        return fingerprint_of([self.file], (self.n_samples, self.n_features), self.dtype, self.member)

    def require_unchanged(self) -> None:
        """See `RowSource.require_unchanged`."""
        self.file.require_unchanged()

    def _cursor_at(self, cursor: _Cursor | None, row: int) -> _Cursor:
        restart = self._restart_row(row)
        # A forked child must not move the file position that its parent reads from.
        if cursor is None or cursor.process != os.getpid() or not restart <= cursor.row <= row:
            cursor = _Cursor(restart, self._pieces(restart))
        while cursor.row < row and len(cursor.take(row - cursor.row)):
            pass
        return cursor
