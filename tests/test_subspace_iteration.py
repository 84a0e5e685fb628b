"""Leading eigenvectors by iteration: chosen spectra, directions hidden from the start block, and when it gives up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import problems
from crossphase import singular_vectors, subspace_iteration
from crossphase.singular_vectors import leading_singular_vectors
from crossphase.subspace_iteration import leading_eigenvectors_by_iteration, none_larger_left

N = 128
ROUNDING = 10 * N * problems.U  # c p u, c about 10, as for LAPACK (Users' Guide, section 4.7)


def with_eigenvalues(rng: np.random.Generator, values: np.ndarray) -> np.ndarray:
    """Symmetric to the last bit, its eigenvectors random."""
    axes = problems.orthogonal(rng, len(values))
    matrix = (axes * values) @ axes.T
    return (matrix + matrix.T) / 2


def signal_and_bulk(n_signals: int, step: float) -> np.ndarray:
    """Eigenvalues: signals from 1 to 1 / 2, then a bulk below 1 / 2 / step that fills its interval."""
    return np.append(np.linspace(1.0, 0.5, n_signals), np.linspace(0.5 / step, 0.0, N - n_signals))


@given(seed=problems.seeds, k=st.sampled_from([1, 3, 8]), step=st.sampled_from([3.0, 10.0, 1e4]))
def test_a_step_in_the_spectrum_is_all_it_needs(seed: int, k: int, step: float) -> None:
    values = signal_and_bulk(k, step)
    gram = with_eigenvalues(problems.generator(seed), values)
    found = leading_eigenvectors_by_iteration(gram, k)
    assert found is not None
    assert np.abs(found[0] - values[:k]).max() <= ROUNDING
    assert np.abs(found[1].T @ found[1] - np.eye(k)).max() <= ROUNDING
    # Residuals are asked to be below 2e-11 of the largest eigenvalue, times sqrt(1 / 2) here.
    assert np.linalg.norm(gram @ found[1] - found[1] * found[0], axis=0).max() <= 2e-11


@given(
    seed=problems.seeds,
    scale=st.sampled_from([1e-200, 1e-30, 1e30, 1e200]),
    values=st.sampled_from(["equal signals", "two levels", "geometric", "rank k", "rank above k", "one direction"]),
)
def test_whatever_it_returns_are_the_largest(seed: int, scale: float, values: str) -> None:
    """It may give up on any spectrum; it may not be wrong on one."""
    k = 6
    chosen = {
        "equal signals": np.append(np.full(k, 1.0), np.linspace(0.3, 0.0, N - k)),
        "two levels": np.append(np.full(k + 5, 1.0), np.full(N - k - 5, 0.1)),
        "geometric": np.geomspace(1.0, 1e-8, N),
        "rank k": np.append(np.linspace(1.0, 0.1, k), np.zeros(N - k)),
        "rank above k": np.append(np.linspace(1.0, 0.1, 30), np.zeros(N - 30)),
        "one direction": np.append(1.0, np.full(N - 1, 1e-6)),
    }[values]
    found = leading_eigenvectors_by_iteration(scale * with_eigenvalues(problems.generator(seed), chosen), k)
    if found is not None:
        # The k-th value may be off by what the proof cannot exclude, 8 n eps, and the rounding of matrix and proof.
        assert np.abs(found[0] / scale - chosen[:k]).max() <= 8 * N * 2 * problems.U + ROUNDING


def test_equal_values_everywhere_are_found_or_given_up_but_not_invented() -> None:
    found = leading_eigenvectors_by_iteration(2.0 * np.eye(N), 4)
    assert found is None or np.abs(found[0] - 2.0).max() <= 2 * ROUNDING


@pytest.mark.parametrize("matrix", [np.zeros((N, N)), np.full((N, N), np.nan), np.full((N, N), np.inf)])
def test_nothing_to_find_is_left_to_lapack(matrix: np.ndarray) -> None:
    assert leading_eigenvectors_by_iteration(matrix, 3) is None


def test_the_same_matrix_gives_the_same_bits(rng: np.random.Generator) -> None:
    gram = with_eigenvalues(rng, signal_and_bulk(5, 5.0))
    first, second = (leading_eigenvectors_by_iteration(gram, 5) for _ in range(2))
    assert first[1].tobytes() == second[1].tobytes()


def test_a_direction_hidden_from_the_start_is_not_missed(rng: np.random.Generator) -> None:
    """The largest eigenvector lies orthogonal to the start block, to rounding: that must be enough to find it."""
    k = 4
    n_start = k + 8
    start = np.random.default_rng(0).standard_normal((N, n_start), dtype=np.float32).astype(np.float64)
    axes = np.linalg.qr(np.hstack([start, rng.standard_normal((N, N - n_start))]))[0]
    hidden = axes[:, -1]
    assert np.abs(start.T @ hidden).max() <= N * problems.U * np.linalg.norm(start)
    values = np.append(np.linspace(0.9, 0.5, k), np.linspace(0.1, 0.0, N - k))
    values[-1] = 1.0
    gram = (axes * values) @ axes.T
    found = leading_eigenvectors_by_iteration((gram + gram.T) / 2, k)
    if found is not None:
        assert np.abs(found[0] - [1.0, *values[: k - 1]]).max() <= ROUNDING


def test_an_iteration_that_missed_a_direction_is_refused(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.append(np.linspace(1.0, 0.5, 5), np.linspace(0.1, 0.0, N - 5))
    axes = problems.orthogonal(rng, N)
    gram = (axes * values) @ axes.T
    values, gram = values / np.diag(gram).max(), gram / np.diag(gram).max()  # as the iteration sees it
    for found, is_complete in (([0, 1, 2, 3], True), ([1, 2, 3, 4], False)):
        pairs = values[found], axes[:, found]
        monkeypatch.setattr(subspace_iteration, "_converge", lambda *_, pairs=pairs: pairs)
        assert (leading_eigenvectors_by_iteration(gram, 4) is not None) == is_complete


@pytest.mark.parametrize("missed", [0, 3, 4])
def test_the_proof_sees_a_larger_value_left_out(rng: np.random.Generator, missed: int) -> None:
    values = np.append([1.0, 0.9, 0.8, 0.7, 0.7 * (1 + 1e-9)], np.linspace(0.6, 0.0, N - 5))
    axes = problems.orthogonal(rng, N)
    gram = (axes * values) @ axes.T
    largest_first = np.argsort(-values)
    assert none_larger_left(gram, values[largest_first[:5]], axes[:, largest_first[:5]])
    kept = [i for i in (0, 1, 2, 4, 3) if i != missed]
    assert none_larger_left(gram, values[kept], axes[:, kept]) == (missed == 3)  # only the smallest may be left out


def test_wide_matrices_take_this_way(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(singular_vectors, "_WIDE", N)
    taken = []

    def watched(gram: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray] | None:
        taken.append(leading_eigenvectors_by_iteration(gram, k))
        return taken[-1]

    monkeypatch.setattr(singular_vectors, "leading_eigenvectors_by_iteration", watched)
    values = np.sqrt(signal_and_bulk(5, 4.0))
    matrix = (problems.orthogonal(rng, 2 * N)[:, :N] * values) @ problems.orthogonal(rng, N).T
    found = leading_singular_vectors(matrix, 5)
    assert taken[0] is not None
    assert np.abs(found.values - values[:5]).max() <= 2 * ROUNDING
    assert np.abs(matrix.T @ found.left - found.right * found.values).max() <= 1e-10
    leading_singular_vectors(matrix, N // 16 + 1)  # too many of them
    assert len(taken) == 1
