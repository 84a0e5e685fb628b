"""Joint moments by keeping every row and centring once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


class CrossMoments:
    """Rows [X Y labels] at absolute positions; moments of all of them, in float64."""

    def __init__(self, n_columns: int, first_row: int, precision: Any) -> None:
        """`precision` says what the compiled backends may round; here nothing is."""
        self._n_columns = n_columns
        self._next_row = first_row
        self._rows: dict[int, np.ndarray] = {}  # by position

    def update(self, parts: Sequence[np.ndarray], *, n_threads: int) -> None:
        rows = np.hstack([to_float64(part) for part in parts])
        if rows.shape[1] != self._n_columns:
            raise ValueError("the columns of an update do not match the state")
        self._add(dict(enumerate(rows, start=self._next_row)))
        self._next_row += len(rows)

    def merge(self, other: CrossMoments) -> None:
        if other._n_columns != self._n_columns:
            raise ValueError("the states differ in their columns")
        self._add(other._rows)
        self._next_row = max([self._next_row, *(row + 1 for row in other._rows)])

    def _add(self, rows: dict[int, np.ndarray]) -> None:
        both = sorted(self._rows.keys() & rows.keys())
        if both:
            raise ValueError(
                f"both states hold rows {both[0]} to {both[-1]}; give each shard the position of its first row: "
                "CrossMoments(..., first_row=...)."
            )
        self._rows.update(rows)

    @property
    def n_samples(self) -> int:
        return len(self._rows)

    @property
    def row_ranges(self) -> list[tuple[int, int]]:
        ranges: list[tuple[int, int]] = []
        for row in sorted(self._rows):
            if ranges and ranges[-1][1] == row:
                ranges[-1] = (ranges[-1][0], row + 1)
            else:
                ranges.append((row, row + 1))
        return ranges

    def summarize(self, n_columns: int) -> tuple[int, np.ndarray, np.ndarray]:
        if not self._rows:
            raise ValueError("the state holds no rows yet")
        rows = np.stack([self._rows[i] for i in sorted(self._rows)])
        mean = rows.mean(axis=0)
        centred = rows - mean
        correction = centred.mean(axis=0)  # the mean was rounded; two passes take the rest off
        centred -= correction
        with np.errstate(over="ignore"):  # infinite covariances are the caller's to refuse
            return len(rows), mean + correction, centred.T @ centred


def to_float64(part: np.ndarray) -> Any:
    """Any sample type as float64, exactly."""
    if part.dtype == np.uint16:  # bfloat16 bits: the upper half of a float32
        return (part.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    return part.astype(np.float64)
