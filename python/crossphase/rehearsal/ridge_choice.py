"""Which ridge the heads of a fold get: chosen on an inner fold, labels unseen."""

from __future__ import annotations

import numpy as np

from crossphase.fold_moments import FoldMoments
from crossphase.rehearsal.candidates import inverse_scales, standardized


def choose_ridge(moments: FoldMoments, fold: int, ridges: tuple[float, ...]) -> float:
    """The ridge whose regressions of each view on the other leave least variance of an inner fold unexplained.

    The largest where there is no third fold to choose on.
    """
    if len(ridges) == 1 or moments.n_folds < 3:
        return max(ridges)
    inner = (fold + 1) % moments.n_folds
    training, validation = moments.train(fold, inner), moments.test(inner)
    scale_x = inverse_scales(training.mean_x, training.cov_xx)
    scale_y = inverse_scales(training.mean_y, training.cov_yy)
    fitted, held_out = standardized(training, scale_x, scale_y), standardized(validation, scale_x, scale_y)
    losses = _losses(fitted.cov_xx, fitted.cov_xy, held_out.cov_xx, held_out.cov_xy, held_out.cov_yy, ridges)
    losses += _losses(fitted.cov_yy, fitted.cov_xy.T, held_out.cov_yy, held_out.cov_xy.T, held_out.cov_xx, ridges)
    return ridges[int(np.argmin(losses))]


def _losses(
    cov_source: np.ndarray,
    cov_cross: np.ndarray,
    held_out_source: np.ndarray,
    held_out_cross: np.ndarray,
    held_out_target: np.ndarray,
    ridges: tuple[float, ...],
) -> np.ndarray:
    """Held-out share of the target's variance that ridge regression on the source leaves, less 1; shape (n_ridges,).

    One eigendecomposition serves all ridges.
    """
    variance = float(np.trace(held_out_target))
    if variance <= 0:
        return np.zeros(len(ridges))
    values, axes = np.linalg.eigh(cov_source)
    cross, source = axes.T @ cov_cross, axes.T @ held_out_source @ axes
    test_cross = axes.T @ held_out_cross
    losses = []
    for ridge in ridges:
        weights = cross / (np.maximum(values, 0.0) + ridge * np.diag(cov_source).mean())[:, None]
        losses.append(float(np.vdot(weights, source @ weights) - 2 * np.vdot(weights, test_cross)) / variance)
    return np.array(losses)
