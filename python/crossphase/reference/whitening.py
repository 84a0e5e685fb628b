"""Whitening matrices by ``numpy.linalg``, one covariance after the other."""

from __future__ import annotations

from typing import Any

import numpy as np


def whitening_matrix(
    covs: np.ndarray, *, kind: Any, ridge: float, rcond: float, n_threads: int
) -> tuple[np.ndarray, np.ndarray]:
    """Whiteners ``(batch, p, p)`` and directions kept ``(batch,)``; `kind` is an enum member named zca, pca or cholesky."""
    results = [_whiten(cov, kind.name, ridge, rcond) for cov in covs]
    whiteners = np.stack([w for w, _ in results]) if results else np.empty_like(covs)
    return whiteners, np.array([n_kept for _, n_kept in results], dtype=np.intp)


def _whiten(cov: np.ndarray, kind: str, ridge: float, rcond: float) -> tuple[np.ndarray, int]:
    p = len(cov)
    if kind == "cholesky":
        try:
            whitener = np.tril(np.linalg.inv(np.linalg.cholesky(cov + ridge * np.eye(p))))
            inflation = (whitener**2).sum(axis=0) * (
                np.diag(cov) + ridge
            )  # 1 / (1 - R²) of each column given the others
            if inflation.max() < 1 / (64 * p * np.finfo(np.float64).eps):
                return whitener, p
            return np.zeros_like(cov), 0
        except np.linalg.LinAlgError:
            return np.zeros_like(cov), 0
    values, vectors = np.linalg.eigh(cov)
    values, vectors = values[::-1] + ridge, vectors[:, ::-1]
    keep = (values > rcond * max(values[0], 0.0)) & (values > 0.0)
    weights = np.where(keep, 1.0, 0.0) / np.sqrt(np.where(keep, values, 1.0))
    if kind == "pca":
        largest = np.take_along_axis(vectors, np.abs(vectors).argmax(axis=0)[None], axis=0)
        return weights[:, None] * (vectors * np.where(largest < 0, -1.0, 1.0)).T, int(keep.sum())
    return (vectors * weights) @ vectors.T, int(keep.sum())
