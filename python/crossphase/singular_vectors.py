"""Leading singular vectors of a matrix, with signs that do not depend on the solver's mood."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase._backends import select
from crossphase.subspace_iteration import leading_eigenvectors_by_iteration

_FEW = 4  # up to a quarter of the vectors, part of an eigendecomposition is quicker than all of an SVD
_FEW_OF_WIDE = 16  # up to this share of them and from this width on, iteration in matrix products is quicker
_WIDE = 2560
_RESIDUAL = 1e-10  # of the largest singular value; what a full SVD attains is about 1e-14


@dataclass(frozen=True, slots=True, eq=False)
class SingularVectors:
    """``matrix ≈ left @ diag(values) @ right.T``, the k largest."""

    values: np.ndarray  # (k,), descending
    left: np.ndarray  # (n_rows, k), orthonormal
    right: np.ndarray  # (n_columns, k), orthonormal


def leading_singular_vectors(matrix: np.ndarray, k: int) -> SingularVectors:
    """The k largest singular values with their vectors.

    For few of them: eigenvectors V of the smaller Gram matrix, then the SVD of ``matrix @ V``, which restores the digits
    that squaring lost; accepted if every ``|matrix.T u - s v|`` is at most 1e-10 of the largest value, else all of them
    are computed.

    No larger value is missed: LAPACK counts the eigenvalues of a tridiagonal matrix, and for few vectors of a wide matrix
    `leading_eigenvectors_by_iteration` proves it or gives up. Values left out are at most ``sqrt(s_k² + c s_1²)``, c some
    ten times the rounding of n sums: what squaring cannot tell from s_k.

    The same matrix gives the same bits. LAPACK runs on one thread where the caller arranges it (`single_threaded_blas`).
    """
    if k * _FEW <= min(matrix.shape):
        found = _from_gram(matrix, k) if matrix.shape[0] >= matrix.shape[1] else _mirrored(_from_gram(matrix.T, k))
        residual = np.linalg.norm(matrix.T @ found.left - found.right * found.values, axis=0)
        if residual.max() <= _RESIDUAL * found.values[0]:
            return found
    u, values, vt = np.linalg.svd(matrix, full_matrices=False)
    return SingularVectors(values[:k], u[:, :k], vt[:k].T)


def _from_gram(tall: np.ndarray, k: int) -> SingularVectors:
    gram = tall.T @ tall
    found = leading_eigenvectors_by_iteration(gram, k) if len(gram) >= max(_WIDE, k * _FEW_OF_WIDE) else None
    _, axes = found or leading_eigenvectors(gram, k)
    left, values, rotation = np.linalg.svd(tall @ axes, full_matrices=False)
    return SingularVectors(values, left, axes @ rotation.T)


def leading_eigenvectors(symmetric: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The k largest eigenvalues, descending, and their eigenvectors, shapes (k,) and (n, k)."""
    if k * _FEW <= len(symmetric):
        n_found, values, rows = select("leading_eigenvectors", symmetric).run(np.ascontiguousarray(symmetric), k)
        if n_found == k:  # where eigenvalues coincide, LAPACK may find fewer than asked for
            return values[::-1], rows[::-1].T
    values, vectors = np.linalg.eigh(symmetric)
    return values[-k:][::-1], vectors[:, -k:][:, ::-1]


def _mirrored(found: SingularVectors) -> SingularVectors:
    return SingularVectors(found.values, found.right, found.left)


def fix_signs(leading: np.ndarray, partner: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Singular vectors have no sign: make the largest entry of each leading vector positive, its partner following."""
    largest = np.take_along_axis(leading, np.abs(leading).argmax(axis=0)[None], axis=0)
    signs = np.where(largest < 0, -1.0, 1.0)
    return leading * signs, partner * signs
