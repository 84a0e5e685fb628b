"""A fixed-size random sample of rows that is the same however the rows arrive: a bottom-k sketch of their positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

_MOST_ROWS, _LEAST_ROWS = 20_000, 1_000
_MOST_VALUES = 2**24  # of X and Y together, 64 MB in float32, unless the least rows need more


def sample_capacity(n_features: int) -> int:
    """Rows that a sample of views with so many features in all may hold."""
    return max(_LEAST_ROWS, min(_MOST_ROWS, _MOST_VALUES // n_features))


@dataclass(frozen=True, slots=True, eq=False)
class RowSample:
    """The rows, of those seen, whose positions hash lowest: all of them, or `capacity` drawn without replacement.

    A fixed hash (splitmix64) of the absolute position decides, so the sample depends on which rows were seen and on nothing
    else, and samples of disjoint rows merge into the sample of their union.

    References
    ----------
    Cohen & Kaplan (2007), PODC '07, 225-234 (bottom-k sketches). Steele, Lea & Flood (2014), OOPSLA '14, 453-472 (the hash).
    """

    capacity: int
    positions: np.ndarray  # (n_rows,), int64, ascending
    X: np.ndarray  # (n_rows, n_features_x), as given: float16, float32, float64, or uint16 for bfloat16 bits
    Y: np.ndarray  # (n_rows, n_features_y)
    labels: np.ndarray  # (n_rows, n_label_columns), float64; 0 where a row has no label
    is_labelled: np.ndarray  # (n_rows,), booleans

    @property
    def n_rows(self) -> int:
        """Rows held."""
        return len(self.positions)

    @property
    def parts(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Positions, X, Y, labels, is_labelled."""
        return self.positions, self.X, self.Y, self.labels, self.is_labelled

    def merge(self, *others: Self) -> RowSample:
        """The sample of the rows of this one and of others, no two of which have a row in common."""
        samples = (self, *others)
        positions = np.concatenate([sample.positions for sample in samples])
        lowest = _lowest(_hashes(positions), self.capacity)
        lowest = lowest[np.argsort(positions[lowest])]
        parts = zip(*(sample.parts for sample in samples), strict=True)
        return RowSample(self.capacity, *(_gather(part, lowest) for part in parts))


class RowSampler:
    """Draws a `RowSample` from blocks of rows, and never holds more rows than the sample will.

    Parameters
    ----------
    capacity : int
        Rows to hold.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._hashes = np.empty(0, dtype=np.uint64)  # of the row in each slot
        self._slots: list[np.ndarray] = []  # positions, X, Y, labels, is_labelled: a row a slot, in no order

    @classmethod
    def resume(cls, sample: RowSample) -> Self:
        """A sampler that has seen the rows that `sample` was drawn from."""
        sampler = cls(sample.capacity)
        sampler._take(_hashes(sample.positions), sample.parts)
        return sampler

    def add(self, first_row: int, X: np.ndarray, Y: np.ndarray, labels: np.ndarray, is_labelled: np.ndarray) -> None:
        """See the rows at positions `first_row` and following."""
        positions = np.arange(first_row, first_row + len(X), dtype=np.int64)
        self._take(_hashes(positions), (positions, X, Y, labels, is_labelled))

    def sample(self) -> RowSample:
        """The sample of the rows seen so far, which must be some; its arrays are its own."""
        order = np.argsort(self._slots[0][: len(self._hashes)])
        return RowSample(self._capacity, *(held[order] for held in self._slots))

    def _take(self, hashes: np.ndarray, parts: tuple[np.ndarray, ...]) -> None:
        n_held = len(self._hashes)
        is_full = n_held == self._capacity
        candidates = np.flatnonzero(hashes < self._hashes.max()) if is_full else np.arange(len(hashes))
        lowest = _lowest(np.concatenate([self._hashes, hashes[candidates]]), self._capacity)
        taken = candidates[lowest[lowest >= n_held] - n_held]
        if not len(taken):
            return
        if not self._slots:  # all at once: memory that is not written to yet costs nothing
            self._slots = [np.empty((self._capacity, *part.shape[1:]), part.dtype) for part in parts]
        freed = np.setdiff1d(np.arange(n_held), lowest, assume_unique=True)
        slots = np.concatenate([freed, np.arange(n_held, len(lowest))])
        self._hashes = np.concatenate([self._hashes, np.empty(len(lowest) - n_held, dtype=np.uint64)])
        self._hashes[slots] = hashes[taken]
        for held, part in zip(self._slots, parts, strict=True):
            held[slots] = part[taken]


def _hashes(positions: np.ndarray) -> np.ndarray:
    """Numbers of splitmix64's stream of seed 0 at these positions: a bijection of 64 bits, so no two are equal."""
    mixed = (positions.astype(np.uint64) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(mixed ^ (mixed >> np.uint64(31)))


def _lowest(hashes: np.ndarray, count: int) -> np.ndarray:
    """Places of the lowest, in no order; of all if there are no more."""
    return np.arange(len(hashes)) if len(hashes) <= count else np.argpartition(hashes, count)[:count]


def _gather(parts: tuple[np.ndarray, ...], rows: np.ndarray) -> np.ndarray:
    """Rows of the parts as if they stood one below the other, which would take their memory twice."""
    gathered = np.empty((len(rows), *parts[0].shape[1:]), parts[0].dtype)
    first = 0
    for part in parts:
        is_here = (rows >= first) & (rows < first + len(part))
        gathered[is_here] = part[rows[is_here] - first]
        first += len(part)
    return gathered
