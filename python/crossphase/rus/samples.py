"""Draws from a RUS model, their splits and standardisation."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from crossphase.errors import InputTypeError, InputValueError

_TRAIN_END, _VALID_END = 0.70, 0.85  # shares of the published splits


class Split(StrEnum):
    """What train, valid and test do not share."""

    ROWS = "rows"  # published: rows, each class in proportion
    INPUTS = "inputs"  # patterns of the shared bits, hence values of X and of Y


@dataclass(frozen=True, slots=True, eq=False)
class RUSSample:
    """Rows of a RUS model; bits of an index are features from most to least significant."""

    X: np.ndarray  # (n_samples, n_shared_features + n_unique_features), float64: shared bits, then those of X alone
    Y: np.ndarray  # the same shape: the same shared bits, then those of Y alone; both views perhaps transformed
    labels: np.ndarray  # (n_samples,), classes 0 ... n_classes - 1
    shared: np.ndarray  # (n_samples,), index of the shared bits
    unique_x: np.ndarray  # (n_samples,), index of the bits of X alone
    unique_y: np.ndarray  # (n_samples,)


@dataclass(frozen=True, slots=True, eq=False)
class RUSSplits:
    """One draw cut into 70 % train, 15 % valid and 15 % test, columns standardised by the mean and deviation of train."""

    train: RUSSample
    valid: RUSSample
    test: RUSSample


def bits_of(n_bits: int) -> np.ndarray:
    """All patterns of `n_bits` bits in the order of their index, (2^n_bits, n_bits), float64."""
    shifts = np.arange(n_bits - 1, -1, -1)
    return np.asarray((np.arange(2**n_bits)[:, None] >> shifts) & 1, dtype=np.float64)


def split_rows(labels: np.ndarray, n_classes: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of train, valid and test, ascending; every class is cut in the same shares, to the nearest row."""
    order = rng.permutation(len(labels))
    parts: list[list[np.ndarray]] = [[], [], []]
    for label in range(n_classes):
        rows = order[labels[order] == label]
        for part, piece in zip(parts, np.split(rows, _cuts(len(rows))), strict=True):
            part.append(piece)
    return [np.sort(np.concatenate(part)) for part in parts]


def split_inputs(shared: np.ndarray, n_patterns: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Row numbers of train, valid and test by pattern of the shared bits: no input of one occurs in another."""
    part_of = np.empty(n_patterns, dtype=np.intp)
    for part, patterns in enumerate(np.split(rng.permutation(n_patterns), _cuts(n_patterns))):
        part_of[patterns] = part
    return [np.flatnonzero(part_of[shared] == part) for part in range(3)]


def require_rows(parts: list[np.ndarray], split: Split, n_patterns: int) -> None:
    """Raise InputValueError if train, valid or test is empty."""
    for name, rows in zip(("train", "valid", "test"), parts, strict=True):
        if len(rows) == 0:
            counts = " + ".join(str(len(part)) for part in parts)
            remedy = (
                "draw more rows"
                if split is Split.ROWS
                else f'draw more rows, raise n_shared_features ({n_patterns} patterns to divide), or pass split="rows"'
            )
            raise InputValueError(f"{name} would have no rows (train + valid + test: {counts}); {remedy}.")


def standardise(table: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """A table of rows, row i met `counts[i]` times in train, with train's mean 0 and deviation 1; constants become 0."""
    n = counts.sum()
    mean = (counts[:, None] * table).sum(axis=0) / n
    centred = table - mean
    deviation = np.sqrt((counts[:, None] * centred**2).sum(axis=0) / n)
    is_constant = deviation <= 1e-12 * np.abs(table).max(axis=0)  # left over from rounding
    return np.where(is_constant, 0.0, centred / np.where(is_constant, 1.0, deviation))


def as_generator(rng: int | np.random.Generator) -> np.random.Generator:
    """A generator from a seed, or the one given."""
    if isinstance(rng, np.random.Generator):
        return rng
    if isinstance(rng, bool | np.bool_) or not isinstance(rng, int | np.integer):
        raise InputTypeError(f"rng must be a seed (an integer >= 0) or a numpy.random.Generator; got {rng!r}.")
    if rng < 0:
        raise InputValueError(f"rng must be at least 0 where it is a seed; got {rng}.")
    return np.random.default_rng(int(rng))


def _cuts(n: int) -> list[int]:
    return [int(np.floor(share * n + 0.5)) for share in (_TRAIN_END, _VALID_END)]
