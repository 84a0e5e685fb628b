"""Rows that repeat another row, byte for byte."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase.samples import Samples

_BYTES_AT_A_TIME = 1 << 19  # stays in cache while it is hashed
_N_SHOWN = 5


@dataclass(frozen=True, slots=True, eq=False)
class DuplicateRows:
    """Exact repeats. Folds that hold a row and its copy do not test anything new: held-out numbers come out too good."""

    n_x: int  # rows of X that repeat an earlier row of X
    n_y: int
    n_both: int  # rows that repeat an earlier row in both views at once: the same pair twice
    first_x: tuple[tuple[int, int], ...]  # the first few, as (row, earlier row)
    first_y: tuple[tuple[int, int], ...]
    first_both: tuple[tuple[int, int], ...]
    n_across_groups: int  # rows of n_x or n_y whose earlier copy has another group; without groups every row is its own
    groups: (
        np.ndarray
    )  # (n_samples,), integers: rows with equal numbers share a row of X or of Y (or a group) and belong
    # in one fold; pass as groups=
    n_groups: int


def find_duplicates(x: Samples, y: Samples, groups: np.ndarray | None) -> DuplicateRows:
    """Repeats in each view and in both; `groups` are (n_samples,) integers, if any.

    Reads both views once, some hundred KiB at a time; memory O(n_samples). Rows are compared by their bytes.
    """
    earlier_x, earlier_y = _earlier_equal(x), _earlier_equal(y)
    n = x.n_samples
    earlier_both = _first_with(earlier_x * n + earlier_y)
    rows = np.arange(n)
    repeats_x, repeats_y, repeats_both = (
        np.flatnonzero(earlier != rows) for earlier in (earlier_x, earlier_y, earlier_both)
    )
    joined = _joined(earlier_x, earlier_y, groups)
    own = rows if groups is None else groups
    is_across = (own[earlier_x] != own) | (own[earlier_y] != own)
    return DuplicateRows(
        n_x=len(repeats_x),
        n_y=len(repeats_y),
        n_both=len(repeats_both),
        first_x=_shown(repeats_x, earlier_x),
        first_y=_shown(repeats_y, earlier_y),
        first_both=_shown(repeats_both, earlier_both),
        n_across_groups=int(is_across.sum()),
        groups=joined,
        n_groups=int(joined.max()) + 1,
    )


def _earlier_equal(view: Samples) -> np.ndarray:
    """For each row the first row with the same bytes."""
    earlier = _first_with(_hashes(view))
    for row in np.flatnonzero(earlier != np.arange(view.n_samples)):
        # Equal hashes are a hint. Bytes, not values: 0.0 and -0.0 differ, as files do.
        if view.values[row].tobytes() != view.values[earlier[row]].tobytes():
            earlier[row] = row
    return earlier


def _hashes(view: Samples) -> np.ndarray:
    """(n_samples,), 64 bits a row: random odd multiples of its words, summed."""
    n_bytes = view.n_features * view.values.dtype.itemsize
    n_words = -(-n_bytes // 8)
    n_rows = max(1, _BYTES_AT_A_TIME // (8 * n_words))
    multipliers = np.random.default_rng(0).integers(2**63, size=n_words, dtype=np.uint64) * 2 + 1
    found = np.empty(view.n_samples, dtype=np.uint64)
    padded = np.zeros((n_rows, 8 * n_words), dtype=np.uint8)
    for start in range(0, view.n_samples, n_rows):
        block = np.ascontiguousarray(view.values[start : start + n_rows])
        padded[: len(block), :n_bytes] = block.view(np.uint8).reshape(len(block), n_bytes)
        words = padded[: len(block)].view(np.uint64)
        # Multiplying moves information up only; the shift brings the sign and exponent down to the low bits first.
        found[start : start + len(block)] = ((words ^ (words >> np.uint64(32))) * multipliers).sum(axis=1)
    return found


def _first_with(keys: np.ndarray) -> np.ndarray:
    """For each row the first row with the same key."""
    _, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
    return np.asarray(first[inverse], dtype=np.int64)


def _joined(earlier_x: np.ndarray, earlier_y: np.ndarray, groups: np.ndarray | None) -> np.ndarray:
    """Numbers of the connected components of "same row of X, same row of Y, or same group"."""
    rows = np.arange(len(earlier_x))
    links = [earlier_x, earlier_y] if groups is None else [earlier_x, earlier_y, _first_with(groups)]
    if all(np.array_equal(link, rows) for link in links):
        return rows
    from scipy.sparse import coo_array  # noqa: PLC0415  (only where there is something to join)
    from scipy.sparse.csgraph import connected_components  # noqa: PLC0415

    starts, ends = np.tile(rows, len(links)), np.concatenate(links)
    graph = coo_array((np.ones(len(starts), dtype=np.int8), (starts, ends)), shape=(len(rows), len(rows)))
    return np.asarray(connected_components(graph.tocsr(), directed=False)[1], dtype=np.int64)


def _shown(repeats: np.ndarray, earlier: np.ndarray) -> tuple[tuple[int, int], ...]:
    return tuple((int(row), int(earlier[row])) for row in repeats[:_N_SHOWN])
