"""Cross-validated R² in NumPy and SciPy as a careful user would write it: moments of folds, no loop over components.

Shares no code with crossphase. Only the products of scores and labels depend on a permutation; dense labels go through one
BLAS product for every fold and group of permutations, one-hot labels through one sparse product for all of it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

_PERMUTATIONS_TOGETHER = 16  # label columns of so many permutations are gathered for one product


def component_r2(
    scores: np.ndarray,
    labels: np.ndarray,
    folds: np.ndarray,
    permutations: np.ndarray,
    alpha: float,
    products: type = np.float64,
) -> np.ndarray:
    """R² (permutations, components, labels) of one score a component, (n, n_components); `labels` (n, n_labels).

    Dense labels are multiplied in the type `products`.
    """
    n_folds = int(folds.max()) + 1
    n_test = np.bincount(folds).astype(float)
    n_train = len(folds) - n_test
    x, y = scores - scores.mean(axis=0), labels - labels.mean(axis=0)

    # What permutations leave alone: (fold, component).
    by_fold = [x[folds == fold] for fold in range(n_folds)]
    x_sum = np.array([rows.sum(axis=0) for rows in by_fold])
    x_squares = np.array([np.einsum("nc,nc->c", rows, rows) for rows in by_fold])
    x_mean = (x_sum.sum(axis=0) - x_sum) / n_train[:, None]  # of the training rows
    train_xx = x_squares.sum(axis=0) - x_squares - n_train[:, None] * x_mean**2
    test_xx = x_squares - 2 * x_mean * x_sum + n_test[:, None] * x_mean**2

    # What they change: (permutation, fold, component, label) and (permutation, fold, label).
    is_one_hot = bool(((labels == 0) | (labels == 1)).all()) and bool((labels.sum(axis=1) == 1).all())
    if is_one_hot:
        xy, y_sum, y_squares = _class_sums(x, labels, folds, n_folds, permutations)
    else:
        xy, y_sum, y_squares = _label_products(x.astype(products), y.astype(products), folds, n_folds, permutations)
    y_mean = (y_sum.sum(axis=1, keepdims=True) - y_sum) / n_train[:, None]
    train_xy = xy.sum(axis=1, keepdims=True) - xy
    train_xy -= (n_train[:, None] * x_mean)[None, :, :, None] * y_mean[:, :, None, :]
    weights = train_xy
    weights /= (train_xx + alpha)[None, :, :, None]
    test_xy = xy
    test_xy -= x_mean[None, :, :, None] * y_sum[:, :, None, :]
    test_xy -= (x_sum - n_test[:, None] * x_mean)[None, :, :, None] * y_mean[:, :, None, :]
    errors = np.einsum("pfcl,fc,pfcl->pcl", weights, test_xx, weights, optimize=True)
    errors -= 2 * np.einsum("pfcl,pfcl->pcl", weights, test_xy)
    errors += (y_squares - 2 * y_mean * y_sum + n_test[:, None] * y_mean**2).sum(axis=1)[:, None]
    totals = (y_squares - y_sum**2 / n_test[:, None]).sum(axis=1)[:, None]
    has_spread = totals > 1e-15
    return np.where(has_spread, np.maximum(1 - errors / np.where(has_spread, totals, 1), 0), 0)


def _label_products(x: np.ndarray, y: np.ndarray, folds: np.ndarray, n_folds: int, permutations: np.ndarray) -> Any:
    """Sums of x y, y and y² in every fold, for every permutation."""
    n_labels = y.shape[1]
    products = np.empty((len(permutations), n_folds, x.shape[1], n_labels))
    y_sum, y_squares = np.empty((2, len(permutations), n_folds, n_labels))
    for fold in range(n_folds):
        rows = np.flatnonzero(folds == fold)
        left = np.vstack([x[rows].T, np.ones(len(rows), x.dtype)])  # the last row makes the sums
        for first in range(0, len(permutations), _PERMUTATIONS_TOGETHER):
            group = permutations[first : first + _PERMUTATIONS_TOGETHER, rows]
            gathered = np.take(y, group.T, axis=0).reshape(len(rows), -1)
            found = (left @ gathered).reshape(x.shape[1] + 1, len(group), n_labels)
            products[first : first + len(group), fold] = found[:-1].transpose(1, 0, 2)
            y_sum[first : first + len(group), fold] = found[-1]
            squares = np.einsum("nl,nl->l", gathered, gathered)
            y_squares[first : first + len(group), fold] = squares.reshape(len(group), n_labels)
    return products, y_sum, y_squares


def _class_sums(x: np.ndarray, labels: np.ndarray, folds: np.ndarray, n_folds: int, permutations: np.ndarray) -> Any:
    """The same for one-hot labels, centred: sums of scores and counts of rows in every fold and class."""
    from scipy.sparse import csr_matrix

    n, n_labels = labels.shape
    cell = folds * n_labels + labels.argmax(axis=1)[permutations]  # (permutation, row): its fold and class
    cell += np.arange(len(permutations))[:, None] * (n_folds * n_labels)
    n_cells = len(permutations) * n_folds * n_labels
    row_start = np.arange(n + 1) * len(permutations)
    membership = csr_matrix((np.ones(cell.size), cell.T.ravel(), row_start), shape=(n, n_cells))
    shape = (len(permutations), n_folds, n_labels)
    products = np.asarray(membership.T @ x).reshape(*shape, -1).swapaxes(2, 3)
    counts = np.bincount(cell.ravel(), minlength=n_cells).reshape(shape).astype(float)
    # About the labels' overall means: constants that drop out of R², and keep its digits.
    mean = labels.mean(axis=0)
    n_fold = np.bincount(folds)[:, None]
    x_sum = np.array([x[folds == fold].sum(axis=0) for fold in range(n_folds)])
    products = products - x_sum[None, :, :, None] * mean
    return products, counts - n_fold * mean, counts * (1 - 2 * mean) + n_fold * mean**2
