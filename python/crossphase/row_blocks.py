"""Rows as the units that may be flipped or exchanged: single rows, whole groups, or blocks of these where they are many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.principal_scores import PrincipalScores

# As many random signs as a resample has. What is left of a signal in the resamples goes with its root: a sixteenth.
MOST_BLOCKS = 256


@dataclass(frozen=True, slots=True, eq=False)
class RowBlocks:
    """A partition of rows: block t holds ``order[starts[t] : starts[t + 1]]``."""

    order: np.ndarray  # (n_samples,)
    starts: np.ndarray  # (n_blocks + 1,)

    def __len__(self) -> int:
        return len(self.starts) - 1

    def rows(self, block: int) -> np.ndarray:
        """Row numbers of a block."""
        return self.order[self.starts[block] : self.starts[block + 1]]

    def cross_products(
        self, x: PrincipalScores, y: PrincipalScores, rank_x: int, rank_y: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Block by block: products of white scores, ``(n_blocks, rank_x, rank_y)``, and sums of X's, ``(n_blocks, rank_x)``."""
        products, sums = np.empty((len(self), rank_x, rank_y)), np.empty((len(self), rank_x))
        for block in range(len(self)):
            rows = self.rows(block)
            scores_x = x.scores(rows, rank_x, is_white=True)
            np.matmul(scores_x.T, y.scores(rows, rank_y, is_white=True), out=products[block])
            sums[block] = scores_x.sum(axis=0)
        return products, sums


def check_groups(groups: Any, n_samples: int) -> np.ndarray:
    """Group number of each row, in order of first appearance, or a sentence."""
    try:
        array = np.asarray(groups.to_numpy() if hasattr(groups, "to_numpy") else groups)
    except ValueError as error:
        raise InputTypeError(f"groups must be one name or number a row; NumPy cannot read them ({error}).") from error
    if array.shape != (n_samples,):
        raise InputValueError(f"groups must have shape ({n_samples},), one group a row; got {array.shape}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputValueError(
            f"groups must not be missing; got {array[~np.isfinite(array)][0]} at row {int(np.argmin(np.isfinite(array)))}."
        )
    if array.dtype.kind not in "biufUST":
        names = array.tolist()
        if any(name is None or name != name for name in names):  # noqa: PLR0124  (NaN differs from itself)
            row = next(i for i, name in enumerate(names) if name is None or name != name)  # noqa: PLR0124
            raise InputValueError(f"groups must not be missing; got {names[row]} at row {row}.")
        array = np.array([str(name) for name in names])
    _, first, inverse = np.unique(array, return_index=True, return_inverse=True)
    by_appearance = np.empty(len(first), dtype=np.intp)
    by_appearance[np.argsort(first)] = np.arange(len(first))
    return by_appearance[inverse.ravel()]


def group_blocks(codes: np.ndarray) -> RowBlocks:
    """A block for each group, its rows in their order."""
    counts = np.bincount(codes)
    return RowBlocks(np.argsort(codes, kind="stable"), np.concatenate([[0], np.cumsum(counts)]))


def block_rows(n_samples: int, codes: np.ndarray | None, order: np.ndarray | None = None) -> RowBlocks:
    """At most `MOST_BLOCKS` blocks of whole groups, or of single rows where there are none.

    Blocks are of neighbouring rows, or groups, so that a dependence between neighbours stays within blocks; `order` shuffles
    rows or groups first.
    """
    n_units = n_samples if codes is None else int(codes.max()) + 1
    n_blocks = min(n_units, MOST_BLOCKS)
    block_of_unit = np.arange(n_units) * n_blocks // n_units
    if order is not None:
        block_of_unit = block_of_unit[np.argsort(order)]
    return group_blocks(block_of_unit if codes is None else block_of_unit[codes])
