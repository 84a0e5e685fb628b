"""Alignment and prediction from moments: targets 3a and 3b."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

import published_solvers
from benchmarks.bench_closed_forms import covariances_of_pairs
from crossphase import align_and_predict
from peer_rows.measure import PeerRow, check_answer, compare, row

_ROUNDS = 5


def leading(quick: bool) -> Iterator[PeerRow]:
    """3a: the leading 50 of both closed forms."""
    yield _solved(quick, "3a", 50, floor=6, goal=12)


def full(quick: bool) -> Iterator[PeerRow]:
    """3b: all of them, with vectors."""
    yield _solved(quick, "3b", None, floor=2, goal=3.5)


def _solved(quick: bool, target: str, n_components: int | None, *, floor: float, goal: float) -> PeerRow:
    moments = covariances_of_pairs(20_000, 256 if quick else 1024)
    width = len(moments.cov_xx)
    k = n_components or width

    def ours() -> tuple[np.ndarray, np.ndarray]:
        found = align_and_predict(moments, n_components=n_components)
        return found.alignment.correlations, found.prediction.gains

    def theirs() -> tuple[np.ndarray, np.ndarray]:
        correlations = published_solvers.solve_ca(moments.cov_xx, moments.cov_yy, moments.cov_xy, k)[2]
        return correlations[:k], published_solvers.solve_cp(moments.cov_xx, moments.cov_xy, k)[1][:k]

    error = max(float(np.abs(a - b).max() / b[0]) for a, b in zip(ours(), theirs(), strict=True))
    check_answer(error, 1e-10, target)
    found = compare(ours, theirs, rounds=_ROUNDS)
    work = f"float64 moments of {width} + {width}, {'all' if n_components is None else n_components} components"
    return row(
        target, work, "published solve_ca + solve_cp", found, error, floor=floor, goal=goal, note=f"{_ROUNDS} rounds"
    )
