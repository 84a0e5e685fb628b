"""Rows of several sources, one after another."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from hashlib import sha256
from itertools import accumulate
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.sources.source import RowSource, check_range, dtype_name


class ConcatenatedRows:
    """A `RowSource` over parts of one width and dtype."""

    def __init__(self, spec: str, name: str, parts: Sequence[RowSource]) -> None:
        self.spec = spec
        self.name = name
        first = parts[0]
        for part in parts[1:]:
            if part.n_features != first.n_features:
                raise InputValueError(
                    f"{name}: all parts must have the same number of columns; {first.spec} has {first.n_features}, "
                    f"{part.spec} has {part.n_features}."
                )
            if part.dtype != first.dtype:
                raise InputTypeError(
                    f"{name}: all parts must have the same dtype; {first.spec} holds {dtype_name(first.dtype)}, "
                    f"{part.spec} {dtype_name(part.dtype)}."
                )
        self.n_features = first.n_features
        self.dtype = first.dtype
        self._parts = tuple(parts)
        self._starts = [0, *accumulate(part.n_samples for part in parts)]
        self.n_samples = self._starts[-1]

    def __reduce__(self) -> tuple[Any, ...]:
        from crossphase.sources.opening import open_rows  # noqa: PLC0415  (which imports this module)

        return open_rows, (self.spec, self.name)

    def read(self, first: int, stop: int) -> np.ndarray:
        """Rows ``first`` to ``stop - 1``."""
        check_range(first, stop, self)
        index = bisect_right(self._starts, first, hi=len(self._parts)) - 1
        if stop <= self._starts[index + 1]:
            return self._parts[index].read(first - self._starts[index], stop - self._starts[index])
        rows = np.empty((stop - first, self.n_features), dtype=self.dtype)
        row = first
        while row < stop:
            start, end = self._starts[index], min(self._starts[index + 1], stop)
            rows[row - first : end - first] = self._parts[index].read(row - start, end - start)
            row, index = end, index + 1
        return rows

    def fingerprint(self) -> str:
        """SHA-256 of the parts' fingerprints in their order."""
        return sha256("\n".join(part.fingerprint() for part in self._parts).encode()).hexdigest()

    def require_unchanged(self) -> None:
        """See `RowSource.require_unchanged`."""
        for part in self._parts:
            part.require_unchanged()
