"""Orthogonal bases: drawn from a seed, or given and checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crossphase._seeds import derived_generator
from crossphase._threads import single_threaded_blas
from crossphase._vectors import check_numbers, read_only
from crossphase.errors import InputValueError

BASES_STREAM = 0x62617365  # "base": keeps the bases' streams apart from the rows' and from children a caller spawns


def choose_basis(
    given: ArrayLike | None, name: str, n_features: int, seed: np.random.SeedSequence | None, *, view: int
) -> np.ndarray | None:
    """The basis given, checked; else one drawn from the seed; else None, the coordinate axes."""
    if given is not None:
        return check_basis(given, name, n_features)
    return None if seed is None else haar_basis(seed, view, n_features)


def haar_basis(seed: np.random.SeedSequence, view: int, n_features: int) -> np.ndarray:
    """Orthogonal matrix drawn uniformly, shape (n_features, n_features), from a view's own stream of the seed.

    References
    ----------
    Mezzadri (2007), Notices AMS 54, 592-604: the Q of a Gaussian matrix is uniform once R has a positive diagonal.
    """
    generator = derived_generator(seed, BASES_STREAM, view)
    with single_threaded_blas():
        q, r = np.linalg.qr(generator.standard_normal((n_features, n_features)))
    q *= np.where(np.diagonal(r) < 0, -1.0, 1.0)
    return read_only(q)


def check_basis(value: ArrayLike, name: str, n_features: int) -> np.ndarray:
    """`value` as a read-only orthogonal matrix of float64, or a sentence."""
    basis = check_numbers(value, name, least=-np.inf)
    if basis.shape != (n_features, n_features):
        raise InputValueError(
            f"{name} must be an orthogonal matrix of shape ({n_features}, {n_features}); got shape {basis.shape}."
        )
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):  # huge entries: the diagonal is infinite
        gap = np.abs(basis.T @ basis - np.eye(n_features))
    # Householder QR in float64 leaves at most about n u an entry (Higham 2002, section 19.3), and a product of k such
    # matrices k times that, u = 1.1e-16; 100 n u lets those pass and keeps the model's spectra to as many digits.
    allowed = 100 * n_features * 2.0**-53
    if (gap > allowed).any():
        first = tuple(int(i) for i in np.argwhere(gap > allowed)[0])
        raise InputValueError(
            f"{name} must be orthogonal to within {allowed:.1e}; entry {first} of {name}.T @ {name} is off by "
            f"{gap[first]:.2g}. np.linalg.qr(basis)[0] in float64 makes an orthogonal basis of the same space."
        )
    return read_only(basis)


def rotated(basis_x: np.ndarray | None, coordinates: np.ndarray, basis_y: np.ndarray | None) -> np.ndarray:
    """``Q_x M Q_y^T``, read-only; None stands for the coordinate axes."""
    with single_threaded_blas():
        left = coordinates if basis_x is None else basis_x @ coordinates
        both = left if basis_y is None else left @ basis_y.T
    return read_only(both)


def rotated_diagonal(basis: np.ndarray | None, variances: np.ndarray) -> np.ndarray:
    """Covariance with the given variances along the columns of a basis, exactly symmetric and read-only."""
    with single_threaded_blas():
        cov = np.diag(variances) if basis is None else (basis * variances) @ basis.T
    return read_only((cov + cov.T) / 2)
