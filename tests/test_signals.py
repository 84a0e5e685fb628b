"""Which components are signal: the elbow against brute force with polynomial fits, and the permutation rule."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crossphase.signals import exceed_permutations, find_elbow


def line_error(values: np.ndarray) -> float:
    if len(values) < 2:
        return 0.0
    ranks = np.arange(len(values))
    return float(((values - np.polyval(np.polyfit(ranks, values, 1), ranks)) ** 2).sum())


def brute_force_split(values: np.ndarray) -> tuple[int, np.ndarray]:
    errors = np.array([line_error(values[:k]) + line_error(values[k:]) for k in range(1, len(values))])
    return int(errors.argmin()) + 1, errors


def ranked_values(sums: np.ndarray, *, log_transform: bool) -> np.ndarray:
    ranked = np.sort(sums)[::-1]
    return np.log(ranked + max(0.01 * ranked[-1], 1e-12)) if log_transform else ranked


r2_sums = st.lists(st.floats(0.0, 1.0), min_size=2, max_size=30).map(np.array)


@pytest.mark.parametrize("log_transform", [False, True])
@given(sums=r2_sums)
def test_elbow_is_the_best_pair_of_lines(log_transform: bool, sums: np.ndarray) -> None:
    values = ranked_values(sums, log_transform=log_transform)
    assume(len(np.unique(sums)) == len(sums))
    n_signal, errors = brute_force_split(values)
    runners_up = np.delete(errors, n_signal - 1)
    # No ties: the next best split is worse by more than the rounding of the polynomial fits.
    assume(not len(runners_up) or runners_up.min() - errors.min() > 1e-9 * (1 + line_error(values)))
    signal = find_elbow(sums[:, None], log_transform=log_transform)
    assert signal.n_signal == n_signal
    assert set(np.flatnonzero(signal.is_signal)) == set(np.argsort(-sums)[:n_signal])
    assert signal.threshold == np.sort(sums)[::-1][n_signal - 1]
    single = line_error(values)
    if single > 1e-9:
        assert signal.strength == pytest.approx(1 - errors.min() / single, abs=1e-9)


@pytest.mark.parametrize("log_transform", [False, True])
@given(sums=r2_sums)
def test_an_elbow_calls_some_and_never_all_components_signal(log_transform: bool, sums: np.ndarray) -> None:
    signal = find_elbow(sums[:, None], log_transform=log_transform)
    assert (0 if sums.max() <= 0 else 1) <= signal.n_signal <= len(sums) - 1
    assert 0.0 <= signal.strength <= 1.0
    if signal.n_signal:
        assert sums[signal.is_signal].min() >= sums[~signal.is_signal].max()


@pytest.mark.parametrize("log_transform", [False, True])
def test_labels_are_summed(log_transform: bool) -> None:
    r2 = np.array([[0.1, 0.0, 0.02], [0.3, 0.5, 0.1], [0.0, 0.0, 0.05], [0.4, 0.3, 0.15], [0.01, 0.02, 0.0]])
    by_label = find_elbow(r2, log_transform=log_transform)
    summed = find_elbow(r2.sum(axis=1, keepdims=True), log_transform=log_transform)
    assert np.array_equal(by_label.is_signal, summed.is_signal)
    assert by_label.threshold == summed.threshold


def test_a_clear_knee() -> None:
    sums = np.array([0.02, 0.9, 0.01, 0.8, 0.03, 0.7, 0.0])
    signal = find_elbow(sums[:, None], log_transform=False)
    assert np.array_equal(signal.is_signal, sums > 0.5)
    assert signal.strength > 0.95


@pytest.mark.parametrize("log_transform", [False, True])
def test_one_component_is_signal(log_transform: bool) -> None:
    signal = find_elbow(np.array([[0.2, 0.1]]), log_transform=log_transform)
    assert signal.is_signal.tolist() == [True]
    assert signal.threshold == pytest.approx(0.3)
    assert signal.strength == 0.0


@pytest.mark.parametrize("log_transform", [False, True])
def test_no_r2_no_signal(log_transform: bool) -> None:
    signal = find_elbow(np.zeros((8, 3)), log_transform=log_transform)
    assert (signal.n_signal, signal.strength, signal.threshold) == (0, 0.0, 0.0)


@pytest.mark.parametrize(("log_transform", "n_signal"), [(False, 1), (True, 2)])
@pytest.mark.parametrize("n", [20, 35, 50])
def test_one_sum_above_zero(log_transform: bool, n_signal: int, n: int) -> None:
    """Two splits fit exactly; the published code takes the first on sums and the second on logarithms."""
    r2 = np.zeros((n, 1))
    r2[n // 3] = 0.4
    signal = find_elbow(r2, log_transform=log_transform)
    assert signal.n_signal == n_signal
    assert signal.is_signal[n // 3]
    assert signal.strength == pytest.approx(1.0)


def test_equal_sums_are_ranked_last_index_first() -> None:
    """The published code sorts ascending and reverses."""
    signal = find_elbow(np.array([[0.5], [0.5], [0.0], [0.0], [0.01]]), log_transform=False)
    assert signal.is_signal.tolist() == [True, True, False, False, False]
    single = find_elbow(np.array([[0.3], [0.3]]), log_transform=False)
    assert single.is_signal.tolist() == [False, True]


def test_permutation_rule_needs_more_than_the_quantile() -> None:
    """Strictly above the linearly interpolated 95 % quantile of the pooled values, by maximum or by sum."""
    null = np.linspace(0.0, 0.2, 21).reshape(7, 3)  # 95 % lies on the 20th of 21 values: .19
    threshold = np.quantile(null, 0.95)
    above = np.nextafter(threshold, 1)
    r2 = np.array([[threshold, 0.0], [above, 0.0], [0.0, above]])
    assert exceed_permutations(r2, null, np.full((7, 3), 9.0)).is_signal.tolist() == [False, True, True]


def test_permutation_rule_takes_the_maximum_or_the_sum() -> None:
    r2 = np.array([[0.3, 0.0], [0.15, 0.15], [0.15, 0.05], [0.0, 0.0]])
    signal = exceed_permutations(r2, np.full((5, 4), 0.2), np.full((5, 4), 0.25))
    assert signal.is_signal.tolist() == [True, True, False, False]
    assert np.isnan(signal.strength)
    assert np.isnan(signal.threshold)


def test_permutation_quantile_is_interpolated_and_pooled() -> None:
    """Ten values: the 95 % quantile lies .55 of the way between the two largest."""
    null = np.array([[0, 0, 0, 0, 1.0], [0, 0, 0, 0, 2.0]])
    r2 = np.array([[1.549], [1.551], [0.0], [0.0], [0.0]])
    assert exceed_permutations(r2, null, np.full_like(null, 9.0)).is_signal.tolist() == [False, True] + [False] * 3
