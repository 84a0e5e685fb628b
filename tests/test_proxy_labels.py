"""Clusters in place of labels: found where they are, and distrusted where there are none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

import crossphase
from crossphase import InputTypeError, InputValueError, make_proxy_labels
from crossphase.demo_data import load_demo


def clustered_pair(n: int = 600, k: int = 8, p: int = 12) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    classes = rng.integers(0, k, n)
    X, Y = (6 * rng.standard_normal((k, p))[classes] + rng.standard_normal((n, p)) for _ in range(2))
    return X, Y, classes


def test_clear_clusters_are_found_and_trusted() -> None:
    X, Y, classes = clustered_pair()
    found = make_proxy_labels(X, Y)
    # Centres lie 6 sqrt(2 * 12) = 29 standard deviations apart.
    assert found.chosen.n_clusters == 8
    assert adjusted_rand_score(found.labels, classes) == 1.0
    assert found.chosen.stability == 1.0
    assert found.chosen.agreement_across_views == 1.0
    assert [code for code, _ in found.warnings] == ["proxy_labels"]
    assert [(c.view, c.n_clusters) for c in found.candidates] == [(v, k) for v in ("x", "y") for k in (8, 20, 44)]
    assert all(c.stability < 0.9 for c in found.candidates if c.n_clusters > 8)


def test_noise_has_no_clusters_to_trust() -> None:
    rng = np.random.default_rng(0)
    found = make_proxy_labels(rng.standard_normal((500, 20)), rng.standard_normal((500, 20)), n_clusters=20)
    assert found.chosen.stability < 0.5
    codes = [code for code, _ in found.warnings]
    assert codes == ["proxy_labels", "unstable_proxy_labels", "unshared_proxy_labels"]
    assert "do not trust" in str(found)


def test_the_weaker_view_is_clustered_unless_told() -> None:
    """Y holds two of the six directions of X and nothing else: X knows Y, Y does not know X."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((400, 6))
    Y = X[:, :2] + 0.1 * rng.standard_normal((400, 2))
    found = make_proxy_labels(X, Y, n_clusters=8)
    assert found.weaker_view == found.chosen.view == "y"
    # Y's columns are 1 / 1.01 X's; X's share of directions that Y has is a third. Held out, 400 rows: errors of a few percent.
    assert found.explained_y == pytest.approx(1 / 1.01, abs=0.02)
    assert found.explained_x == pytest.approx(1 / 3, abs=0.1)
    assert make_proxy_labels(Y, X, n_clusters=8).weaker_view == "x"
    assert make_proxy_labels(X, Y, n_clusters=8, view="x").chosen.view == "x"


def test_digits_give_usable_labels() -> None:
    X, Y, digits = load_demo()
    found = make_proxy_labels(X, Y, n_clusters=(8, 20))
    assert adjusted_rand_score(found.labels, digits) > 0.2
    result = crossphase.diagnose(X, Y, found.labels, method="components")
    assert result.n_classes == found.chosen.n_clusters


def test_seeds_fix_the_labels_and_rows_beyond_2000_go_in_batches() -> None:
    X, Y, classes = clustered_pair(3000)
    first, second = (make_proxy_labels(X.astype("f4"), Y.astype("f4"), n_clusters=8, rng=3) for _ in range(2))
    assert np.array_equal(first.labels, second.labels)
    assert adjusted_rand_score(first.labels, classes) > 0.8


def test_numbers_that_leave_too_few_rows_are_skipped() -> None:
    X, Y, _ = clustered_pair(150)
    assert {c.n_clusters for c in make_proxy_labels(X, Y).candidates} == {8, 20}


def test_fewer_distinct_rows_than_clusters() -> None:
    X = np.repeat(np.eye(3), 30, axis=0)
    found = make_proxy_labels(X, X.copy(), n_clusters=8)
    assert len(np.unique(found.labels)) <= 3


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"n_clusters": 21}, InputValueError, "at least 5 rows a cluster, so at most 20 for 100 rows; got 21"),
        ({"n_clusters": 1}, InputValueError, "n_clusters must be at least 2"),
        ({"n_clusters": ()}, InputValueError, "n_clusters is empty"),
        ({"n_clusters": "8"}, InputTypeError, "n_clusters must be an integer"),
        ({"view": "z"}, InputValueError, "view must be one of x, y; got 'z'"),
        ({"n_runs": 1}, InputValueError, "n_runs must be at least 2"),
        ({"X": np.ones((100, 2))}, InputValueError, "X is constant: none of its 2 columns varies"),
        ({"Y": np.full((100, 2), np.nan)}, InputValueError, "Y must be finite"),
        ({"Y": np.ones((99, 2))}, InputValueError, "same number of rows"),
    ],
)
def test_bad_input_gets_a_sentence(change: dict[str, Any], error: type[Exception], message: str) -> None:
    rng = np.random.default_rng(0)
    good: dict[str, Any] = {"X": rng.standard_normal((100, 3)), "Y": rng.standard_normal((100, 3))}
    with pytest.raises(error, match=message):
        make_proxy_labels(**{**good, **change})
