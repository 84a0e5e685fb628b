"""The spiked model of several views, and the bottlenecks that it shows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import problems
from crossphase import (
    InputTypeError,
    InputValueError,
    MultiviewSpikedModel,
    SpikedModel,
    coherence,
    hard_bottleneck,
    soft_bottleneck,
)
from crossphase.covariances import Covariances


def test_signals_of_strength_zero_are_not_shared() -> None:
    model = MultiviewSpikedModel([2, 0, 1], [(0, 1, 2), (1, 2)], gamma=0.5, gamma_tilde=1.0, n_features=4, rng=0)
    assert (coherence(model.pair(0, 1)).correlations > 1e-6).sum() == model.n_shared(0, 1) == 1


def multiview_covariance(model: MultiviewSpikedModel) -> np.ndarray:
    """Of all views side by side."""
    views = range(model.n_views)
    return np.block([[model.covariance(i, j) for j in views] for i in views])


# Bottlenecks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rank", [0, 1, 2, 3])
def test_hard_bottleneck_of_experiment_e1(rank: int) -> None:
    """As many nonzero correlations as signals that both views carry."""
    kappa = np.where(np.arange(3) < rank, problems.E1["kappa"], 0.0)
    model = SpikedModel(**{**problems.E1, "kappa": kappa}, rng=0)
    assert (coherence(model).correlations > 1e-6).sum() == hard_bottleneck(3, 3, rank) == rank
    limited = MultiviewSpikedModel(
        problems.E1["kappa"], [range(3), range(rank)], gamma=0.5, gamma_tilde=1.0, n_features=20, rng=0
    )
    assert (coherence(limited.pair(0, 1)).correlations > 1e-6).sum() == hard_bottleneck(3, rank, rank) == rank


@pytest.mark.parametrize("kappa_k", np.logspace(math.log10(0.05), math.log10(5), 5))
def test_soft_bottleneck_bounds_the_optimum_of_experiment_e2(kappa_k: float) -> None:
    model = SpikedModel(**{**problems.E1, "kappa": (3, 2.5, kappa_k)}, rng=0)
    found = coherence(model)
    scale = 1 / np.sqrt(found.correlations[:3])  # W Σxy V^T = I
    W, V = (found.weights_x[:, :3] * scale).T, (found.weights_y[:, :3] * scale).T
    assert np.abs(W @ model.cov_xy @ V.T - np.eye(3)).max() < 1e-9
    size = np.trace(W @ model.cov_xx @ W.T) + np.trace(V @ model.cov_yy @ V.T)
    bound = soft_bottleneck(found.correlations[2])
    assert size == pytest.approx(2 * (1 / found.correlations[:3]).sum(), rel=1e-9)
    assert size >= bound
    if kappa_k == 0.05:
        assert size / bound < 1.02  # tight as the correlation goes to 0


def test_bottleneck_corners() -> None:
    assert soft_bottleneck(1) == 2
    assert soft_bottleneck(0.0) == math.inf
    with pytest.raises(InputValueError, match=r"correlation must be at most 1; got 1\.5"):
        soft_bottleneck(1.5)
    with pytest.raises(InputValueError, match="correlation must be a finite number >= 0; got nan"):
        soft_bottleneck(math.nan)
    with pytest.raises(InputValueError, match="rank_y must be at least 0; got -1"):
        hard_bottleneck(1, -1, 1)


# Several views ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_views", [2, 3, 4, 5])
def test_nested_views_of_experiment_e1_multi(n_views: int) -> None:
    """View i has the first k - i signals: with view 0 as the anchor, k - N + 1 correlations are left for the last."""
    k = 5
    model = MultiviewSpikedModel(
        (3, 2.8, 2.5, 2.2, 2),
        [range(k - i) for i in range(n_views)],
        gamma=0.5,
        gamma_tilde=1.0,
        n_features=30,
        rng=2,
    )
    counts = [int((coherence(model.pair(0, i)).correlations > 1e-6).sum()) for i in range(1, n_views)]
    assert counts == [model.n_shared(0, i) for i in range(1, n_views)]
    assert min(counts) == model.n_shared() == k - n_views + 1


def test_pairs_share_the_signals_that_both_list() -> None:
    model = MultiviewSpikedModel(**{**problems.THREE_VIEWS, "eta": 0.0}, rng=0)
    assert [model.n_shared(*views) for views in ((0, 1), (0, 2), (1, 2), (0,), (1, 1), ())] == [2, 1, 0, 3, 2, 0]
    noise = [{0: 0.5, 1: 0.5, 2: 0.5}, {2: 0.1, 0: 2.0}, {1: 1.0}]  # by view and signal
    for i, j in ((0, 1), (1, 0), (0, 2), (2, 1)):
        shared = noise[i].keys() & noise[j].keys()
        expected = [
            power / math.sqrt((power + noise[i][s]) * (power + noise[j][s]))
            for s, power in enumerate(model.kappa**2)
            if s in shared
        ]
        found = coherence(model.pair(i, j)).correlations
        assert len(found) == min(model.n_features[i], model.n_features[j])
        # Two whiteners, each of relative error 40 p u condition (problems.CovarianceProblem.tolerance).
        tolerance = 2 * 40 * 6 * 14 * problems.U
        assert np.abs(found[: len(expected)] - np.sort(expected)[::-1]).max(initial=0) <= tolerance
        assert np.abs(found[len(expected) :]).max() <= tolerance


def test_every_two_views_share_the_nuisance_covariance() -> None:
    model = MultiviewSpikedModel(1.0, [(0,)] * 4, gamma=1, gamma_tilde=[1, 2, 3, 4], n_features=3, eta=[1.0, 0.5])
    for i in range(4):
        for j in range(4):
            expected = np.diag([1, 1.0, 0.5]) if i != j else np.diag([2.0, i + 1, i + 1])
            assert np.array_equal(model.covariance(i, j), expected)
    assert np.linalg.eigvalsh(multiview_covariance(model)).min() >= -12 * 16 * problems.U


def test_two_views_are_the_pair_model() -> None:
    pair = SpikedModel([2, 1], [0.5, 1], [0.1, 2], [1, 3, 0.5], [4, 2, 1, 8], [0.9, 0, 0.4], rng=4)
    multi = MultiviewSpikedModel(
        [2, 1],
        [(0, 1), (0, 1)],
        gamma=[[0.5, 1], [0.1, 2]],
        gamma_tilde=[[1, 3, 0.5], [4, 2, 1, 8]],
        eta=[0.9, 0, 0.4],
        n_features=(5, 6),
        rng=4,
    )
    assert np.array_equal(multi.basis(1), pair.basis_y)
    assert isinstance(multi.pair(0, 1), Covariances)
    for name in ("cov_xx", "cov_yy", "cov_xy"):
        assert np.array_equal(getattr(multi.pair(0, 1), name), getattr(pair, name))


def test_a_view_without_signals() -> None:
    model = MultiviewSpikedModel(1.0, [(0,), ()], gamma=0.1, gamma_tilde=1.0, n_features=(3, 2), rng=0)
    assert model.n_shared() == 0
    assert np.abs(model.covariance(0, 1)).max() == 0
    assert repr(model) == "MultiviewSpikedModel(n_signals=1, signals=((0,), ()), n_features=(3, 2))"


MULTIVIEW_DEFECTS = [
    ({"signals": [(0,)]}, InputValueError, "signals must list the signals of at least two views; got 1"),
    ({"signals": 3}, InputTypeError, "signals must be a sequence with the signals of every view; got 3"),
    (
        {"signals": [(0, 1, 2), 2, (1,)]},
        InputTypeError,
        r"signals\[1\] must be a sequence of positions in kappa; got 2",
    ),
    ({"signals": [(0, 3), (2, 0), (1,)]}, InputValueError, r"signals\[0\]\[1\] must be at most 2; got 3"),
    ({"signals": [(0, 1, 2), (2, 0), (1, 1)]}, InputValueError, r"signals\[2\] must be distinct; got 1 more than once"),
    ({"signals": [(0, 1, 2), (2, 0.0), (1,)]}, InputTypeError, r"signals\[1\]\[1\] must be an integer"),
    ({"gamma": [0.5, 0.5]}, InputValueError, "gamma must have one entry for each of the 3 views in signals; got 2"),
    ({"gamma": [0.5, -1.0, 0.5]}, InputValueError, r"gamma\[1\] must be .*>= 0.*got gamma\[1\] = -1"),
    (
        {"gamma": [0.5, [1, 1, 1], 0.5]},
        InputValueError,
        r"gamma\[1\] must be .* 2 signals of the view; got shape \(3,\)",
    ),
    (
        {"gamma_tilde": [1.5, [2.0], 1.0]},
        InputValueError,
        r"gamma_tilde\[1\] must be .* 4 nuisance coordinates of the view",
    ),
    (
        {"n_features": [2, 6, 3]},
        InputValueError,
        r"n_features\[0\] must be at least the 3 signals that view 0 carries; got 2",
    ),
    ({"n_features": 2.5}, InputTypeError, r"n_features\[0\] must be an integer"),
    ({"eta": [0.7, 0.4]}, InputValueError, r"eta must be .* 3 nuisance coordinates that at least two views have"),
    (
        {"eta": [0.8, 0.4, 1.1]},
        InputValueError,
        r"eta must be at most the nuisance variance of every view; got eta\[0\] = 0.8 and variance 0.7 in view 2",
    ),
    ({"bases": [np.eye(6), np.eye(5), np.eye(3)]}, InputValueError, r"bases\[1\] must be .*shape \(6, 6\)"),
    ({"rng": 1.5}, InputTypeError, "rng must be an integer"),
]


@pytest.mark.parametrize(
    ("defect", "error", "message"), MULTIVIEW_DEFECTS, ids=[str(case[0])[:40] for case in MULTIVIEW_DEFECTS]
)
def test_multiview_defects(defect: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        MultiviewSpikedModel(**{**problems.THREE_VIEWS, **defect})


def test_views_are_numbered() -> None:
    model = MultiviewSpikedModel(**problems.THREE_VIEWS)
    with pytest.raises(InputValueError, match="j must be at most 2; got 3"):
        model.covariance(0, 3)
    with pytest.raises(InputValueError, match="view must be at least 0; got -1"):
        model.n_shared(0, -1)
