"""Cross-alignment: the paper's objective and constraint, the usual normalization, held-out correlations."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cross_decomposition import CCA

import problems
from crossphase import CrossAlignment, CrossPrediction, InputValueError, JointObjective
from crossphase.covariances import Covariances


@pytest.fixture
def pair(rng):
    n = 400
    shared = rng.standard_normal((n, 3)) * [2.0, 1.0, 0.5]
    X = np.hstack([shared, np.zeros((n, 4))]) + rng.standard_normal((n, 7))
    return X, np.hstack([shared, np.zeros((n, 2))]) + rng.standard_normal((n, 5))


def test_cross_moment_constraint_and_value_of_the_objective(pair):
    """Kamai et al., Thm A.1: E[W x (V y)^T] = I, and the minimum is 2 sum(1 / rho) - 2 k."""
    X, Y = pair
    fitted = CrossAlignment(3, normalization="cross_moment").fit(X, Y)
    x, y = fitted.transform(X), fitted.transform_y(Y)
    n = len(x)
    assert np.abs(x.T @ y / (n - 1) - np.eye(3)).max() <= 1e-12
    value = np.sum((x - y) ** 2) / (n - 1)
    assert value == pytest.approx(2 * np.sum(1 / fitted.correlations_) - 2 * 3, rel=1e-12)
    usual = CrossAlignment(3).fit(X, Y)
    assert np.abs(usual.weights_x_ / np.sqrt(usual.correlations_) - fitted.weights_x_).max() <= 1e-12
    assert np.abs(usual.coef_ - fitted.coef_).max() <= 1e-12  # the probe does not mind the lengths


def test_feasible_maps_nearby_are_no_closer(rng, pair):
    X, Y = pair
    fitted = CrossAlignment(2, normalization="cross_moment").fit(X, Y)
    (moments,) = fitted.moments_

    def value(w, v):
        return np.vdot(w, moments.cov_xx @ w) - 2 * np.vdot(w, moments.cov_xy @ v) + np.vdot(v, moments.cov_yy @ v)

    best = value(fitted.weights_x_, fitted.weights_y_)
    for step in (1e-3, 1e-2, 1e-1):
        for _ in range(50):
            w = fitted.weights_x_ + step * rng.standard_normal((7, 2))
            v = fitted.weights_y_ + step * rng.standard_normal((5, 2))
            v = v @ np.linalg.inv(w.T @ moments.cov_xy @ v)  # feasible again
            assert np.allclose(w.T @ moments.cov_xy @ v, np.eye(2))
            assert value(w, v) >= best - 1e-9


def test_usual_normalization_agrees_with_scikit_learn(pair):
    X, Y = pair
    fitted = CrossAlignment(3).fit(X, Y)
    peer = CCA(3, scale=False, max_iter=10_000, tol=1e-14).fit(X, Y)
    theirs = np.array([np.corrcoef(*side)[0, 1] for side in zip(*(s.T for s in peer.transform(X, Y)), strict=True)])
    assert np.abs(fitted.correlations_ - theirs).max() <= 1e-6  # the peer iterates
    assert np.abs(fitted.correlations(X, Y) - fitted.correlations_).max() <= 1e-12
    assert np.abs(fitted.transform(X).std(axis=0, ddof=1) - 1).max() <= 1e-12
    largest = fitted.weights_x_[np.abs(fitted.weights_x_).argmax(axis=0), np.arange(3)]
    assert (largest > 0).all()


def test_score_is_the_mean_correlation_of_held_out_rows(pair):
    X, Y = pair
    fitted = CrossAlignment(2).fit(X[:300], Y[:300])
    x, y = fitted.transform(X[300:]), fitted.transform_y(Y[300:])
    wanted = np.mean([np.corrcoef(x[:, i], y[:, i])[0, 1] for i in range(2)])
    assert fitted.score(X[300:], Y[300:]) == pytest.approx(wanted, rel=1e-12)
    assert (fitted.correlations(X[:1], Y[:1]) == 0).all()  # one row has no spread
    with pytest.raises(InputValueError, match="same number of rows; got 100 and 99"):
        fitted.score(X[300:], Y[301:])


@pytest.mark.parametrize("estimator", [CrossAlignment, CrossPrediction, JointObjective])
def test_only_directions_that_are_shared_count(estimator, rng):
    """Hard bottleneck: a shared part of rank 2 has two components, whatever the widths."""
    model = problems.spiked_pair(0, np.array([2.0, 1.0]), (0.5, 0.5), (1.0, 1.0), np.zeros(4))
    assert estimator().fit_moments(model).n_components_ == 2
    with pytest.raises(InputValueError, match="at most 2, the number of directions that X and Y share here; got 3"):
        estimator(3).fit_moments(model)
    nothing = Covariances(model.cov_xx, model.cov_yy, np.zeros((6, 6)))
    with pytest.raises(InputValueError, match="X and Y share no direction"):
        estimator().fit_moments(nothing)
    few_rows = estimator(ridge=0.1).fit(rng.standard_normal((5, 9)), rng.standard_normal((5, 8)))
    assert few_rows.n_components_ == 4  # five rows about their mean
    assert np.abs(few_rows.weights_x_).max() < 1e3
    assert estimator(4, ridge="cross_validation").fit(*rng.standard_normal((2, 11, 9))).n_components_ == 4


def test_unknown_normalizations_get_a_sentence(pair):
    with pytest.raises(InputValueError, match="normalization must be one of unit_variance, cross_moment; got 'paper'"):
        CrossAlignment(normalization="paper").fit(*pair)


def test_population_moments_predict_about_zero(rng):
    model = problems.spiked_pair(0, np.array([2.0, 1.0]), (0.5, 0.5), (1.0, 1.0), np.zeros(4))
    fitted = CrossAlignment(2).fit_moments(Covariances(model.cov_xx, model.cov_yy, model.cov_xy))
    assert (fitted.mean_x_ == 0).all()
    X = rng.standard_normal((4, 6))
    assert np.abs(fitted.predict(X) - X @ fitted.coef_.T).max() <= 1e-14
