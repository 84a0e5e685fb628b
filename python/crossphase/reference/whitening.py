"""Whitening matrices by ``numpy.linalg``, one covariance after the other."""

from __future__ import annotations

from typing import Any

import numpy as np


METHODS = ("cholesky", "eigh", "newton_schulz")  # in the compiled enum's order


def whitening_matrix(
    covs: np.ndarray, *, kind: Any, method: Any, ridge: float, rcond: float, tolerance: float, n_threads: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whiteners ``(batch, p, p)``, directions kept ``(batch,)`` and the place in `METHODS` of what made each.

    `kind` and `method` are enum members. Directions kept are -1 for a matrix that is not finite or not symmetric.
    """
    whiteners = np.zeros_like(covs)
    n_kept = np.zeros(len(covs), dtype=np.intp)
    methods = np.full(len(covs), METHODS.index(method.name))
    for b, cov in enumerate(covs):
        if not _is_covariance(cov):
            n_kept[b] = -1
            continue
        symmetric = cov / 2 + cov.T / 2
        if method.name == "newton_schulz":
            whitener = _newton_schulz(symmetric + ridge * np.eye(len(cov)), rcond, tolerance)
            if whitener is not None:
                whiteners[b], n_kept[b] = whitener, len(cov)
                continue
            methods[b] = METHODS.index("eigh")
        whiteners[b], n_kept[b] = _whiten(symmetric, kind.name, ridge, rcond)
    return whiteners, n_kept, methods


def _is_covariance(cov: np.ndarray) -> bool:
    if not np.isfinite(cov).all():
        return False
    deviations = np.sqrt(np.abs(np.diag(cov)))
    return bool((np.abs(cov - cov.T) <= 1e-8 * np.outer(deviations, deviations)).all())


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
