"""Scores of samples on weights, for every sample type and layout."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import problems
from crossphase._backends import BACKENDS
from crossphase.projection import project
from crossphase.samples import as_samples


def scores_of(values: np.ndarray, mean: np.ndarray, weights: np.ndarray, **options: object) -> np.ndarray:
    samples = as_samples(values, "X", uint16_is_bfloat16=True)
    return project(samples, mean, weights, **{"n_threads": 1, **options})


def bound(values: np.ndarray, mean: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """p products and one subtraction each: |error| <= (p + 2) u sum |x - mean| |w|, and rounding of x - mean itself."""
    return (len(mean) + 2) * problems.U * (np.abs(values - mean) @ np.abs(weights))


@pytest.mark.parametrize("backend", BACKENDS)
@given(problem=problems.pairs(), k=st.sampled_from([1, 3, 16, 19]), n_threads=st.sampled_from([1, 3]))
def test_matches_extended_precision(backend: str, problem: problems.PairProblem, k: int, n_threads: int) -> None:
    X = problems.exact_float64(np.ascontiguousarray(problem.X))
    weights = problems.generator(k).standard_normal((X.shape[1], k))
    mean = X.mean(axis=0)
    exact = (X.astype(np.longdouble) - mean) @ weights.astype(np.longdouble)
    got = scores_of(problem.X, mean, weights, n_threads=n_threads, backend=backend)
    assert got.dtype == np.float64
    assert (np.abs(got - exact) <= bound(X, mean, weights)).all()


@pytest.mark.parametrize("layout", problems.LAYOUTS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_bytes_depend_on_neither_layout_nor_threads(rng: np.random.Generator, layout: str, dtype: str) -> None:
    X = rng.standard_normal((3001, 21)).astype(dtype)
    weights = rng.standard_normal((21, 5))
    expected = scores_of(X.astype(np.float64), X.mean(axis=0, dtype=float), weights).tobytes()
    with problems.laid_out(layout, X) as (same,):
        for n_threads in (1, 2, 3, 7):
            got = scores_of(same, X.mean(axis=0, dtype=float), weights, n_threads=n_threads)
            assert got.tobytes() == expected


@pytest.mark.parametrize("dtype", ["bfloat16", "bfloat16 void", "bfloat16 bits"])
def test_bfloat16_in_every_disguise(rng: np.random.Generator, dtype: str) -> None:
    X = problems.CASTS[dtype](rng.standard_normal((40, 3)))
    weights = rng.standard_normal((3, 2))
    exact = problems.exact_float64(X)
    assert np.array_equal(scores_of(X, np.zeros(3), weights), scores_of(exact, np.zeros(3), weights))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_row_does_not_depend_on_its_neighbours(rng: np.random.Generator, backend: str) -> None:
    """Rows run in groups of 16 and blocks of 1024: the ends of both hold the same numbers as a row alone."""
    X, weights = rng.standard_normal((1041, 7)), rng.standard_normal((7, 3))
    scores = scores_of(X, np.zeros(7), weights, backend=backend)
    for row in (0, 15, 16, 1023, 1024, 1040):
        alone = scores_of(X[row : row + 1], np.zeros(7), weights, backend=backend)[0]
        assert (np.abs(alone - scores[row]) <= 2 * bound(X, np.zeros(7), weights)[row]).all()


def test_weights_of_any_layout(rng: np.random.Generator) -> None:
    X, weights = rng.standard_normal((20, 4)), rng.standard_normal((4, 3))
    expected = scores_of(X, np.zeros(4), weights)
    assert np.array_equal(scores_of(X, np.zeros(4), np.asfortranarray(weights)), expected)
    assert np.array_equal(scores_of(X, np.zeros(8)[::2], weights[::-1][::-1]), expected)
