"""Ridges by rule: formulas against scikit-learn's, cross-validation against held-out rows themselves."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
from sklearn.covariance import ledoit_wolf, oas

import problems
from crossphase import CrossAlignment, CrossPrediction, InputTypeError, InputValueError, JointObjective, cross_moments
from crossphase.cholesky_factor import Regularization
from crossphase.covariances import pooled
from crossphase.ridge_selection import (
    GRID,
    N_FOLDS,
    RidgeRule,
    check_ridge,
    choose_regularization,
    ledoit_wolf_shrinkage,
    oas_shrinkage,
)


def rows(rng: np.random.Generator, n: int, p: int) -> np.ndarray:
    return rng.standard_normal((n, p)) * np.geomspace(1.0, 0.05, p)


@pytest.mark.parametrize(("n", "p"), [(200, 50), (40, 60), (5000, 20)])
def test_oas_is_the_published_formula(rng, n, p):
    X = rows(rng, n, p)
    cov = np.cov(X, rowvar=False, bias=True)
    ours = oas_shrinkage(cov, n)
    # scikit-learn leaves out 2 / p, of order 1 / p of the whole (its own note).
    assert ours == pytest.approx(oas(X)[1], rel=4 / p + 2 / n)


def test_ledoit_wolf_does_not_mind_sets_of_unequal_size(rng):
    """The noise of the pooled covariance is the same however the rows are cut: 1000 Gaussian rows, 300 times."""
    X = rows(rng, 1000, 20)
    equal, unequal = (
        [
            ledoit_wolf_shrinkage(
                [np.cov(s, rowvar=False) for s in np.split(X[order], cuts)], np.diff([0, *cuts, 1000])
            )
            for order in (rng.permutation(1000) for _ in range(300))
        ]
        for cuts in ([200, 400, 600, 800], [20, 60, 120, 520])
    )
    # Means of 300 orders of the same rows; a single one scatters by about half of itself.
    assert np.mean(unequal) == pytest.approx(np.mean(equal), rel=4 * 0.5 * np.sqrt(2 / 300))


@pytest.mark.parametrize("degrees_of_freedom", [None, 5])
def test_ledoit_wolf_from_covariances_finds_what_rows_tell(rng, degrees_of_freedom):
    n, p, n_sets = 2000, 60, 10
    X = rows(rng, n, p)
    if degrees_of_freedom:
        X *= np.sqrt(degrees_of_freedom / rng.chisquare(degrees_of_freedom, (n, 1)))
    sets = np.split(X, n_sets)
    ours = ledoit_wolf_shrinkage([np.cov(s, rowvar=False) for s in sets], [len(s) for s in sets])
    # The scatter of 10 covariances has 9 degrees of freedom an entry and entries share their rows: the relative standard
    # error of their sum is at most sqrt(2 / 9) = .47 for a single entry; 3 of these.
    assert ours == pytest.approx(
        ledoit_wolf(X)[1], rel=3 * np.sqrt(2 / 9) / np.sqrt(p) + 0.05 * bool(degrees_of_freedom) + 0.05
    )


def test_a_sphere_is_shrunk_all_the_way():
    assert oas_shrinkage(np.eye(5), 10) == ledoit_wolf_shrinkage([np.eye(5), np.eye(5)], [10, 10]) == 1.0


@pytest.mark.parametrize("cut", [[100], [1, 40, 41], []])
def test_pooled_moments_are_those_of_all_rows(rng, cut):
    X, Y = rng.standard_normal((130, 3)) + 50, rng.standard_normal((130, 2)) * 7
    ours = pooled([cross_moments(X[a:b], Y[a:b]) for a, b in itertools.pairwise([0, *cut, 130])])
    whole = cross_moments(X, Y)
    assert ours.n_samples == whole.n_samples
    # Both are sums of n products in float64 about means of at most 50 standard deviations.
    for name, scale in (("mean_x", 50), ("mean_y", 7), ("cov_xx", 1), ("cov_yy", 49), ("cov_xy", 7)):
        assert np.abs(getattr(ours, name) - getattr(whole, name)).max() <= 130 * 8 * problems.U * scale * 50


@pytest.mark.parametrize("estimator", [CrossAlignment(2), CrossPrediction(2), JointObjective(2, alignment_weight=3.0)])
def test_cross_validation_minimizes_the_loss_on_rows_left_out(rng, estimator):
    """The same search done with rows: fit without a fold, measure on it."""
    n, p, q = 90, 30, 8
    shared = rng.standard_normal((n, 2))
    X = np.hstack([shared, np.zeros((n, p - 2))]) + rng.standard_normal((n, p))
    Y = np.hstack([shared, np.zeros((n, q - 2))]) + rng.standard_normal((n, q))
    estimator.ridge = "cross_validation"
    chosen = estimator.fit(X, Y).regularization_.x.ridge

    def loss(ridge):
        total, pairs = 0.0, []
        for fold in range(N_FOLDS):
            out = np.arange(n) % N_FOLDS == fold
            fitted = type(estimator)(**{**estimator.get_params(), "ridge": ridge}).fit(X[~out], Y[~out])
            x, y = fitted.transform(X[out]), fitted.transform_y(Y[out])
            pairs.append((x - x.mean(axis=0), y - y.mean(axis=0)))
            total += np.sum((Y[out] - fitted.predict(X[out])) ** 2)
            if isinstance(estimator, JointObjective):
                total += 3.0 * np.sum((x - y) ** 2)
        if isinstance(estimator, CrossAlignment):
            x, y = (np.vstack(side) for side in zip(*pairs, strict=True))
            return -np.sum(np.sum(x * y, axis=0) / np.linalg.norm(x, axis=0) / np.linalg.norm(y, axis=0))
        return total

    assert chosen == GRID[int(np.argmin([loss(ridge) for ridge in GRID]))]


def test_regularized_alignment_generalizes_where_the_plain_one_overfits(rng):
    n, p = 120, 50
    shared = rng.standard_normal((2 * n, 1))
    X, Y = (shared @ np.ones((1, p)) * 0.5 + rng.standard_normal((2 * n, p)) for _ in range(2))
    plain = CrossAlignment(1).fit(X[:n], Y[:n]).score(X[n:], Y[n:])
    for rule in ("auto", "cross_validation", "ledoit_wolf", "oas"):
        ruled = CrossAlignment(1, ridge=rule).fit(X[:n], Y[:n])
        assert ruled.score(X[n:], Y[n:]) > plain + 0.1
        assert ruled.regularization_.rule == ("cross_validation" if rule == "auto" else rule)
        assert ruled.regularization_.x != Regularization()


@pytest.mark.parametrize("rule", ["oas", "ledoit_wolf", "cross_validation", 0.3])
def test_ridges_do_not_depend_on_scale(rng, rule):
    X, Y = rng.standard_normal((60, 12)), rng.standard_normal((60, 9))
    Y[:, :3] += X[:, :3]
    plain, scaled = (CrossAlignment(3, ridge=rule).fit(*pair) for pair in ((X, Y), (1024 * X, Y / 512)))
    assert scaled.regularization_.x.ridge == pytest.approx(plain.regularization_.x.ridge, rel=1e-9)
    assert scaled.regularization_.y.shrinkage == pytest.approx(plain.regularization_.y.shrinkage, rel=1e-9)
    assert np.abs(scaled.correlations_ - plain.correlations_).max() <= 1e-12


def test_one_state_has_no_folds(rng):
    moments = cross_moments(rng.standard_normal((50, 4)), rng.standard_normal((50, 3)))
    assert CrossAlignment(ridge="auto").fit_moments(moments).regularization_.rule == "oas"
    for rule in ("cross_validation", "ledoit_wolf"):
        with pytest.raises(InputValueError, match=rf'ridge="{rule}" compares .* got one; pass a list of CrossMoments'):
            CrossAlignment(ridge=rule).fit_moments(moments)


def test_every_row_counts_also_where_folds_hold_one(rng):
    X, Y = rng.standard_normal((7, 2)), rng.standard_normal((7, 2))
    ruled = CrossAlignment(ridge="auto").fit(X, Y)
    assert ruled.regularization_.rule == "oas"
    assert np.abs(ruled.mean_x_ - X.mean(axis=0)).max() <= 1e-15
    assert [state.n_samples for state in ruled.moments_] == [2, 2, 1, 1, 1]
    with pytest.raises(InputValueError, match="at least 2 rows in each of its 5 sets; the smallest has 1"):
        CrossAlignment(ridge="cross_validation").fit(X, Y)
    with pytest.raises(InputValueError, match="at least 2 rows in each"):
        CrossAlignment(ridge="ledoit_wolf").fit(X, Y)


def test_bad_ridges_get_a_sentence():
    assert check_ridge("oas") is RidgeRule.OAS
    with pytest.raises(
        InputValueError, match=r"ridge must be a number >= 0 or one of auto, cross_validation.*got 'lw'"
    ):
        check_ridge("lw")
    with pytest.raises(InputValueError, match=r"ridge must be a finite number >= 0; got -0\.1"):
        check_ridge(-0.1)
    with pytest.raises(InputTypeError, match="ridge must be a finite number >= 0; got None"):
        check_ridge(None)
    assert choose_regularization(0.5, [], lambda *_: 0.0, n_threads=1).x == Regularization(ridge=0.5)


def test_the_page_says_what_the_grid_is():
    page = (Path(__file__).parents[1] / "docs" / "closed_forms.md").read_text()
    assert len(GRID) == 12
    assert f"of twelve ridges from {GRID[0]:g} to {GRID[-1]:g}".replace("1e-09", "1e-9") in page
    assert f"at the price of {len(GRID) * N_FOLDS} solves" in page
