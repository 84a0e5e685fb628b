"""Leading eigenvectors of a large Gram matrix in matrix products alone, with a proof that none was missed."""

from __future__ import annotations

import numpy as np

_MOST_DEGREE = 12  # of one polynomial: the subspace is orthonormalized and looked at in between
_MOST_ROUNDS = 12
_TOLERANCE = 2e-11  # of residuals, relative to the largest eigenvalue and in proportion to the smallest singular value
_EPS = np.finfo(np.float64).eps


def leading_eigenvectors_by_iteration(gram: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The k largest eigenvalues, descending, of a positive semidefinite matrix, and their eigenvectors; None: gave up.

    Parameters
    ----------
    gram : array, shape (n, n)
    k : int
        Well below n, say a sixteenth.

    Returns
    -------
    tuple of array, shapes (k,) and (n, k), or None
        None where it would take longer than LAPACK, because the spectrum has no step after its first 1.25 k values, or where
        the proof fails.

    Notes
    -----
    Chebyshev polynomials of the matrix blow up the wanted directions in a block of about 1.25 k start vectors, always the
    same ones: first in float32, to 1e-5, then in float64. Residuals say that every vector found is an eigenvector; they
    cannot say that the k found are the largest, should one of those lie orthogonal to the start. So the matrix less the part
    found is subtracted from ``λ_k + 8 n eps λ_1`` times the identity: that it has a Cholesky factor proves that no eigenvalue
    left out is above this bound, up to rounding of the same size. Cost, in multiply-adds: n² a start vector and degree,
    20 degrees or so, and n³ / 6 for the proof; LAPACK's reduction to tridiagonal form is 4 / 3 n³, half of it matrix-vector
    products.

    References
    ----------
    Zhou, Saad, Tiago & Chelikowsky (2006), J. Comput. Phys. 219, 172-184 (Chebyshev-filtered subspace iteration).
    Sylvester's law of inertia: Parlett (1998), The Symmetric Eigenvalue Problem, chapter 3.
    """
    n = len(gram)
    scale = float(np.diag(gram).max())
    if not (np.isfinite(scale) and scale > 0):
        return None
    in_float64 = gram / scale
    n_start = min(n, k + max(8, k // 4))
    # By then LAPACK would be done: 4 / 3 n³ at half the speed of products, against 2 n² n_start a product, and the proof.
    most_products = n / n_start
    with np.errstate(under="ignore"):  # entries below the range of float32 become 0, as they may
        in_float32 = in_float64.astype(np.float32)
    start = np.random.default_rng(0).standard_normal((n, n_start), dtype=np.float32)
    vectors = in_float32 @ (in_float32 @ start)
    for matrix in (in_float32, in_float64):
        found = _converge(matrix, vectors.astype(matrix.dtype, copy=False), k, most_products)
        if found is None:
            return None
        values, vectors = found
    values, vectors = values[:k], vectors[:, :k]
    if not none_larger_left(in_float64, values, vectors):
        return None
    return values * scale, vectors


def _converge(
    matrix: np.ndarray, vectors: np.ndarray, k: int, most_products: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Ritz values and vectors of all columns of `vectors`, once the first k have small residuals."""
    eps = float(np.finfo(matrix.dtype).eps)
    n_products = 0
    for n_rounds in range(_MOST_ROUNDS):
        vectors = np.linalg.qr(vectors)[0]
        image = matrix @ vectors
        values, rotation = np.linalg.eigh(vectors.T @ image)
        values, rotation = values[::-1].astype(np.float64), rotation[:, ::-1]
        vectors, image = vectors @ rotation, image @ rotation
        if not values[k - 1] > 0:
            return None  # rank below k: no direction is wanted more than the others
        largest, smallest, cut = float(values[0]), float(values[k - 1]), max(float(values[-1]), eps * float(values[0]))
        residuals = image[:, :k] - vectors[:, :k] * values[:k].astype(matrix.dtype)
        residual = float(np.linalg.norm(residuals, axis=0).max()) / largest
        allowed = 1e-5 if matrix.dtype == np.float32 else _TOLERANCE * float(np.sqrt(smallest / largest))
        if residual <= allowed:
            return values, vectors
        growth = np.arccosh(max(2 * smallest / cut - 1, 1 + eps))  # of the last wanted direction with each degree
        n_missing = np.log(residual / allowed) / growth + 2
        if n_rounds > 1 and n_products + np.log(residual / _TOLERANCE) / growth > most_products:
            return None
        # The first directions must not grow so much more than the last that these drown in their rounding.
        growth_of_first = np.arccosh(max(2 * largest / cut - 1, 1.0))
        most_degree = np.log(0.01 / eps) / max(growth_of_first - growth, eps)
        degree = int(np.clip(n_missing, 1, max(min(most_degree, _MOST_DEGREE), 1)))
        vectors = _chebyshev(matrix, vectors, image, degree, cut)
        n_products += degree
    return None


def _chebyshev(matrix: np.ndarray, vectors: np.ndarray, image: np.ndarray, degree: int, cut: float) -> np.ndarray:
    """``T(matrix) vectors``, T at most 1 on eigenvalues in [0, cut] and growing fast above; `image` is ``matrix vectors``."""
    half = matrix.dtype.type(cut / 2)
    before, now = vectors, image / half - vectors
    for _ in range(degree - 1):
        before, now = now, matrix @ now * (2 / half) - 2 * now - before
    return np.asarray(now)


def none_larger_left(gram: np.ndarray, values: np.ndarray, vectors: np.ndarray) -> bool:
    """Whether all eigenvalues but `values`, descending, are at most the last of these, to rounding: a proof, no estimate."""
    from scipy.linalg import lapack  # noqa: PLC0415  (SciPy only where it is needed)

    n = len(gram)
    rest = (vectors * values) @ vectors.T
    rest -= gram
    rest[np.diag_indices(n)] += values[-1] + 8 * n * _EPS * values[0]
    return bool(lapack.dpotrf(rest.T, lower=1, overwrite_a=1, clean=0)[1] == 0)
