"""The published code's solvers of linear alignment and prediction, in its own steps: a yardstick, not a dependency.

Kamai et al. (2026), ``src/linear/solvers.py``, MIT licence: `solve_ca` (their Thm 1.3) and `solve_cp` (Prop. 1.6). Shares no
code with crossphase.
"""

from __future__ import annotations

import numpy as np

_FLOOR = 1e-12  # of eigenvalues, theirs


def inverse_root(cov: np.ndarray) -> np.ndarray:
    """Symmetric ``cov^-1/2``, eigenvalues floored."""
    values, vectors = np.linalg.eigh(cov)
    return vectors @ np.diag(1.0 / np.sqrt(np.maximum(values, _FLOOR))) @ vectors.T


def solve_ca(
    cov_xx: np.ndarray, cov_yy: np.ndarray, cov_xy: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """W (k, p) and V (k, q) with ``W cov_xy V^T = I``, and all canonical correlations."""
    root_x, root_y = inverse_root(cov_xx), inverse_root(cov_yy)
    left, correlations, right = np.linalg.svd(root_x @ cov_xy @ root_y)
    scale = np.diag(1.0 / np.sqrt(correlations[:k]))
    return scale @ left[:, :k].T @ root_x, scale @ right[:k] @ root_y, correlations


def solve_cp(cov_xx: np.ndarray, cov_xy: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The best map of rank k, (q, p), and all gains."""
    root_x = inverse_root(cov_xx)
    left, gains, right = np.linalg.svd(cov_xy.T @ root_x)
    return left[:, :k] @ np.diag(gains[:k]) @ right[:k] @ root_x, gains


def solve_from_rows(X: np.ndarray, Y: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Canonical correlations and gains from rows, both solvers, as the published experiments call them."""
    x, y, n = X - X.mean(axis=0), Y - Y.mean(axis=0), len(X)
    cov_xx, cov_yy, cov_xy = x.T @ x / n, y.T @ y / n, x.T @ y / n
    return solve_ca(cov_xx, cov_yy, cov_xy, k)[2][:k], solve_cp(cov_xx, cov_xy, k)[1][:k]
