"""Rows of the spiked models: their moments and tails, the bytes they promise, and what is refused."""

from __future__ import annotations

import math
import tracemalloc
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from threadpoolctl import threadpool_info, threadpool_limits

import problems
from crossphase import (
    CrossMoments,
    InputTypeError,
    InputValueError,
    MultiviewSpikedModel,
    SpikedModel,
)
from crossphase.spiked.row_sampler import BLOCK_ROWS


def joint_covariance(model: SpikedModel) -> np.ndarray:
    """Of [X Y]."""
    return np.block([[model.cov_xx, model.cov_xy], [model.cov_xy.T, model.cov_yy]])


def multiview_covariance(model: MultiviewSpikedModel) -> np.ndarray:
    """Of all views side by side."""
    views = range(model.n_views)
    return np.block([[model.covariance(i, j) for j in views] for i in views])


def standard_errors(cov: np.ndarray, n: int, degrees_of_freedom: float | None) -> np.ndarray:
    """Of the entries of Z^T Z / n with n elliptical rows of mean 0.

    E z_i² z_j² = c (c_ii c_jj + 2 c_ij²), with c = 1 for Gaussian rows and, for t rows of covariance `cov`,
    c = E[((df - 2) / W)²] = (df - 2) / (df - 4).
    """
    c = 1.0 if degrees_of_freedom is None else (degrees_of_freedom - 2) / (degrees_of_freedom - 4)
    variances = np.diag(cov)
    return np.asarray(np.sqrt((c * (np.outer(variances, variances) + 2 * cov**2) - cov**2) / n))


@pytest.mark.parametrize("degrees_of_freedom", [None, 10.0])
@pytest.mark.parametrize("rng_of_bases", [None, 4])
def test_samples_have_the_population_moments(degrees_of_freedom: float | None, rng_of_bases: int | None) -> None:
    n = 200_000
    model = SpikedModel([2, 1], [0.5, 1], [0.1, 2], [1, 3, 0.5], [4, 2, 1, 8], [1.9, 0, 0.6], rng=rng_of_bases)
    X, Y, signal = model.sample(n, 11, degrees_of_freedom=degrees_of_freedom)
    power = np.diag(model.kappa**2)
    with_signal = np.vstack([model.signal_basis_x, model.signal_basis_y]) @ power
    cov = np.block([[joint_covariance(model), with_signal], [with_signal.T, power]])
    Z = np.hstack([X, Y, signal])
    # 91 entries within six standard errors: 2e-7 of seeds would fail.
    assert (np.abs(Z.T @ Z / n - cov) / standard_errors(cov, n, degrees_of_freedom)).max() <= 6
    assert (np.abs(Z.mean(axis=0)) / np.sqrt(np.diag(cov) / n)).max() <= 6


@pytest.mark.parametrize("degrees_of_freedom", [None, 10.0])
def test_tails_are_those_of_the_law(degrees_of_freedom: float | None) -> None:
    """Fourth moments: 3 for Gaussian rows; 3 (df - 2) / (df - 4) for t, also of a projection across both views."""
    n = 400_000
    model = SpikedModel(1, 1, 1, 1, 1, 0.5, 2, 2, rng=0)
    X, Y, _ = model.sample(n, 3, degrees_of_freedom=degrees_of_freedom)
    cov = joint_covariance(model)
    direction = np.array([1.0, -2.0, 3.0, 0.5])
    projected = np.hstack([X, Y]) @ direction / math.sqrt(direction @ cov @ direction)
    fourth, eighth = 3.0, 105.0
    if degrees_of_freedom is not None:
        r = degrees_of_freedom - 2  # E[(r / W)^m] = r^m / ((df - 2) (df - 4) ... (df - 2m))
        fourth *= r / (r - 2)
        eighth *= r**3 / ((r - 2) * (r - 4) * (r - 6))
    assert abs(np.mean(projected**4) - fourth) <= 6 * math.sqrt((eighth - fourth**2) / n)


