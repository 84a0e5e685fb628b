"""Inflation, threshold and overlaps of canonical correlations, and the gains' twins, against formulas and simulated samples."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from crossphase import InputTypeError, InputValueError, null_correlations
from crossphase.canonical_theory import (
    correlation_standard_error,
    pairs_needed,
    population_correlation,
    sample_correlation,
    smallest_detectable_correlation,
    variate_overlaps,
)
from crossphase.gain_theory import largest_noise_gain, population_gain, sample_gain

SIZES = [(500, 50, 50), (300, 80, 20), (5000, 100, 100), (100, 1, 3)]


def leading_variates(
    rng: np.random.Generator, n: int, p: int, q: int, rho: float, n_draws: int
) -> tuple[np.ndarray, np.ndarray]:
    """Largest sample correlation, and overlaps of its variates with the true ones, of pairs that share one direction."""
    correlations, overlaps = np.empty(n_draws), np.empty((n_draws, 2))
    for draw in range(n_draws):
        X, Y = rng.standard_normal((n, p)), rng.standard_normal((n, q))
        Y[:, 0] = rho * X[:, 0] + np.sqrt(1 - rho**2) * Y[:, 0]
        (left, r_x), (right, r_y) = (np.linalg.qr(Z - Z.mean(axis=0)) for Z in (X, Y))
        u, values, vt = np.linalg.svd(left.T @ right)
        weights = (np.linalg.solve(r_x, u[:, 0]), np.linalg.solve(r_y, vt[0]))
        correlations[draw] = values[0]
        overlaps[draw] = [abs(w[0]) / np.linalg.norm(w) for w in weights]  # population covariances are the identity
    return correlations, overlaps


@pytest.mark.parametrize("sizes", SIZES)
def test_population_correlation_inverts_sample_correlation(sizes: tuple[int, int, int]) -> None:
    threshold = float(smallest_detectable_correlation(*sizes))
    rho = np.linspace(threshold, 1.0, 30)[1:]
    found = population_correlation(np.minimum(sample_correlation(rho, *sizes), 1.0), *sizes)
    # Near the threshold the map is flat: a rounding of 1e-16 in λ becomes its root in r.
    assert np.abs(found - rho).max() < 1e-7


@pytest.mark.parametrize("sizes", SIZES)
def test_below_the_threshold_is_the_null_bulk(sizes: tuple[int, int, int]) -> None:
    threshold = float(smallest_detectable_correlation(*sizes))
    edge = null_correlations(*sizes).bulk_edge
    assert sample_correlation([0.0, threshold / 2, threshold], *sizes) == pytest.approx(edge, rel=1e-12)
    assert (population_correlation([0.0, 0.5 * edge, 0.999 * edge], *sizes) == 0).all()
    assert np.isinf(correlation_standard_error(0.99 * threshold, *sizes))
    assert np.array_equal(variate_overlaps(0.99 * threshold, *sizes), [0.0, 0.0])


def test_perfect_correlation_stays_perfect() -> None:
    assert sample_correlation(1.0, 300, 40, 20) == pytest.approx(1.0, rel=1e-15)
    assert population_correlation(1.0, 300, 40, 20) == pytest.approx(1.0, rel=1e-15)
    assert correlation_standard_error(1.0, 300, 40, 20) == 0
    assert variate_overlaps(1.0, 300, 40, 20) == (1.0, 1.0)


def test_threshold_is_where_the_formula_says() -> None:
    """Two digits by hand: the fourth power is c1 c2 / ((1 - c1)(1 - c2))."""
    found = smallest_detectable_correlation([500, 1000, 891, 5000], [50, 50, 100, 100], [50, 50, 100, 100])
    assert found.round(2).tolist() == [0.33, 0.23, 0.36, 0.14]


@pytest.mark.parametrize(("n", "p", "q", "rho"), [(400, 40, 40, 0.6), (400, 100, 30, 0.75)])
def test_simulated_samples_follow_the_theory(rng: np.random.Generator, n: int, p: int, q: int, rho: float) -> None:
    n_draws = 60
    correlations, overlaps = leading_variates(rng, n, p, q, rho, n_draws)
    error = float(correlation_standard_error(rho, n, p, q))
    # Four standard errors of a mean of 60. The limits are off by O(1 / n) in a squared correlation: measured 0.6 to 1.5 over n.
    found = population_correlation(correlations, n, p, q)
    slope = 2 * rho  # of the squared correlation
    assert abs(found.mean() - rho) <= 4 * error / np.sqrt(n_draws) + 4 / n / slope
    # A standard deviation from 60 draws errs by 1 / sqrt(2 · 60) = 9 %; four of those.
    assert abs(found.std() / error - 1) <= 4 / np.sqrt(2 * n_draws)
    expected = np.array(variate_overlaps(rho, n, p, q))
    spread = overlaps.std(axis=0)
    assert (np.abs(overlaps.mean(axis=0) - expected) <= 4 * spread / np.sqrt(n_draws) + 4 / n).all()


def test_raw_correlations_would_fail_that_test(rng: np.random.Generator) -> None:
    correlations, _ = leading_variates(rng, 400, 40, 40, 0.6, 5)
    assert correlations.min() - 0.6 > 4 * correlation_standard_error(0.6, 400, 40, 40) / np.sqrt(5)


def test_classical_limits_with_few_features() -> None:
    n, rho = 10**7, np.array([0.2, 0.5, 0.9])
    assert correlation_standard_error(rho, n, 1, 1) == pytest.approx((1 - rho**2) / np.sqrt(n - 1), rel=1e-4)
    # Inflation to first order: (p + q) / n (1 - ρ²) in the square.
    inflated = sample_correlation(rho, n, 3, 5) ** 2 - rho**2
    assert inflated == pytest.approx(8 / (n - 1) * (1 - rho**2), rel=1e-4)


def test_overlaps_rise_from_the_threshold_and_trade_places_with_the_views() -> None:
    n, p, q = 600, 90, 30
    threshold = float(smallest_detectable_correlation(n, p, q))
    rho = threshold + (1 - threshold) * np.array([1e-9, 0.1, 0.3, 0.6, 1.0])
    x, y = variate_overlaps(rho, n, p, q)
    assert (np.diff(x) > 0).all()
    assert x[0] < 1e-3
    assert (x[1:4] < y[1:4]).all()  # more features, more error
    assert np.array_equal(variate_overlaps(rho, n, q, p), (y, x))


@pytest.mark.parametrize(("rho", "p", "q"), [(0.3, 50, 50), (0.05, 768, 512), (1.0, 7, 3), (0.9, 1, 1)])
def test_pairs_needed_is_the_first_that_shows(rho: float, p: int, q: int) -> None:
    n = int(pairs_needed(rho, p, q))
    assert smallest_detectable_correlation(n, p, q) < rho
    if n - 1 > p + q + 1:  # else fewer rows than features
        assert smallest_detectable_correlation(n - 1, p, q) >= rho


@pytest.mark.parametrize("overlap", [0.1, 0.5, 0.9, 0.99])
def test_pairs_needed_reach_the_overlap(overlap: float) -> None:
    rho, p, q = np.array([0.1, 0.3, 0.8]), np.array([[20], [200]]), 60
    n = pairs_needed(rho, p, q, overlap=overlap)
    assert n.shape == (2, 3)
    reached = np.minimum(*variate_overlaps(rho, n, p, q))
    short = np.minimum(*variate_overlaps(rho, n - 2, p, q))
    assert (reached >= overlap).all()
    assert (short < overlap).all()
    assert (pairs_needed(rho, p, q) <= n).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: sample_correlation(1.2, 100, 5, 5), r"correlation must be finite and >= 0 and <= 1; got .* = 1.2"),
        (lambda: population_correlation([0.5, np.nan], 100, 5, 5), r"sample\[1\] = nan"),
        (lambda: sample_correlation(0.5, 100, 60, 39), r"less than n_samples - 1; got 60 \+ 39 and 100"),
        (lambda: sample_correlation(0.5, 100, 0, 5), "n_features_x must be finite and >= 1"),
        (lambda: sample_correlation([0.5, 0.6], [100, 200, 300], 5, 5), "shapes that broadcast"),
        (lambda: pairs_needed(0.0, 5, 5), "correlation must be large enough for 2.60 pairs to show it; got 0"),
        (lambda: pairs_needed(0.5, 5, 5, overlap=1.0), "overlap must be a finite number >= 0 and < 1"),
        (lambda: population_gain(-1.0, 1.0, 100, 5, 5), "sample must be finite and >= 0"),
        (lambda: sample_gain(1.0, 1.0, 1, 5, 5), "n_samples must be at least 2"),
    ],
)
def test_bad_input_is_named(call: Callable[[], object], message: str) -> None:
    with pytest.raises(InputValueError, match=message):
        call()


def test_sizes_are_whole_numbers() -> None:
    with pytest.raises(InputTypeError, match=r"n_features_y must be whole numbers; got 2\.5"):
        sample_correlation(0.5, 100, 5, 2.5)


@pytest.mark.parametrize(("n", "p", "q"), [(500, 60, 60), (500, 20, 100)])
def test_simulated_gains_follow_the_theory(rng: np.random.Generator, n: int, p: int, q: int) -> None:
    gain, noise, n_draws = 1.2, 1.5, 40
    top = np.empty(n_draws)
    for draw in range(n_draws):
        X = rng.standard_normal((n, p))
        Y = noise * rng.standard_normal((n, q))
        Y[:, 0] += gain * X[:, 0]
        Xc, Yc = X - X.mean(axis=0), Y - Y.mean(axis=0)
        top[draw] = np.linalg.norm(Yc.T @ np.linalg.qr(Xc)[0], 2) / np.sqrt(n - 1)
    # Four standard errors of the mean, and twice the gain over n for the limit.
    assert abs(top.mean() - sample_gain(gain, noise, n, p, q)) <= 4 * top.std() / np.sqrt(n_draws) + 2 * gain / n
    found = population_gain(top, noise, n, p, q)
    assert abs(found.mean() - gain) <= 4 * found.std() / np.sqrt(n_draws) + 2 * gain / n


def test_gain_map_inverts_and_ends_at_the_noise() -> None:
    n, p, q, noise = 1000, 80, 40, 3.0
    edge = float(largest_noise_gain(noise, n, p, q))
    assert edge == pytest.approx(noise * (np.sqrt(p) + np.sqrt(q)) / np.sqrt(n - 1), rel=1e-14)
    assert sample_gain(0.0, noise, n, p, q) == pytest.approx(edge, rel=1e-12)
    assert population_gain(0.999 * edge, noise, n, p, q) == 0
    gains = np.linspace(1.0, 9.0, 20)
    assert population_gain(sample_gain(gains, noise, n, p, q), noise, n, p, q) == pytest.approx(gains, rel=1e-9)
    assert sample_gain([0.0, 2.0], 0.0, n, p, q).tolist() == [0.0, 2.0]
    # Units: scaling the target scales everything.
    assert population_gain(2.0e-150, 1e-150, n, p, q) == pytest.approx(1e-150 * population_gain(2.0, 1.0, n, p, q))
