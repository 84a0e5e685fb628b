"""Leading singular vectors against full decompositions, where the Gram matrix loses digits, and their signs."""

from __future__ import annotations

import numpy as np
import pytest

import problems
from crossphase import singular_vectors
from crossphase.singular_vectors import fix_signs, leading_singular_vectors


def with_values(rng: np.random.Generator, shape: tuple[int, int], values: np.ndarray) -> np.ndarray:
    left, right = (problems.orthogonal(rng, size)[:, : len(values)] for size in shape)
    return (left * values) @ right.T


@pytest.mark.parametrize("shape", [(40, 40), (40, 90), (90, 40)])
@pytest.mark.parametrize("k", [1, 9, 40])
def test_values_and_vectors_are_those_of_the_matrix(rng, shape, k):
    values = np.linspace(1.0, 0.1, 40)
    matrix = with_values(rng, shape, values)
    found = leading_singular_vectors(matrix, k)
    # A backward stable SVD errs by c p u of the largest value, c about 10 (LAPACK Users' Guide, section 4.9).
    tolerance = 10 * max(shape) * problems.U
    assert np.abs(found.values - values[:k]).max() <= tolerance
    for side in (found.left, found.right):
        assert np.abs(side.T @ side - np.eye(k)).max() <= tolerance
    # Vectors err by the residual over the gap, 0.9 / 39; both residuals at once say that each pairs with its value.
    assert np.abs(matrix @ found.right - found.left * found.values).max() <= 50 * tolerance
    assert np.abs(matrix.T @ found.left - found.right * found.values).max() <= 50 * tolerance


@pytest.mark.parametrize("smallest", [1e-3, 1e-6, 1e-9, 0.0])
def test_digits_lost_by_squaring_are_restored_or_not_relied_on(rng, smallest):
    values = np.append(np.ones(4), np.full(60, smallest))
    found = leading_singular_vectors(with_values(rng, (64, 64), values), 10)
    assert np.abs(found.values - values[:10]).max() <= 10 * 64 * problems.U


def test_a_bad_residual_falls_back_to_the_full_decomposition(rng, monkeypatch):
    matrix = with_values(rng, (64, 64), np.geomspace(1, 1e-3, 64))

    def wrong(tall, k):
        return singular_vectors.SingularVectors(np.ones(k), np.eye(64)[:, :k], np.eye(64)[:, :k])

    monkeypatch.setattr(singular_vectors, "_from_gram", wrong)
    found = leading_singular_vectors(matrix, 5)
    assert np.abs(found.values - np.geomspace(1, 1e-3, 64)[:5]).max() <= 10 * 64 * problems.U


def test_repeated_values_are_all_returned(rng):
    """LAPACK's partial eigendecomposition (dsyevr) leaves some out in about one of 60 such matrices."""
    values = np.append(np.full(17, 6.3), [2.9, 1.9, 1.4])
    for _ in range(600):
        found = leading_singular_vectors(with_values(rng, (20, 20), values), 3)
        assert len(found.values) == 3
        assert np.abs(found.values - values[:3]).max() <= 10 * 20 * problems.U * 6.3


def test_a_zero_matrix_has_zero_values():
    found = leading_singular_vectors(np.zeros((20, 30)), 2)
    assert (found.values == 0).all()
    assert np.isfinite(found.left).all()


def test_signs_follow_the_largest_entry():
    leading = np.array([[1.0, 0.5], [-2.0, 0.1]])
    partner = np.array([[1.0, 2.0], [3.0, 4.0]])
    left, right = fix_signs(leading, partner)
    assert (left == [[-1.0, 0.5], [2.0, 0.1]]).all()
    assert (right == [[-1.0, 2.0], [-3.0, 4.0]]).all()
