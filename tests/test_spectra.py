"""Spectra of known pairs: population formulas, invariances, what the scores claim, and the null yardstick."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import problems
from crossphase import (
    CrossAlignment,
    CrossPrediction,
    InputTypeError,
    InputValueError,
    coherence,
    cross_moments,
    null_correlations,
    prediction_operator,
)
from crossphase.covariances import Covariances, pooled, swapped


def paired_samples(rng: np.random.Generator, n: int, p: int, q: int, n_shared: int) -> tuple[np.ndarray, np.ndarray]:
    shared = rng.standard_normal((n, n_shared))
    X = np.hstack([shared + rng.standard_normal((n, n_shared)), rng.standard_normal((n, p - n_shared))])
    Y = np.hstack([shared + rng.standard_normal((n, n_shared)), rng.standard_normal((n, q - n_shared))])
    return X @ problems.orthogonal(rng, p) + 5.0, Y @ problems.orthogonal(rng, q) - 2.0


@pytest.mark.parametrize("precision", ["f64", "auto", "f32", "bf16x6", "bf16x3", "bf16"])
def test_repeated_columns_feign_nothing_whatever_the_precision(rng: np.random.Generator, precision: str) -> None:
    """Independent views of rank 12 in 24 columns; "auto" takes less than float64 for float32 rows."""
    views = []
    for _ in range(2):
        own = rng.standard_normal((5000, 12), dtype=np.float32)
        views.append(np.hstack([own, own[:, :6], own[:, :6] @ rng.standard_normal((6, 6), dtype=np.float32)]))
    moments = cross_moments(*views, precision=precision)
    exact = coherence(cross_moments(*(view.astype(np.float64)[:, :12] for view in views)))
    cutoff = 1e-3 if precision == "bf16" else 1e-4
    for pair in (moments, swapped(moments), pooled([moments, cross_moments(*views)])):
        found = coherence(pair)
        assert (found.rank_x, found.rank_y) == (12, 12)
        assert np.abs(found.correlations[:12] - exact.correlations).max() < cutoff
        assert found.correlations[12:].max() < 1e-6
        assert prediction_operator(pair).rank_x == 12
    assert coherence(moments, rcond=0.9).rank_x < 12


@pytest.mark.parametrize("precision", ["f64", "f32", "bf16x3", "bf16"])
def test_estimators_refuse_repeated_columns_whatever_the_precision(rng: np.random.Generator, precision: str) -> None:
    X, Y = (rng.standard_normal((5000, width), dtype=np.float32) for width in (6, 5))
    moments = cross_moments(np.hstack([X, X[:, :1] + X[:, 1:2]]), Y, precision=precision)
    for estimator, pair in (
        (CrossAlignment(2), moments),
        (CrossPrediction(2), moments),
        (CrossAlignment(2), [moments]),
    ):
        with pytest.raises(np.linalg.LinAlgError, match=r"rank 6 of 7 .*from the others"):
            estimator.fit_moments(pair)
    assert CrossAlignment(2).fit_moments(cross_moments(X, Y, precision=precision)).correlations_[0] < 0.1


@pytest.fixture
def published_model() -> problems.SpikedPair:
    """The model of experiment E4 of Kamai et al. (2026): d = 20, three signals."""
    return problems.spiked_pair(0, np.array([3.0, 2.0, 1.5]), (0.5, 0.05), (1.0, 50.0), np.full(17, 0.3))


def test_published_model_to_twelve_digits(published_model: problems.SpikedPair) -> None:
    assert np.abs(coherence(published_model).correlations - published_model.correlations).max() < 1e-12
    assert np.abs(prediction_operator(published_model).gains - published_model.gains).max() < 1e-12


@given(model=problems.spiked_pairs())
def test_spiked_model_has_its_signal_and_nuisance_values(model: problems.SpikedPair) -> None:
    correlations, gains = coherence(model).correlations, prediction_operator(model).gains
    assert np.abs(correlations - model.correlations).max() <= model.tolerance
    assert np.abs(gains - model.gains).max() <= model.tolerance * model.gains[0]


@given(model=problems.spiked_pairs(), seed=problems.seeds)
def test_invertible_maps_of_x_leave_correlations(model: problems.SpikedPair, seed: int) -> None:
    rng, p = problems.generator(seed), len(model.cov_xx)
    stretch = np.geomspace(1.0, 10.0, p)
    transform = (problems.orthogonal(rng, p) * stretch) @ problems.orthogonal(rng, p)
    cov_xx = transform @ model.cov_xx @ transform.T
    mapped = Covariances((cov_xx + cov_xx.T) / 2, model.cov_yy, transform @ model.cov_xy)
    # The map's condition of 10 enters the covariance squared.
    tolerance = 100 * model.tolerance
    assert np.abs(coherence(mapped).correlations - model.correlations).max() <= tolerance
    assert np.abs(prediction_operator(mapped).gains - model.gains).max() <= tolerance * model.gains[0]


def test_swapped_exchanges_the_roles(published_model: problems.SpikedPair) -> None:
    other = swapped(published_model)
    assert np.array_equal(other.cov_xx, published_model.cov_yy)
    assert np.array_equal(other.cov_yy, published_model.cov_xx)
    assert np.array_equal(other.cov_xy, published_model.cov_xy.T)
    assert np.abs(coherence(other).correlations - published_model.correlations).max() <= published_model.tolerance
    # Y -> X: kappa² / sqrt(kappa² + gamma_y) and nu sqrt(gamma_tilde_x).
    power = np.array([9.0, 4.0, 2.25])
    expected = np.sort(np.append(power / np.sqrt(power + 0.05), np.full(17, 0.3)))[::-1]
    assert np.abs(prediction_operator(other).gains - expected).max() < 1e-12


def test_canonical_variates_are_what_they_claim(rng: np.random.Generator) -> None:
    X, Y = paired_samples(rng, 500, 6, 4, 2)
    result = coherence(cross_moments(X, Y))
    assert result.weights_x.shape == (6, 4)
    assert result.weights_y.shape == (4, 4)
    variates = np.hstack([X @ result.weights_x, Y @ result.weights_y])
    identity, correlations = np.eye(4), np.diag(result.correlations)
    expected = np.block([[identity, correlations], [correlations, identity]])
    # Covariances of condition below 10 from 500 rows, each entry a sum of 500 products.
    assert np.abs(np.cov(variates.T) - expected).max() <= 40 * 6 * 10 * 500 * problems.U
    assert (np.diff(result.correlations) <= 0).all()


def test_correlations_match_the_qr_algorithm(rng: np.random.Generator) -> None:
    """Björck and Golub (1973): cosines between the column spaces, without a covariance."""
    X, Y = paired_samples(rng, 300, 5, 7, 3)
    bases = [np.linalg.qr(Z - Z.mean(axis=0))[0] for Z in (X, Y)]
    expected = np.linalg.svd(bases[0].T @ bases[1], compute_uv=False)
    assert np.abs(coherence(cross_moments(X, Y)).correlations - expected).max() <= 40 * 7 * 10 * 300 * problems.U


def test_prediction_operator_is_least_squares(rng: np.random.Generator) -> None:
    X, Y = paired_samples(rng, 400, 5, 3, 2)
    result = prediction_operator(cross_moments(X, Y))
    coefficients = np.linalg.lstsq(X - X.mean(axis=0), Y - Y.mean(axis=0), rcond=None)[0]
    full_rank = (result.weights_x * result.gains) @ result.directions_y.T
    tolerance = 40 * 5 * 10 * 400 * problems.U
    assert np.abs(full_rank - coefficients).max() <= tolerance
    assert np.abs(result.directions_y.T @ result.directions_y - np.eye(3)).max() <= tolerance
    assert np.abs(np.cov((X @ result.weights_x).T) - np.eye(3)).max() <= tolerance


def test_repeated_columns_add_no_correlation(rng: np.random.Generator) -> None:
    X, Y = paired_samples(rng, 300, 4, 6, 2)
    unique = coherence(cross_moments(X, Y)).correlations
    repeated = coherence(cross_moments(np.hstack([X, X[:, :3]]), Y)).correlations
    assert np.abs(repeated[:4] - unique).max() < 1e-10
    assert np.abs(repeated[4:]).max() < 1e-6  # null directions are dropped, not inverted
    assert len(repeated) == 6


def test_a_copy_correlates_perfectly_and_never_above_one(rng: np.random.Generator) -> None:
    X, _ = paired_samples(rng, 200, 5, 5, 2)
    correlations = coherence(cross_moments(X, X @ problems.orthogonal(rng, 5))).correlations
    assert (correlations <= 1.0).all()
    assert np.abs(correlations - 1.0).max() <= 40 * 5 * 10 * 200 * problems.U


def test_ridge_shrinks_by_its_formula() -> None:
    """One feature a side: cov_xy / sqrt((cov_xx + ridge)(cov_yy + ridge)) and cov_xy / sqrt(cov_xx + ridge)."""
    pair = Covariances(np.array([[3.0]]), np.array([[8.0]]), np.array([[-2.0]]))
    assert coherence(pair, ridge=1.0).correlations == pytest.approx([2 / 6], rel=8 * problems.U)
    assert prediction_operator(pair, ridge=1.0).gains == pytest.approx([1.0], rel=8 * problems.U)


def test_signs_are_fixed(published_model: problems.SpikedPair) -> None:
    """The largest entry of every column of weights_x is positive, and its partner follows."""
    ca, cp = coherence(published_model), prediction_operator(published_model)
    for weights in (ca.weights_x, cp.weights_x):
        largest = np.take_along_axis(weights, np.abs(weights).argmax(axis=0)[None], axis=0)
        assert (largest > 0).all()
    assert (np.diag(ca.weights_x.T @ published_model.cov_xy @ ca.weights_y) > 0).all()
    assert (np.diag(cp.weights_x.T @ published_model.cov_xy @ cp.directions_y) > 0).all()


@pytest.mark.parametrize(("p", "q"), [(80, 60), (60, 80)])
@pytest.mark.parametrize("k", [1, 12, 40])
def test_leading_components_are_those_of_the_whole_spectrum(rng: np.random.Generator, p: int, q: int, k: int) -> None:
    moments = cross_moments(*paired_samples(rng, 600, p, q, 20))
    whole, leading = coherence(moments), coherence(moments, n_components=k)
    tolerance = 40 * 80 * 100 * 600 * problems.U  # sums of 600 products, covariances of condition below 100
    assert leading.weights_x.shape == (p, k)
    assert leading.weights_y.shape == (q, k)
    assert np.array_equal(leading.matrix, whole.matrix)
    assert np.abs(leading.correlations - whole.correlations[:k]).max() <= tolerance
    variates = np.hstack([leading.weights_x.T @ moments.cov_xy @ leading.weights_y])
    assert np.abs(variates - np.diag(leading.correlations)).max() <= tolerance
    operator, part = prediction_operator(moments), prediction_operator(moments, n_components=k)
    assert part.weights_x.shape == (p, k)
    assert part.directions_y.shape == (q, k)
    assert np.abs(part.gains - operator.gains[:k]).max() <= tolerance * operator.gains[0]
    assert np.abs(part.directions_y.T @ moments.cov_xy.T @ part.weights_x - np.diag(part.gains)).max() <= tolerance * 10


@pytest.mark.parametrize("function", [coherence, prediction_operator])
@pytest.mark.parametrize("n_components", [1, 3, 7])
def test_equal_correlations_are_all_there(function: object, n_components: int) -> None:
    """All correlations .5, then rank 2 of 40: which directions are returned is open, their values are not."""
    identity = np.eye(40)
    found = function(Covariances(identity, identity, 0.5 * identity), n_components=n_components)
    values = found.correlations if function is coherence else found.gains
    assert np.abs(values - 0.5).max() <= 10 * 40 * problems.U
    low_rank = np.zeros((40, 40))
    low_rank[0, 1] = low_rank[1, 0] = 0.25
    found = function(Covariances(identity, identity, low_rank), n_components=n_components)
    values = found.correlations if function is coherence else found.gains
    assert np.abs(values - ([0.25, 0.25] + 5 * [0.0])[:n_components]).max() <= 10 * 40 * problems.U


@pytest.mark.parametrize("function", [coherence, prediction_operator])
@pytest.mark.parametrize(
    ("n_components", "message"),
    [
        (0, "n_components must be at least 1; got 0"),
        (21, "n_components must be at most 20"),
        (1.5, "must be an integer"),
    ],
)
def test_impossible_counts_of_components_are_named(
    published_model: problems.SpikedPair, function: object, n_components: float, message: str
) -> None:
    with pytest.raises((InputValueError, InputTypeError), match=message):
        function(published_model, n_components=n_components)


@pytest.mark.parametrize(
    ("n", "p", "q", "edge"),
    [(153, 50, 50, 0.940), (891, 50, 50, 0.461), (891, 100, 100, 0.632), (5000, 100, 100, 0.280)],
)
def test_bulk_edge_with_ratios_to_n_minus_1(n: int, p: int, q: int, edge: float) -> None:
    """Wachter's right edge to the digits shown; p / n instead of p / (n - 1) would give .938 in the first."""
    assert round(null_correlations(n, p, q).bulk_edge, 3) == edge


