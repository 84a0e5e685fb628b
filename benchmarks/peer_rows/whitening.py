"""Whitening of batches of covariances: targets 2a, 2b, 2c and 2e."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from crossphase import whitening_matrix
from peer_rows.measure import (
    PeerMissingError,
    PeerRow,
    check_answer,
    compare,
    not_measured,
    require_peer,
    row,
)

_ROUNDS = 7


def exact_roots(quick: bool) -> Iterator[PeerRow]:
    """2a: zca by eigenvectors of many small covariances, against numpy and torch."""
    covs = covariances(64 if quick else 1024, 64, 1e3)
    for name, theirs in (("numpy eigh", _numpy_zca), ("torch linalg.eigh", _torch_zca)):
        yield _compared("2a", covs, "zca", "eigh", name, theirs, floor=3, goal=5)


def cholesky(quick: bool) -> Iterator[PeerRow]:
    """2b: inverse Cholesky factors of many small covariances."""
    covs = covariances(64 if quick else 1024, 64, 1e3)
    peer = "torch cholesky + solve_triangular"
    yield _compared("2b", covs, "cholesky", "auto", peer, _torch_cholesky, floor=5, goal=10)


def roots_of_larger(quick: bool) -> Iterator[PeerRow]:
    """2c: zca of a few covariances of 512 columns, against numpy and torch."""
    covs = covariances(4 if quick else 16, 128 if quick else 512, 1e3)
    for name, theirs in (("numpy eigh", _numpy_zca), ("torch linalg.eigh", _torch_zca)):
        yield _compared("2c", covs, "zca", "auto", name, theirs, floor=2.5, goal=6)


def ill_conditioned(quick: bool) -> Iterator[PeerRow]:
    """2e: our residual on the directions kept, and in the note numpy's: eigenvectors and a cutoff, as ours."""
    n_covs = 4 if quick else 64
    for name, eigenvalues in (
        ("condition 1e8", np.geomspace(1, 1e-8, 64)),
        ("rank 32 of 64", np.append(np.geomspace(1, 1e-6, 32), np.zeros(32))),
    ):
        covs = _with_eigenvalues(n_covs, eigenvalues)
        rank = int((eigenvalues > 0).sum())
        found = whitening_matrix(covs)
        if (found.n_kept != rank).any():
            raise AssertionError(f"kept {found.n_kept.tolist()} directions of {rank}")
        ours, numpys = (float(np.median(_residuals(w, covs, rank))) for w in (found.matrix, _numpy_zca(covs)))
        check_answer(ours, 2 * numpys, "2e")
        times = compare(lambda covs=covs: whitening_matrix(covs), lambda covs=covs: _numpy_zca(covs), rounds=3)
        note = f"median residuals over {n_covs}: numpy {numpys:.1e}"
        yield row("2e", f"{n_covs} of 64 x 64, {name}", "numpy eigh + cutoff", times, ours, note=note)


def covariances(n_covs: int, p: int, condition: float) -> np.ndarray:
    """Covariances with eigenvalues evenly spread on a logarithmic scale and directions at random."""
    return _with_eigenvalues(n_covs, np.geomspace(1, 1 / condition, p))


def _with_eigenvalues(n_covs: int, eigenvalues: np.ndarray) -> np.ndarray:
    rng = np.random.default_rng(0)
    vectors = np.linalg.qr(rng.normal(size=(n_covs, len(eigenvalues), len(eigenvalues))))[0]
    covs = (vectors * eigenvalues) @ np.swapaxes(vectors, 1, 2)
    return np.asarray((covs + np.swapaxes(covs, 1, 2)) / 2)


def _compared(
    target: str,
    covs: np.ndarray,
    kind: str,
    method: str,
    peer: str,
    theirs: Callable[[np.ndarray], np.ndarray],
    *,
    floor: float,
    goal: float,
) -> PeerRow:
    n_covs, p, _ = covs.shape
    work = f"{n_covs} of {p} x {p}, f64, {kind}"
    found = whitening_matrix(covs, kind=kind, method=method)
    # 40 p u condition: of a backward stable factorization. As an error of W it is halved, of its largest entry less.
    most = 40 * p * 2.0**-53 * 1e3
    try:
        expected = theirs(covs)
    except PeerMissingError as missing:
        return not_measured(target, work, peer, str(missing))
    difference = float(np.abs(found.matrix - expected).max() / np.abs(expected).max())
    check_answer(difference, most, f"{target} against {peer}")
    error = check_answer(float(_residuals(found.matrix, covs, p).max()), most, target)
    times = compare(lambda: whitening_matrix(covs, kind=kind, method=method), lambda: theirs(covs), rounds=_ROUNDS)
    note = f"method {found.method[0]}"
    return row(target, work, peer, times, error, floor=floor, goal=goal, note=note)


def _residuals(whiteners: np.ndarray, covs: np.ndarray, rank: int) -> np.ndarray:
    """Largest deviation of the eigenvalues of W cov W^T from one, and from zero where a direction was dropped."""
    products = np.linalg.eigvalsh(whiteners @ covs @ np.swapaxes(whiteners, 1, 2))
    p = covs.shape[-1]
    return np.asarray(np.abs(products - np.repeat([0.0, 1.0], [p - rank, rank])).max(axis=1))


def _numpy_zca(covs: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(covs)
    keep = values > 1e-12 * values[:, -1:]
    weights = np.where(keep, 1 / np.sqrt(np.where(keep, values, 1)), 0)
    return np.asarray((vectors * weights[:, None, :]) @ np.swapaxes(vectors, 1, 2))


def _torch_zca(covs: np.ndarray) -> np.ndarray:
    torch = require_peer("torch")
    values, vectors = torch.linalg.eigh(torch.from_numpy(covs))
    return np.asarray(((vectors / values.sqrt()[:, None, :]) @ vectors.mT).numpy())


def _torch_cholesky(covs: np.ndarray) -> np.ndarray:
    torch = require_peer("torch")
    factors = torch.linalg.cholesky(torch.from_numpy(covs))
    identity = torch.eye(covs.shape[-1], dtype=factors.dtype)
    return np.asarray(torch.linalg.solve_triangular(factors, identity, upper=False).numpy())
