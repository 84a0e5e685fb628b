"""Null laws of canonical roots: the Tracy-Widom law's known quantiles, and tests whose false alarms are counted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from crossphase import InputTypeError, InputValueError, cross_moments, null_correlations
from crossphase.canonical_tests import canonical_tests, canonical_tests_of, largest_root_level
from crossphase.tracy_widom import tracy_widom_survival


def null_correlation_draws(rng: np.random.Generator, n: int, p: int, q: int, n_draws: int) -> np.ndarray:
    """Canonical correlations of independent Gaussian pairs, (n_draws, min(p, q))."""
    views = (rng.standard_normal((n_draws, n, k)) for k in (p, q))
    left, right = (np.linalg.qr(view - view.mean(axis=1, keepdims=True))[0] for view in views)
    return np.minimum(np.linalg.svd(np.swapaxes(left, 1, 2) @ right, compute_uv=False), 1.0)


@pytest.mark.parametrize(
    ("x", "probability"),
    [(-3.8954, 0.01), (-3.1804, 0.05), (-2.7824, 0.1), (-1.2686, 0.5), (0.4501, 0.9), (0.9793, 0.95), (2.0234, 0.99)],
)
def test_tracy_widom_quantiles(x: float, probability: float) -> None:
    """Table of Johnstone (2008), four decimals: their rounding moves the probability by at most 5e-5 times the density, 0.32."""
    assert abs(1 - tracy_widom_survival(x) - probability) <= 5e-5 * 0.32


def test_tracy_widom_mean_and_variance() -> None:
    """Mean -1.2065335746 and variance 1.6077810346 (Bornemann 2010), by integration of the survival function."""
    step = 0.01
    above, below = np.arange(0, 12, step), np.arange(-9.5, step / 2, step)  # both hold 0
    survival, distribution = tracy_widom_survival(above), 1 - tracy_widom_survival(below)
    mean = np.trapezoid(survival, above) - np.trapezoid(distribution, below)
    square = 2 * np.trapezoid(above * survival, above) - 2 * np.trapezoid(below * distribution, below)
    # Trapezoids err by step² / 12 times the change of slope, below 1 for the mean and 2 for the square: 8e-6 and 2e-5.
    assert mean == pytest.approx(-1.2065335746, abs=1e-5)
    assert square - mean**2 == pytest.approx(1.6077810346, abs=5e-5)


def test_tracy_widom_tails_are_probabilities() -> None:
    survival = tracy_widom_survival([-1e9, -11.0, -5.0, 0.0, 5.0, 20.0, 1e9])
    assert (np.diff(survival) <= 0).all()
    assert survival[0] == 1
    assert survival[-1] == 0
    # Leading order of the right tail: half the integral of Ai, exp(-2/3 x^1.5) / (4 sqrt(π) x^(3/4)) to a factor 1 - O(x^-1.5).
    assert survival[5] == pytest.approx(np.exp(-(20**1.5) * 2 / 3) / (4 * np.sqrt(np.pi) * 20**0.75), rel=2 / 20**1.5)
    assert tracy_widom_survival(0.3).shape == ()


@pytest.mark.parametrize(("n", "p", "q"), [(120, 12, 8), (60, 1, 5), (80, 30, 6)])
def test_false_alarms_are_as_announced(rng: np.random.Generator, n: int, p: int, q: int) -> None:
    n_draws = 800
    draws = null_correlation_draws(rng, n, p, q, n_draws)
    tests = [canonical_tests(correlations, n, p, q) for correlations in draws]
    # Four binomial standard errors, and .01 for the approximations (Johnstone 2008; Rao's F is closer).
    bound = 4 * np.sqrt(0.05 * 0.95 / n_draws) + 0.01
    for p_values in ([t.largest_root[0] for t in tests], [t.wilks[0] for t in tests]):
        assert abs(np.mean(np.array(p_values) <= 0.05) - 0.05) <= bound


def test_later_steps_do_not_find_too_much(rng: np.random.Generator) -> None:
    """Two strong shared directions: a third is found in at most 5 % of samples."""
    n, p, q, n_draws = 150, 8, 6, 400
    found = []
    for _ in range(n_draws):
        X, Y = rng.standard_normal((n, p)), rng.standard_normal((n, q))
        Y[:, :2] = 0.9 * X[:, :2] + 0.4 * Y[:, :2]
        found.append(canonical_tests_of(cross_moments(X, Y, n_threads=1), n).largest_root)
    found = np.array(found)
    assert (found[:, 1] <= 0.05).all()
    assert np.mean(found[:, 2] <= 0.05) <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / n_draws)


def test_a_step_is_the_test_of_what_remains() -> None:
    """With one direction gone from both views and from the rows."""
    correlations = np.array([0.95, 0.5, 0.3, 0.1])
    whole, rest = canonical_tests(correlations, 100, 4, 9), canonical_tests(correlations[1:], 99, 3, 8)
    assert np.array_equal(whole.largest_root[1:], rest.largest_root)
    assert whole.wilks[1:] == pytest.approx(rest.wilks, rel=1e-12)


def test_one_feature_is_the_f_test(rng: np.random.Generator) -> None:
    """With one feature in Y both statistics are the F-test of multiple regression."""
    n, p = 50, 4
    X, Y = rng.standard_normal((n, p)), rng.standard_normal((n, 1))
    tests = canonical_tests_of(cross_moments(X, Y), n)
    square = tests.correlations[0] ** 2
    expected = stats.f.sf(square / p / ((1 - square) / (n - 1 - p)), p, n - 1 - p)
    assert tests.largest_root[0] == pytest.approx(expected, rel=1e-9)
    assert tests.wilks[0] == pytest.approx(expected, rel=1e-9)


def test_level_of_null_correlations_has_its_p_value() -> None:
    level = null_correlations(400, 30, 20).level_95
    correlations = np.zeros(20)
    correlations[0] = level
    # .9793 is the 95 % point to four decimals.
    assert canonical_tests(correlations, 400, 30, 20).largest_root[0] == pytest.approx(0.05, abs=5e-5 * 0.32)


@pytest.mark.parametrize(("n", "p", "q"), [(400, 30, 20), (60, 1, 5), (60, 5, 1)])
@pytest.mark.parametrize("level", [0.3, 0.05, 0.001])
def test_level_is_where_the_p_value_is(n: int, p: int, q: int, level: float) -> None:
    correlations = np.zeros(min(p, q))
    correlations[0] = largest_root_level(level, n, p, q)
    # A point found to 1e-9 moves the probability by at most as much times the density, below 1.
    assert canonical_tests(correlations, n, p, q).largest_root[0] == pytest.approx(level, abs=1e-8)


def test_p_values_never_decrease_and_extremes_are_safe() -> None:
    correlations = np.array([1.0, 1.0, 0.9, 0.2, 0.19, 0.0])
    tests = canonical_tests(correlations, 100, 6, 10)
    for p_values in (tests.largest_root, tests.wilks):
        assert (np.diff(p_values) >= 0).all()
        assert (p_values[:2] == 0).all()
        assert np.isfinite(p_values).all()
        assert p_values[2] < 1e-6
        assert p_values[-1] > 0.5


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([0.5, 0.4], 100, 2, 98), InputValueError, r"less than n_samples - 1; got 2 \+ 98 and 100"),
        (([0.5, 0.4], 100, 3, 4), InputValueError, r"correlations must have shape \(3,\)"),
        (([0.4, 0.5], 100, 2, 4), InputValueError, "descending order"),
        (([1.5, 0.5], 100, 2, 4), InputValueError, r"correlations\[0\] = 1.5"),
        (([0.5], 100.0, 1, 4), InputTypeError, "n_samples must be an integer"),
    ],
)
def test_bad_input_is_named(arguments: tuple[object, ...], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        canonical_tests(*arguments)