@pytest.mark.parametrize(("n", "p", "q"), [(150, 10, 10), (120, 15, 5)])
def test_independent_data_exceed_the_level_in_5_percent(rng: np.random.Generator, n: int, p: int, q: int) -> None:
    n_draws, batch = 2000, 250
    level = null_correlations(n, p, q).level_95
    n_above = 0
    for _ in range(n_draws // batch):
        centred = [z - z.mean(axis=1, keepdims=True) for z in (rng.standard_normal((batch, n, k)) for k in (p, q))]
        left, right = (np.linalg.qr(z)[0] for z in centred)
        top = np.linalg.svd(np.swapaxes(left, 1, 2) @ right, compute_uv=False)[:, 0]
        n_above += int((top > level).sum())
    # Four binomial standard errors, and .01 for the approximation: its error is of order p^(-2/3) (Johnstone 2008).
    assert abs(n_above / n_draws - 0.05) <= 4 * np.sqrt(0.05 * 0.95 / n_draws) + 0.01


def test_null_level_is_symmetric_and_grows_with_features() -> None:
    assert null_correlations(200, 30, 10) == null_correlations(200, 10, 30)
    levels = [null_correlations(200, p, 10).level_95 for p in (1, 5, 20, 80, 180)]
    assert (np.diff(levels) > 0).all()
    assert levels[0] > 0
    assert levels[-1] < 1


@pytest.mark.parametrize("sizes", [(100, 60, 39), (3, 1, 1)])
def test_null_needs_fewer_features_than_rows(sizes: tuple[int, int, int]) -> None:
    with pytest.raises(InputValueError, match=rf"less than n_samples - 1.*got {sizes[1]} \+ {sizes[2]} and {sizes[0]}"):
        null_correlations(*sizes)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((100, 0, 5), "n_features_x must be at least 1; got 0"),
        ((100, 5, 0), "n_features_y must be at least 1; got 0"),
        ((100.5, 1, 1), "n_samples must be an integer"),
    ],
)
def test_null_needs_counts(sizes: tuple[int, int, int], message: str) -> None:
    with pytest.raises((InputValueError, InputTypeError), match=message):
        null_correlations(*sizes)


@pytest.mark.parametrize("function", [coherence, prediction_operator])
def test_bad_ridge_is_named(published_model: problems.SpikedPair, function: object) -> None:
    with pytest.raises(InputValueError, match="ridge must be a finite number >= 0; got -1"):
        function(published_model, ridge=-1.0)
