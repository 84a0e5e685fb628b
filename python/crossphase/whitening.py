"""Whitening matrices of covariances."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from crossphase import _core
from crossphase._backends import select
from crossphase._scalars import check_choice, check_number
from crossphase._threads import resolve_n_threads, single_threaded_blas
from crossphase.errors import InputTypeError, InputValueError


class WhiteningKind(StrEnum):
    """Which of the many W with ``W cov W^T = I``."""

    ZCA = "zca"  # symmetric: closest to the original coordinates
    PCA = "pca"  # onto principal axes, descending variance
    CHOLESKY = "cholesky"  # lower triangular; needs full rank


class WhiteningMethod(StrEnum):
    """How W is computed."""

    AUTO = "auto"
    CHOLESKY = "cholesky"  # a triangular factor and its inverse
    EIGH = "eigh"  # eigenvalues and eigenvectors
    RATIONAL = "rational"  # tridiagonal form and resolvents: the symmetric root without its eigenvectors
    NEWTON_SCHULZ = "newton_schulz"  # a Cholesky factor, then products of matrices only


_METHODS_OF = {
    WhiteningKind.ZCA: (WhiteningMethod.EIGH, WhiteningMethod.RATIONAL, WhiteningMethod.NEWTON_SCHULZ),
    WhiteningKind.PCA: (WhiteningMethod.EIGH,),
    WhiteningKind.CHOLESKY: (WhiteningMethod.CHOLESKY,),
}


@dataclass(frozen=True, slots=True, eq=False)
class WhiteningMatrix:
    """What `whitening_matrix` found."""

    matrix: np.ndarray  # (..., p, p)
    n_kept: np.ndarray  # (...), integers: directions that were not dropped
    kind: WhiteningKind
    method: np.ndarray  # (...), strings: what made each, "eigh" where another method could not
    backend: str


def whitening_matrix(
    cov: Any,
    *,
    kind: str = "zca",
    method: str = "auto",
    ridge: float = 0.0,
    rcond: float = 1e-12,
    n_threads: int | None = None,
    backend: str | None = None,
) -> WhiteningMatrix:
    """Whitening matrix W of a covariance, or of each in a batch: ``W (cov + ridge I) W^T = I`` on the directions kept.

    Parameters
    ----------
    cov : array, shape (p, p) or (..., p, p), floating point
        Symmetric. Read in float64.
    kind : {"zca", "pca", "cholesky"}
        zca: ``U diag(lambda^-1/2) U^T``, symmetric. pca: ``diag(lambda^-1/2) U^T``, rows by descending variance, each
        eigenvector's largest entry positive, dropped rows zero. cholesky: ``L^-1`` with ``cov + ridge I = L L^T``.
    method : {"auto", "cholesky", "eigh", "rational", "newton_schulz"}
        How it is computed; kind "cholesky" has that method alone, and "pca" "eigh" alone. For "zca", "rational" sums
        resolvents of the tridiagonal form and needs no eigenvectors, in about half the time from 100 columns on;
        "newton_schulz" turns the inverse Cholesky factor into a symmetric one by products of matrices: the most accurate,
        and the slowest on a CPU. Both check their residual and leave to "eigh" what is singular, has a condition above 1e6
        (newton_schulz: 1e12) or an eigenvalue near `rcond`. "auto" is "rational" where lanes do not take the matrix (see
        Notes), else the kind's first.
    ridge : float, >= 0
        Added to every eigenvalue, in squared feature units: rescaling the data changes its meaning.
    rcond : float, in [0, 1)
        zca and pca drop directions whose eigenvalue, ridge included, is at most `rcond` times the largest.
    n_threads : int, optional
        Threads that share a batch. Default: ``CROSSPHASE_NUM_THREADS``, else one a core.

    Returns
    -------
    WhiteningMatrix

    Raises
    ------
    numpy.linalg.LinAlgError
        kind is "cholesky" and a covariance is singular.

    Notes
    -----
    Everything is computed in float64, a float32 covariance too. Cost O(p^3) each, workspace 5 p² float64 a thread. Up to 96
    columns, a thread takes as many matrices at once as a register has doubles (8 with AVX-512: workspace 16 p²). A result
    depends on its own matrix alone, byte for byte: not on the rest of the batch, its place in it or the threads.

    Residual ``|W (cov + ridge I) W^T - I|``: about ``p u condition``, u the unit roundoff, whichever method runs.

    References
    ----------
    Kinds: Kessy, Lewin & Strimmer (2018), Am. Stat. 72(4), 309-314. Rational: Hale, Higham & Trefethen (2008), SIAM J.
    Numer. Anal. 46(5), 2505-2523. Newton-Schulz: Higham (2008), Functions of Matrices, section 8.3.
    """
    which = check_choice(kind, "kind", WhiteningKind)
    ridge = check_number(ridge, "ridge", least=0)
    rcond = check_number(rcond, "rcond", least=0, below=1)
    covs = _checked_shape(cov)
    how = _resolved_method(check_choice(method, "method", WhiteningMethod), which, covs.shape[-1])
    implementation = select("whitening", covs, backend=backend)
    p = covs.shape[-1]
    with single_threaded_blas():
        matrices, n_kept, methods = implementation.run(
            np.ascontiguousarray(covs.reshape(-1, p, p)),
            kind=_core.cpu.WhiteningKind[which.value],
            method=_core.cpu.WhiteningMethod[how.value],
            ridge=ridge,
            rcond=rcond,
            n_threads=resolve_n_threads(n_threads),
        )
    if (n_kept < 0).any():
        raise _no_covariance(covs)
    if which is WhiteningKind.CHOLESKY and (n_kept == 0).any():
        raise np.linalg.LinAlgError(_singular(covs.reshape(-1, p, p), int(np.argmin(n_kept)), covs.ndim > 2, ridge))
    batch = covs.shape[:-2]
    return WhiteningMatrix(
        matrices.reshape(covs.shape),
        n_kept.reshape(batch),
        which,
        np.array([member.name for member in _core.cpu.WhiteningMethod])[methods].reshape(batch),
        implementation.backend,
    )


def _resolved_method(method: WhiteningMethod, kind: WhiteningKind, p: int) -> WhiteningMethod:
    if method is WhiteningMethod.AUTO:
        if kind is WhiteningKind.ZCA and p > _core.cpu.largest_in_lanes:
            return WhiteningMethod.RATIONAL
        return _METHODS_OF[kind][0]
    if method not in _METHODS_OF[kind]:
        able = next(other for other, methods in _METHODS_OF.items() if method in methods)
        raise InputValueError(
            f"method {method.value!r} cannot make kind {kind.value!r}, which needs "
            f"{' or '.join(repr(m.value) for m in _METHODS_OF[kind])}; pass method='auto', or kind={able.value!r}."
        )
    return method


def _checked_shape(cov: Any) -> np.ndarray:
    array = np.asarray(cov)
    if array.dtype.kind != "f":
        raise InputTypeError(f"cov must be a floating-point array; got {array.dtype}.")
    covs = array.astype(np.float64, copy=False)
    if covs.ndim < 2 or covs.shape[-1] != covs.shape[-2] or covs.shape[-1] == 0:
        raise InputValueError(f"cov must have shape (p, p) or (..., p, p) with p >= 1; got {covs.shape}.")
    return covs


def _no_covariance(covs: np.ndarray) -> InputValueError:
    """What is wrong with the covariances that an implementation refused."""
    if not np.isfinite(covs).all():
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(covs))[0])
        return InputValueError(f"cov must be finite; got {covs[where]} at index {where}.")
    deviations = np.sqrt(np.abs(np.diagonal(covs, axis1=-2, axis2=-1)))
    gap = np.abs(covs - np.swapaxes(covs, -1, -2))
    excess = gap - 1e-8 * deviations[..., :, None] * deviations[..., None, :]
    where = tuple(int(i) for i in np.argwhere(excess >= min(excess.max(), np.finfo(float).tiny))[0])
    return InputValueError(f"cov must be symmetric; entry {where} differs from its mirror image by {gap[where]:.3g}.")


def _singular(covs: np.ndarray, index: int, is_batch: bool, ridge: float) -> str:
    values = np.linalg.eigvalsh(covs[index]) + ridge
    rank = int((values > len(values) * np.finfo(float).eps * max(values[-1], 0.0)).sum())
    which = f"cov[{index}]" if is_batch else "cov"
    return (
        f"{which} is singular (rank {rank} of {len(values)} with ridge {ridge:g}); pass a larger ridge, or kind='zca' or "
        "'pca', which drop the null directions."
    )