def assert_same_bytes(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    for left, right in zip(one, other, strict=True):
        assert left.dtype == right.dtype
        assert left.tobytes() == right.tobytes()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("degrees_of_freedom", [None, 3.5])
def test_bytes_do_not_depend_on_chunks_or_threads(dtype: type, degrees_of_freedom: float | None) -> None:
    model = SpikedModel(**{**problems.E6, "n_features_y": 25}, rng=0)
    options: dict[str, Any] = {"degrees_of_freedom": degrees_of_freedom, "dtype": dtype}
    whole = model.sample(5000, 7, n_threads=1, **options)
    assert [array.shape for array in whole] == [(5000, 20), (5000, 25), (5000, 3)]
    assert all(array.dtype == dtype for array in whole)
    with threadpool_limits(2):
        assert_same_bytes(model.sample(5000, 7, n_threads=3, **options), whole)
    for n_threads, chunk_rows in ((1, 1), (2, 333), (1, BLOCK_ROWS), (3, 2048), (2, 3000), (1, 5000), (2, 9999)):
        n_samples = 1100 if chunk_rows == 1 else 5000
        chunks = list(model.stream(n_samples, 7, chunk_rows=chunk_rows, n_threads=n_threads, **options))
        assert [len(chunk.X) for chunk in chunks[:-1]] == [chunk_rows] * (len(chunks) - 1)
        joined = tuple(np.vstack(arrays) for arrays in zip(*chunks, strict=True))
        assert_same_bytes(joined, tuple(array[:n_samples] for array in whole))


@pytest.mark.parametrize("chunk_rows", [100, 1500, 4000])
def test_every_block_is_drawn_once_and_with_one_blas_thread(chunk_rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    blas_threads: list[int] = []  # an entry a block
    draw_block = SpikedModel._draw_block

    def counting(*arguments: Any) -> None:
        blas_threads.append(max(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"))
        draw_block(*arguments)

    monkeypatch.setattr(SpikedModel, "_draw_block", counting)
    with threadpool_limits(2):
        for _ in SpikedModel(**problems.E6).stream(4000, chunk_rows=chunk_rows, n_threads=2):
            pass
    assert blas_threads == [1] * math.ceil(4000 / BLOCK_ROWS)


@given(n=st.integers(1, 3000), more=st.integers(0, 3000), seed=problems.seeds)
def test_a_longer_sample_begins_with_the_shorter(n: int, more: int, seed: int) -> None:
    model = SpikedModel(1, 1, 1, 1, 1, 0.5, 3, 2, rng=0)
    longer = model.sample(n + more, seed)
    assert_same_bytes(model.sample(n, seed), tuple(array[:n] for array in longer))


def test_seeds() -> None:
    model = SpikedModel(1, 1, 1, 1, 1, 0.5, 3, 2, rng=0)
    rows = model.sample(50, 5).X
    assert np.array_equal(model.sample(50, np.int64(5)).X, rows)
    assert np.array_equal(model.sample(50, np.random.SeedSequence(5)).X, rows)
    assert not np.array_equal(model.sample(50, 6).X, rows)
    child = np.random.SeedSequence(5).spawn(1)[0]
    assert not np.array_equal(model.sample(50, child).X, rows)
    generator = np.random.default_rng(5)
    first, second = model.sample(50, generator).X, model.sample(50, generator).X
    assert not np.array_equal(first, second)
    assert np.array_equal(model.sample(50, np.random.default_rng(5)).X, first)


def test_blocks_are_independent() -> None:
    """Correlations between the same rows of neighbouring blocks, of the scale 1 / sqrt(n) of independent ones."""
    X = SpikedModel(1, 1, 1, 1, 1, 0.5, 40, 2).sample(4 * BLOCK_ROWS).X.reshape(4, -1)
    correlations = np.corrcoef(X)[np.triu_indices(4, 1)]
    assert np.abs(correlations).max() <= 5 / math.sqrt(X.shape[1])


def test_float32_rows_are_the_float64_rows() -> None:
    model = SpikedModel(**{**problems.E6, "n_features_y": 25}, rng=0)
    for exact, single in zip(model.sample(3000), model.sample(3000, dtype="float32"), strict=True):
        # d products of numbers rounded once: (d + 2) roundings of 2^-24, of at most |coordinates| |basis row| = |row|.
        bound = (exact.shape[1] + 2) * 2.0**-24 * np.linalg.norm(exact, axis=1, keepdims=True)
        assert (np.abs(exact - single) <= bound).all()


def test_streams_need_little_memory() -> None:
    model = SpikedModel(**{**problems.E6, "n_features_x": 40, "n_features_y": 40}, rng=0)
    chunk_rows, n_threads = 4096, 2
    row_bytes = 8 * (40 + 40 + 3)
    moments = CrossMoments(40, 40)
    for _ in model.stream(3000, chunk_rows=1000, n_threads=n_threads):  # imports, threads
        pass
    tracemalloc.start()
    for X, Y, _ in model.stream(100_000, chunk_rows=chunk_rows, n_threads=n_threads):
        moments.update(X, Y)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    # The chunk held and the next; a thread's block of coordinates, a temporary of the same size, and a part-filled block.
    assert peak <= row_bytes * (2 * chunk_rows + n_threads * 3 * BLOCK_ROWS) + 2**20
    assert moments.n_samples == 100_000


@pytest.mark.parametrize("degrees_of_freedom", [None, 10.0])
def test_multiview_samples_have_the_population_moments(degrees_of_freedom: float | None) -> None:
    n = 200_000
    model = MultiviewSpikedModel(**problems.THREE_VIEWS, rng=8)
    views, signal = model.sample(n, 5, degrees_of_freedom=degrees_of_freedom)
    Z = np.hstack([*views, signal])
    loadings = np.vstack([model.basis(i)[:, : len(own)] @ np.eye(3)[list(own)] for i, own in enumerate(model.signals)])
    with_signal = loadings * model.kappa**2
    cov = np.block([[multiview_covariance(model), with_signal], [with_signal.T, np.diag(model.kappa**2)]])
    # 171 entries within six standard errors.
    assert (np.abs(Z.T @ Z / n - cov) / standard_errors(cov, n, degrees_of_freedom)).max() <= 6


def test_multiview_bytes_do_not_depend_on_chunks_or_threads() -> None:
    model = MultiviewSpikedModel(**problems.THREE_VIEWS, rng=8)
    views, signal = model.sample(3000, 5, n_threads=1)
    chunks = list(model.stream(3000, 5, chunk_rows=700, n_threads=2))
    assert_same_bytes((np.vstack([chunk.signal for chunk in chunks]),), (signal,))
    for i, view in enumerate(views):
        assert_same_bytes((np.vstack([chunk.views[i] for chunk in chunks]),), (view,))
    single = model.sample(3000, 5, dtype=np.float32)
    assert all(view.dtype == np.float32 for view in single.views)


SAMPLE_DEFECTS = [
    ({"n_samples": 0}, InputValueError, "n_samples must be at least 1; got 0"),
    ({"n_samples": 2**41}, InputValueError, f"n_samples must be at most {2**40}"),
    ({"n_samples": 10.0}, InputTypeError, "n_samples must be an integer"),
    ({"degrees_of_freedom": 2}, InputValueError, "degrees_of_freedom must be a finite number > 2; got 2"),
    ({"degrees_of_freedom": math.inf}, InputValueError, "degrees_of_freedom must be a finite number > 2; got inf"),
    ({"degrees_of_freedom": "3"}, InputTypeError, "degrees_of_freedom must be"),
    ({"dtype": np.float16}, InputTypeError, "dtype must be float32 or float64; got <class 'numpy.float16'>"),
    ({"dtype": "nonsense"}, InputTypeError, "dtype must be float32 or float64; got 'nonsense'"),
    ({"dtype": int}, InputTypeError, "dtype must be float32 or float64; got <class 'int'>"),
    ({"n_threads": 0}, InputValueError, "n_threads must be at least 1; got 0"),
    ({"rng": "seed"}, InputTypeError, "rng must be an integer"),
]


@pytest.mark.parametrize(("defect", "error", "message"), SAMPLE_DEFECTS, ids=[str(case[0]) for case in SAMPLE_DEFECTS])
def test_sample_defects(defect: dict[str, Any], error: type[Exception], message: str) -> None:
    for model in (SpikedModel(**problems.E6), MultiviewSpikedModel(**problems.THREE_VIEWS)):
        with pytest.raises(error, match=message):
            model.sample(**{"n_samples": 10, **defect})
        with pytest.raises(error, match=message):
            model.stream(**{"n_samples": 10, **defect})  # at once, not with the first chunk


def test_chunks_of_at_least_one_row() -> None:
    with pytest.raises(InputValueError, match="chunk_rows must be at least 1; got 0"):
        SpikedModel(**problems.E6).stream(10, chunk_rows=0)


@pytest.mark.parametrize("scale", [1e-40, 1e40])
def test_float32_rows_of_a_scale_it_cannot_hold(scale: float) -> None:
    model = SpikedModel(scale, scale**2, scale**2, scale**2, scale**2, 0.0, 3, 3)
    with pytest.raises(InputValueError, match=r"dtype must be float64 where .* got float32 and"):
        model.sample(10, dtype=np.float32)
    assert np.abs(model.sample(1000).X / scale).max() < 10
