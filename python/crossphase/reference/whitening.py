"""Whitening matrices by ``numpy.linalg``, one covariance after the other."""

from __future__ import annotations

from typing import Any

import numpy as np

METHODS = ("cholesky", "eigh", "rational", "newton_schulz")  # in the compiled enum's order


def whitening_matrix(
    covs: np.ndarray, *, kind: Any, method: Any, ridge: float, rcond: float, n_threads: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Whiteners ``(batch, p, p)``, directions kept ``(batch,)`` and the place in `METHODS` of what made each.

    `kind` and `method` are enum members. Directions kept are -1 for a matrix that is not finite or not symmetric.
    """
    whiteners = np.zeros_like(covs)
    n_kept = np.zeros(len(covs), dtype=np.intp)
    methods = np.full(len(covs), METHODS.index(method.name))
    inverse_root = {"rational": _rational, "newton_schulz": _newton_schulz}.get(method.name)
    for b, cov in enumerate(covs):
        if not _is_covariance(cov):
            n_kept[b] = -1
            continue
        symmetric = cov / 2 + cov.T / 2
        if inverse_root is not None:
            root = inverse_root(symmetric + ridge * np.eye(len(cov)), rcond)
            if root is not None:
                whiteners[b], n_kept[b] = root, len(cov)
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


def _rational(cov: np.ndarray, rcond: float) -> np.ndarray | None:
    """Hale, Higham & Trefethen (2008), method 3: ``sum_j w_j (cov + s_j I)^-1``; None for a condition above 1e6."""
    from scipy.special import ellipj, ellipkm1  # noqa: PLC0415

    values = np.linalg.eigvalsh(cov)
    ratio = values[0] / values[-1] if values[-1] > 0 else 0.0
    if ratio <= max(2 * rcond, 1e-6):
        return None
    n_poles = int(np.ceil(38 / (2 * np.pi**2 / np.log(16 / ratio))))
    period = ellipkm1(ratio)
    sn, cn, dn, _ = ellipj((np.arange(n_poles) + 0.5) * period / n_poles, 1 - ratio)
    weights = 2 * period * np.sqrt(values[0]) / (np.pi * n_poles) * dn / cn**2
    resolvents = np.linalg.inv(cov + (values[0] * (sn / cn) ** 2)[:, None, None] * np.eye(len(cov)))
    root = np.tensordot(weights, resolvents, axes=1)
    return np.asarray(root + root.T) / 2


def _newton_schulz(cov: np.ndarray, rcond: float) -> np.ndarray | None:
    """``H`` of ``L^-1 = U H``, with U the limit of ``X (3 I - X^T X) / 2``; None near singularity."""
    try:
        factor = np.linalg.cholesky(cov)
    except np.linalg.LinAlgError:
        return None
    inverse = np.linalg.inv(factor)
    if (np.linalg.norm(factor) * np.linalg.norm(inverse)) ** -2.0 <= max(rcond, 1e-12):
        return None
    orthogonal = inverse / np.linalg.norm(inverse)
    for _ in range(100):  # each step multiplies small singular values by 1.5; 34 for a condition of 1e12
        gram = orthogonal.T @ orthogonal
        orthogonal = orthogonal @ (3 * np.eye(len(cov)) - gram) / 2
        if np.linalg.norm(gram - np.eye(len(cov))) < 1e-9:
            root = orthogonal.T @ inverse
            return np.asarray(root + root.T) / 2
    return None
