"""Cross-validated ridge R² from per-fold moments, one permutation after the other, in matrix products."""

from __future__ import annotations

import numpy as np


def component_r2(
    scores: np.ndarray,
    *,
    scores_per_component: int,
    labels: np.ndarray,
    folds: np.ndarray,
    n_folds: int,
    permutations: np.ndarray,
    alpha: float,
    precision: object,
    n_threads: int,
) -> np.ndarray:
    """R² ``(n_permutations, n_components, n_labels)``, clipped to [0, 1]; formulas in ``include/crossphase/ridge_cv.hpp``."""
    d = scores_per_component
    components = scores.reshape(len(scores), -1, d)  # (n, n_components, d)
    scale = components.std(axis=0)  # (n_components, d); scores of unit variance, alpha scaled with them
    scale = np.where(scale > 0, scale, 1.0)
    components = (components - components.mean(axis=0)) / scale
    penalty = alpha / scale[:, :, None] ** 2 * np.eye(d)
    r2 = np.empty((len(permutations), components.shape[1], labels.shape[1]))
    for k, permutation in enumerate(permutations):
        permuted = labels[permutation]
        errors = np.zeros(r2.shape[1:])
        totals = np.zeros(labels.shape[1])
        for fold in range(n_folds):
            is_test = folds == fold
            x_train, x_test = components[~is_test], components[is_test]
            y_train, y_test = permuted[~is_test], permuted[is_test]
            x_mean, y_mean = x_train.mean(axis=0), y_train.mean(axis=0)
            x_train, x_test = x_train - x_mean, x_test - x_mean
            y_train, y_about_train = y_train - y_mean, y_test - y_mean
            gram = np.einsum("nca,ncb->cab", x_train, x_train) + penalty
            # Directions null to rounding are left out; a well-posed ridge has none.
            weights = np.linalg.pinv(gram, rcond=8 * np.finfo(float).eps, hermitian=True) @ np.einsum(
                "nca,nl->cal", x_train, y_train
            )
            residuals = y_about_train[:, None, :] - np.einsum("nca,cal->ncl", x_test, weights)
            errors += (residuals**2).sum(axis=0)
            totals += ((y_test - y_test.mean(axis=0)) ** 2).sum(axis=0)
        has_spread = totals > 1e-15
        r2[k] = np.where(has_spread, np.clip(1.0 - errors / np.where(has_spread, totals, 1.0), 0.0, 1.0), 0.0)
    return r2
