"""Distances between subspaces, and errors of linear predictions, as the published experiments measure them."""

from __future__ import annotations

import numpy as np

from crossphase.covariances import PairCovariances


def squared_cosines(weights: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """How much of each orthonormal direction lies in the span of `weights`: (..., k), in [0, 1].

    `weights` (..., p, j) and `directions` (..., p, k) may be stacked; the span is that of the weights themselves, in the
    coordinates of the features, as published.
    """
    basis = np.linalg.qr(weights)[0]
    return np.square(np.swapaxes(basis, -1, -2) @ directions).sum(axis=-2)


def subspace_distance(weights: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """``1 - mean_i cos² theta_i`` of the principal angles; (...). The paper's text gives its square root."""
    return np.maximum(1.0 - squared_cosines(weights, directions).mean(axis=-1), 0.0)  # rounding alone goes below


def orthonormal(weights: np.ndarray) -> np.ndarray:
    return np.linalg.qr(weights)[0]


def prediction_error(coef: np.ndarray, cov_xx: np.ndarray, cov_yy: np.ndarray, cov_xy: np.ndarray) -> float:
    """Mean over samples of ``|y - coef x|²``, from their second moments."""
    return float(np.trace(cov_yy - 2 * coef @ cov_xy + coef @ cov_xx @ coef.T))


def alignment_error(weights_x: np.ndarray, weights_y: np.ndarray, moments: PairCovariances) -> float:
    """Mean over samples of ``|weights_x^T x - weights_y^T y|²``."""
    return float(
        np.trace(
            weights_x.T @ moments.cov_xx @ weights_x
            - 2 * weights_x.T @ moments.cov_xy @ weights_y
            + weights_y.T @ moments.cov_yy @ weights_y
        )
    )
