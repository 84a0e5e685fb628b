"""Folds of rows for cross-validation: groups stay whole, classes are spread evenly, sizes balance."""

from __future__ import annotations

from typing import Any

import numpy as np

from crossphase._scalars import check_integer
from crossphase._seeds import Seed, seed_sequence
from crossphase.errors import InputTypeError, InputValueError


def assign_folds(n_samples: int, n_folds: int, *, groups: Any = None, classes: Any = None, rng: Seed) -> np.ndarray:
    """Fold of every row, shape (n_samples,), integers in [0, n_folds).

    Parameters
    ----------
    n_samples, n_folds : int
        At least 2 folds, and at least as many rows.
    groups : array, shape (n_samples,), optional
        Rows of one group (a donor, a star, a duplicate) go to the same fold.
    classes : array, shape (n_samples,), optional
        Each class is spread over the folds as evenly as whole groups allow; a class with fewer rows than folds is missing
        from some of them.
    rng : int, SeedSequence or Generator
        The same seed gives the same folds.

    Raises
    ------
    InputValueError
        Fewer rows or groups than folds, or one value a row is not what came.

    Notes
    -----
    Without groups: rows in random order within their class, dealt out like cards; fold sizes differ by at most 1, and so do
    the rows of a class. With groups: the largest first, each to the fold where it leaves the class counts, relative to the
    class sizes, most even; O(n_groups n_folds n_classes).
    """
    n = check_integer(n_samples, "n_samples", least=2)
    k = check_integer(n_folds, "n_folds", least=2)
    if k > n:
        raise InputValueError(f"n_folds must be at most the number of rows, {n}; got {k}. Use fewer folds.")
    generator = np.random.default_rng(seed_sequence(rng))
    codes = np.zeros(n, dtype=np.int64) if classes is None else _codes(classes, "classes", n)
    if groups is None:
        return _dealt(codes, k, generator)
    return _whole_groups(codes, _codes(groups, "groups", n), k, generator)


def _codes(values: Any, name: str, n_samples: int) -> np.ndarray:
    """Integers 0, 1, ... for the distinct values."""
    array = np.asarray(values)
    if array.shape != (n_samples,):
        raise InputValueError(f"{name} must have one value a row, shape ({n_samples},); got shape {array.shape}.")
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        row = int(np.flatnonzero(~np.isfinite(array))[0])
        raise InputValueError(
            f"{name} must be finite; got {array[row]} at row {row}. Give such rows a value of their own."
        )
    try:
        return np.asarray(np.unique(array, return_inverse=True)[1], dtype=np.int64)
    except TypeError as error:
        raise InputTypeError(
            f"{name} must be strings only, or numbers only, so that equal values can be found; {error}."
        ) from None


def _dealt(codes: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    order = generator.permutation(len(codes))
    order = order[np.argsort(codes[order], kind="stable")]
    folds = np.empty(len(codes), dtype=np.int64)
    folds[order] = generator.permutation(k)[np.arange(len(codes)) % k]
    return folds


def _whole_groups(codes: np.ndarray, groups: np.ndarray, k: int, generator: np.random.Generator) -> np.ndarray:
    n_groups, n_classes = int(groups.max()) + 1, int(codes.max()) + 1
    if n_groups < k:
        raise InputValueError(
            f"groups must be at least as many as folds, since a group is never split; got {n_groups} "
            f"group{'s' if n_groups > 1 else ''} for {k} folds. Use fewer folds."
        )
    counts = np.bincount(groups * n_classes + codes, minlength=n_groups * n_classes).reshape(n_groups, n_classes)
    sizes = counts.sum(axis=1)
    shares = counts / counts.sum(axis=0)  # of each class that a group holds
    shuffled = generator.permutation(n_groups)
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    held, rows = np.zeros((k, n_classes)), np.zeros(k)
    fold_of_group = np.empty(n_groups, dtype=np.int64)
    for place, group in enumerate(order):
        # What a sum of squares over the folds would grow by, up to a constant.
        growth = held @ shares[group] + rows * sizes[group] / len(codes)
        if n_groups - place <= np.count_nonzero(rows == 0):
            growth[rows > 0] = np.inf  # the groups left are just enough for the empty folds
        fold = int(np.argmin(growth))
        held[fold] += shares[group]
        rows[fold] += sizes[group] / len(codes)
        fold_of_group[group] = fold
    return np.asarray(fold_of_group[groups])
