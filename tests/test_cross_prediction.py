"""Cross-prediction: least squares where nothing is truncated, rank, gains, direction."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from crossphase import CrossPrediction


@pytest.fixture
def pair(rng):
    X = rng.standard_normal((200, 6)) + 2
    return X, X @ rng.standard_normal((6, 4)) + rng.standard_normal((200, 4)) - 1


def least_squares(X, Y):
    return np.linalg.lstsq(X - X.mean(axis=0), Y - Y.mean(axis=0), rcond=None)[0].T


def test_full_rank_is_least_squares(pair):
    X, Y = pair
    fitted = CrossPrediction().fit(X, Y)
    assert np.abs(fitted.coef_ - least_squares(X, Y)).max() <= 1e-12
    assert np.abs(fitted.predict(X).mean(axis=0) - Y.mean(axis=0)).max() <= 1e-12
    residual = Y - fitted.predict(X)
    assert fitted.score(X, Y) == pytest.approx(1 - residual.var(axis=0).sum() / Y.var(axis=0).sum(), rel=1e-12)


def test_truncation_projects_the_fit_on_its_principal_axes(pair):
    """Reduced-rank regression: the first k principal components of the fitted values."""
    X, Y = pair
    fitted = CrossPrediction(2).fit(X, Y)
    full = (X - X.mean(axis=0)) @ least_squares(X, Y).T
    u, s, vt = np.linalg.svd(full, full_matrices=False)
    assert np.abs(fitted.predict(X) - Y.mean(axis=0) - (u[:, :2] * s[:2]) @ vt[:2]).max() <= 1e-11
    assert np.abs(fitted.gains_ - s[:2] / np.sqrt(len(X) - 1)).max() <= 1e-12
    assert np.linalg.matrix_rank(fitted.coef_, tol=1e-10) == 2
    scores = fitted.transform(X) * fitted.gains_
    assert np.abs(scores @ fitted.weights_y_.T - (fitted.predict(X) - fitted.mean_y_)).max() <= 1e-12


def test_ridge_is_that_of_ridge_regression(pair):
    from sklearn.linear_model import Ridge

    X, Y = pair
    ridge = 0.7
    peer = Ridge(alpha=ridge * X.var(axis=0, ddof=1).mean() * (len(X) - 1)).fit(X, Y)
    assert np.abs(CrossPrediction(ridge=ridge).fit(X, Y).coef_ - peer.coef_).max() <= 1e-11


def test_the_other_direction_needs_no_second_pass(pair):
    X, Y = pair
    forth = CrossPrediction(3, ridge="auto").fit(X, Y)
    back, direct = forth.reversed(), CrossPrediction(3, ridge="auto").fit(Y, X)
    assert np.abs(back.coef_ - direct.coef_).max() <= 1e-12
    assert back.regularization_ == direct.regularization_
    assert np.abs(back.predict(Y) - direct.predict(Y)).max() <= 1e-12
    assert back.reversed().coef_.shape == forth.coef_.shape


@pytest.mark.parametrize("n", [3, 5, 8])
def test_the_other_direction_of_a_few_rows(rng, n):
    forth = CrossPrediction(ridge="auto").fit(rng.standard_normal((n, 3)), rng.standard_normal((n, 2)))
    assert np.isfinite(forth.reversed().coef_).all()


def test_the_other_direction_knows_the_columns(pair):
    X, Y = pair
    frame_x, frame_y = pd.DataFrame(X, columns=list("abcdef")), pd.DataFrame(Y, columns=list("wxyz"))
    back = CrossPrediction(2).fit(frame_x, frame_y).reversed()
    assert list(back.feature_names_in_) == list("wxyz")
    assert np.abs(back.predict(frame_y) - CrossPrediction(2).fit(Y, X).predict(Y)).max() <= 1e-12
    with pytest.raises(ValueError, match="should match those that were passed during fit"):
        back.predict(frame_y[list("zyxw")])
