"""Moments of folds against NumPy's covariance of the rows themselves."""

from __future__ import annotations

import numpy as np
import pytest

from crossphase import InputValueError, cross_moments
from crossphase.fold_moments import fold_moments
from crossphase.folds import assign_folds

N, P, Q, L = 700, 7, 5, 3


@pytest.fixture
def data(rng):
    X = rng.standard_normal((N, P)) * np.geomspace(1, 1e3, P) + 50
    Y = X[:, :Q] @ rng.standard_normal((Q, Q)) + rng.standard_normal((N, Q))
    labels = np.eye(L)[rng.integers(0, L, N)]
    return X, Y, labels, assign_folds(N, 4, rng=1)


def assert_moments(found, X, Y, labels):
    """Entries err by the rounding of sums of n products: n u sd_i sd_j, with means 50 deviations away at most squared."""
    columns = np.hstack([X, Y, labels])
    expected = np.cov(columns, rowvar=False)
    size = np.sqrt(np.outer((columns**2).mean(axis=0), (columns**2).mean(axis=0)))
    assert found.n_samples == len(X)
    assert np.abs((found.cov - expected) / size).max() < len(X) * np.finfo(float).eps
    np.testing.assert_allclose(found.mean, columns.mean(axis=0), rtol=1e-12)
    x, y, labels_there = slice(0, P), slice(P, P + Q), slice(P + Q, None)
    for name, rows, cols in (
        ("xx", x, x), ("yy", y, y), ("xy", x, y), ("xl", x, labels_there), ("yl", y, labels_there),
        ("ll", labels_there, labels_there),
    ):  # fmt: skip
        np.testing.assert_array_equal(getattr(found, f"cov_{name}"), found.cov[rows, cols])
    np.testing.assert_array_equal(np.concatenate([found.mean_x, found.mean_y, found.mean_labels]), found.mean)


@pytest.mark.parametrize("backend", ["cpu", "reference"])
def test_every_set_of_rows(data, backend):
    X, Y, labels, folds = data
    moments = fold_moments(X, Y, folds, labels, backend=backend)
    assert moments.n_folds == 4
    for f in range(4):
        assert_moments(moments.test(f), X[folds == f], Y[folds == f], labels[folds == f])
        assert_moments(moments.train(f), X[folds != f], Y[folds != f], labels[folds != f])
    rest = (folds != 0) & (folds != 2)
    assert_moments(moments.train(0, 2), X[rest], Y[rest], labels[rest])
    assert_moments(moments.total, X, Y, labels)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_narrow_types_and_no_labels(data, dtype):
    X, Y, _, folds = (values.astype(dtype) if values.dtype == float else values for values in data)
    moments = fold_moments(X, Y, folds)
    assert moments.total.n_labels == 0
    expected = cross_moments(X, Y, precision="f64")
    np.testing.assert_allclose(
        moments.total.cov_xy, expected.cov_xy, rtol=1e-9, atol=1e-12 * np.abs(expected.cov_xy).max()
    )


def test_rows_left_out(data):
    X, Y, labels, folds = data
    folds = np.where(folds == 3, -1, folds)
    moments = fold_moments(X, Y, folds, labels)
    assert moments.n_folds == 3
    assert_moments(moments.total, X[folds >= 0], Y[folds >= 0], labels[folds >= 0])


def test_training_variance_survives_an_outlier_left_out(rng):
    """Down-dating would leave rounding of 1e16 instead of a variance of 1: pooling does not see the held-out fold."""
    X = rng.standard_normal((40, 1))
    folds = np.repeat([0, 1], 20)
    X[0] = 1e10
    moments = fold_moments(X, X, folds)
    assert moments.train(0).cov_xx[0, 0] == pytest.approx(np.var(X[20:], ddof=1), rel=1e-12)


def test_gathering_in_pieces_changes_nothing(data, monkeypatch):
    X, Y, _, folds = data
    whole = fold_moments(np.repeat(X, 8, axis=0), np.repeat(Y, 8, axis=0), np.repeat(folds, 8))
    monkeypatch.setattr("crossphase.fold_moments._CHUNK_BYTES", 1)  # pieces of 1024 rows, the least
    pieces = fold_moments(np.repeat(X, 8, axis=0), np.repeat(Y, 8, axis=0), np.repeat(folds, 8))
    np.testing.assert_array_equal(whole.total.cov, pieces.total.cov)


@pytest.mark.parametrize(
    ("folds", "sentence"),
    [
        (np.zeros(N, dtype=int), r"at least 2, of at least 2 rows each; got rows \[700\]"),
        (np.r_[0, np.ones(N - 1, dtype=int)], r"got rows \[1, 699\]"),
        (np.zeros(N), "folds must be integers, one a row"),
        (np.r_[-2, np.ones(N - 1, dtype=int)], "got -2 at row 0"),
    ],
)
def test_bad_folds_get_a_sentence(data, folds, sentence):
    X, Y, _, _ = data
    with pytest.raises(InputValueError, match=sentence):
        fold_moments(X, Y, folds)


def test_nothing_left_to_train_on(data):
    X, Y, _, folds = data
    with pytest.raises(InputValueError, match="train must leave at least one fold in"):
        fold_moments(X, Y, folds).train(0, 1, 2, 3)


def test_bad_rows_get_a_sentence(data):
    X, Y, labels, folds = data
    with pytest.raises(InputValueError, match="same number of rows"):
        fold_moments(X, Y[:-1], folds)
    with pytest.raises(InputValueError, match="labels must be finite"):
        fold_moments(X, Y, folds, np.where(labels == 1, np.nan, labels))
