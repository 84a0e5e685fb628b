"""Cross-validated R² of every component against every label, for many label permutations at once."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

import numpy as np

from crossphase import _core
from crossphase._backends import select
from crossphase._scalars import check_choice, check_number
from crossphase._threads import resolve_n_threads
from crossphase.errors import InputTypeError, InputValueError


class ProductPrecision(StrEnum):
    """Of the products of scores with labels in `component_r2`."""

    F64 = "f64"
    F32 = "f32"


def shuffled_folds(n_samples: int, n_folds: int, seed: int) -> np.ndarray:
    """Fold number of each row, shape (n_samples,): consecutive pieces of a shuffled index, the first ones one row longer.

    The generator is NumPy's legacy ``RandomState``, as in the published code: its streams never change.
    """
    order = np.arange(n_samples)
    np.random.RandomState(seed).shuffle(order)
    folds = np.empty(n_samples, dtype=np.intp)
    for fold, rows in enumerate(np.array_split(order, n_folds)):
        folds[rows] = fold
    return folds


def component_r2(
    scores: Any,
    labels: Any,
    folds: Any,
    alpha: float = 1.0,
    *,
    permutations: Any = None,
    precision: str = "f64",
    n_threads: int | None = None,
    backend: str | None = None,
) -> np.ndarray:
    """Cross-validated ridge R² of each label from each component alone, clipped to [0, 1].

    Parameters
    ----------
    scores : array, shape (n_samples, n_components) or (n_samples, n_components, d), d <= 8
        A component may have several scores, as one on either side of a pair. Each component is a regression of its own.
    labels : array, shape (n_samples, n_labels)
        Numeric. A column without spread within the folds (below 1e-8 of its largest value) has R² 0.
    folds : array of int, shape (n_samples,)
        Numbers 0 ... n_folds - 1; every fold at least twice.
    alpha : float, > 0
        Ridge, in squared units of the scores' sums: ``X_c^T X_c + alpha I``.
    permutations : array of int, shape (..., n_samples), optional
        Score row i meets label row ``permutations[..., i]``. Default: the identity.
    precision : {"f64", "f32"}
        Of the products of scores with labels; everything else is float64. f32: up to twice as fast, R² of components of one
        score within 1e-5 and as a rule 1e-7 (of several nearly collinear scores, so many times worse as their condition).
        Labels of zeros and ones need no products and do not lose by it.
    n_threads : int, optional
        Threads that share the permutations. Default: ``CROSSPHASE_NUM_THREADS``, else one a core.

    Returns
    -------
    array, shape (..., n_components, n_labels)
        Pooled over folds: ``1 - Σ SSE / Σ SST``, the total about each test fold's own mean.

    Notes
    -----
    Everything follows from sums over folds, so a permutation costs one matrix product: 2 n n_components d n_labels flop; for
    labels of mostly zeros and some ones (classes), n n_components d additions for each one in a row. Memory does not grow
    with the permutations, but for the result. With "f64", agrees with a loop over components and folds to rounding.

    References
    ----------
    Kamai et al. (2026), published code of "When to Align, When to Predict".
    """
    x = _as_float64(scores, "scores")
    y = _as_float64(labels, "labels")
    fold_of_row = np.asarray(folds)
    if x.ndim == 2:
        x = x[:, :, None]
    if x.ndim != 3 or x.size == 0:
        raise InputValueError(f"scores must have shape (n_samples, n_components[, d]), none 0; got {np.shape(scores)}.")
    n, n_components, d = x.shape
    if d > _core.cpu.max_scores_per_component:
        raise InputValueError(f"a component may have at most {_core.cpu.max_scores_per_component} scores; got {d}.")
    if y.ndim != 2 or y.shape[0] != n or y.shape[1] == 0:
        raise InputValueError(f"labels must have shape ({n}, n_labels) as scores have {n} rows; got {y.shape}.")
    alpha = check_number(alpha, "alpha", above=0)
    products = check_choice(precision, "precision", ProductPrecision)
    largest = np.maximum(y.max(axis=0), -y.min(axis=0))
    sum_of_squares = np.einsum("ncd,ncd->", x, x)
    if not (np.isfinite(largest).all() and np.isfinite(sum_of_squares)):
        if np.isfinite(largest).all() and np.isfinite(x).all():
            raise InputValueError("scores are so large that their squares overflow float64; rescale them (and alpha).")
        raise InputValueError("scores and labels must be finite; drop the rows with NaN or infinity from both.")
    y = _scaled_columns(y, largest)
    n_folds = _check_folds(fold_of_row, n)
    rows = np.arange(n)[None] if permutations is None else np.asarray(permutations)
    _check_permutations(rows, n)
    implementation = select("component_r2", x, y, backend=backend)
    r2 = implementation.run(
        np.ascontiguousarray(x.reshape(n, n_components * d)),
        scores_per_component=d,
        labels=np.ascontiguousarray(y),
        folds=np.ascontiguousarray(fold_of_row, dtype=np.intp),
        n_folds=n_folds,
        permutations=np.ascontiguousarray(rows.reshape(-1, n), dtype=np.intp),
        alpha=alpha,
        precision=_core.cpu.Precision[products.value],
        n_threads=resolve_n_threads(n_threads),
    )
    batch = () if permutations is None else rows.shape[:-1]
    return np.asarray(r2).reshape(*batch, n_components, y.shape[1])


def _as_float64(values: Any, name: str) -> np.ndarray:
    array = np.asarray(values)
    if array.dtype.kind not in "biuf":
        raise InputTypeError(f"{name} must be real numbers; got {array.dtype}.")
    return array.astype(np.float64, copy=False)


def _scaled_columns(labels: np.ndarray, largest: np.ndarray) -> np.ndarray:
    """Labels with columns of extreme units brought near 1: R² does not see a label's scale, sums of squares do."""
    is_extreme = (largest > 0) & ((largest < 1e-3) | (largest > 1e3))
    if not is_extreme.any():
        return labels
    scaled = labels / np.where(is_extreme, largest, 1.0)
    deviations = scaled.std(axis=0)
    return np.asarray(
        (scaled - scaled.mean(axis=0)) / np.where(deviations > 4 * np.finfo(np.float64).eps, deviations, np.inf)
    )


def _check_folds(folds: np.ndarray, n: int) -> int:
    if folds.dtype.kind not in "iu":
        raise InputTypeError(f"folds must be integers; got {folds.dtype}.")
    if folds.shape != (n,):
        raise InputValueError(f"folds must have shape ({n},), one number a row of scores; got {folds.shape}.")
    rows = np.bincount(folds) if folds.min() == 0 and 0 < folds.max() < n else np.zeros(1)
    if rows.min() == 0:
        raise InputValueError(
            f"folds must number at least two folds 0, 1, ... without gaps; got {np.unique(folds)[:10].tolist()}."
        )
    if rows.min() < 2:
        raise InputValueError(
            f"every fold must have at least 2 rows, for a variance of its own; fold {rows.argmin()} has {rows.min()}."
        )
    return len(rows)


def _check_permutations(permutations: np.ndarray, n: int) -> None:
    if permutations.dtype.kind not in "iu":
        raise InputTypeError(f"permutations must be integers; got {permutations.dtype}.")
    if permutations.ndim < 1 or permutations.shape[-1] != n:
        raise InputValueError(f"permutations must have shape (..., {n}); got {permutations.shape}.")
    if permutations.size and (permutations.min() < 0 or permutations.max() >= n):
        raise InputValueError(f"permutations must hold row numbers 0 ... {n - 1}.")
