"""What one pass kept, diagnosed: against rows in memory, with labels that are missing, sums of low precision, and by files."""

from __future__ import annotations

import dataclasses
import json
import re
import subprocess
import sys
from importlib import resources
from types import SimpleNamespace
from typing import Any

import jsonschema
import numpy as np
import pytest

import crossphase
from crossphase import (
    CrossMoments,
    Diagnosis,
    InputTypeError,
    InputValueError,
    PairState,
    Regime,
    SpikedModel,
    diagnose,
    summarize_pair,
)
from crossphase.diagnosis import inputs
from crossphase.pair import prepare_pair
from crossphase.samples import as_samples
from crossphase.subspace import LabelMoments

pytestmark = pytest.mark.filterwarnings("ignore::crossphase.InputWarning")  # they are in the result, and tested there
SMALL, SAMPLED = 2000, 40_000  # rows: all of them are in the sample, or half


def a_pair(n: int, *, seed: int = 4, **options: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two signals, correlations .84 and .63, and eight nuisance pairs of correlation .3."""
    model = SpikedModel((2.0, 1.2), 0.6, (0.9, 0.8), 1.0, 4.0, 0.6, n_features_x=10, n_features_y=13, rng=3)
    X, Y, signal = model.sample(n, seed, **options)
    return X.astype(np.float32), Y.astype(np.float32), signal


@pytest.fixture(scope="module")
def pair() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return a_pair(SAMPLED)


@pytest.fixture(scope="module")
def state(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> PairState:
    return summarize_pair(*pair)


@pytest.fixture(scope="module")
def in_memory(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Diagnosis:
    return diagnose(*pair)


@pytest.fixture(scope="module")
def from_state(state: PairState) -> Diagnosis:
    return diagnose(state)


def codes_of(diagnosis: Diagnosis) -> list[str]:
    return [warning.code for warning in diagnosis.warnings]


def message_of(diagnosis: Diagnosis, code: str) -> str:
    return next(warning.message for warning in diagnosis.warnings if warning.code == code)


def assert_same_ratios(one: Diagnosis, other: Diagnosis) -> None:
    """Of the same moments and the same simulated draws, with noise estimated on different rows.

    The noise of unequal rows is a mean over thousands of them and differs by a few percent, intervals by half of that: far less
    than a fifth of an interval's half-width, by which estimates may differ.
    """
    assert (one.regime, one.regime_reverse) == (other.regime, other.regime_reverse)
    for operator, counterpart in zip(one.subspace.operators, other.subspace.operators, strict=True):
        assert len(operator.signal) == len(counterpart.signal)
        estimates = [*zip(operator.signal, counterpart.signal, strict=True)]
        for mine, theirs in [*estimates, (operator.largest_nuisance, counterpart.largest_nuisance)]:
            assert abs(mine.value - theirs.value) <= 0.2 * (theirs.high - theirs.low) / 2
        mine, theirs = operator.delta, counterpart.delta
        half_width = np.log(min(theirs.high, 1e3) / theirs.low) / 2
        assert abs(np.log(mine.value / theirs.value)) <= 0.2 * half_width


# Moments of labels ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_partial", [False, True])
def test_label_moments_of_joint_moments_are_those_of_the_rows(is_partial: bool, rng: np.random.Generator) -> None:
    n = 3000
    X, Y = rng.normal(3, 2, (n, 6)), rng.normal(-1, 1, (n, 5))
    X[:, 5] = X[:, 0] - 2 * X[:, 1]  # leaves a basis of five axes
    labels = np.column_stack([X[:, 0] + rng.normal(size=n), rng.integers(0, 2, n)])
    is_labelled = rng.random(n) < 0.3 if is_partial else np.ones(n, dtype=bool)
    labels[~is_labelled] = 0
    columns = np.column_stack([labels, is_labelled]) if is_partial else labels
    moments = CrossMoments(6, 5, columns.shape[1]).update(X, Y, columns)
    prepared = prepare_pair(as_samples(X, "X"), as_samples(Y, "Y"), moments, standardize=True, reduce=(None, 3))
    summed = LabelMoments.from_moments(prepared, moments, 2)
    by_rows = LabelMoments.from_rows(prepared, labels, is_labelled, np.ones(n))
    assert summed.n_labelled == by_rows.n_labelled == is_labelled.sum()
    for name in ("mean", "cov", "cross_x", "cross_y"):
        ours, theirs = getattr(summed, name), getattr(by_rows, name)
        assert ours.shape == theirs.shape
        # Sums of n products of order 10 in float64, in different orders.
        np.testing.assert_allclose(ours, theirs, atol=n * 10 * np.finfo(float).eps)


# Every row in the sample ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["measurements", "some unlabelled", "classes", "none"])
def test_a_state_that_holds_every_row_gives_the_same_bytes_as_the_rows(kind: str) -> None:
    X, Y, signal = a_pair(SMALL)
    labels: Any = {
        "measurements": signal,
        "some unlabelled": np.where(np.arange(SMALL)[:, None] % 3 == 1, np.nan, signal),
        "classes": np.sign(signal).astype(int),
        "none": None,
    }[kind]
    options: dict[str, Any] = {"rng": 5, "standardize": True}
    assert diagnose(summarize_pair(X, Y, labels), **options).to_json() == diagnose(X, Y, labels, **options).to_json()


def test_bfloat16_rows_stay_bfloat16() -> None:
    X, Y, signal = a_pair(SMALL)
    bits = [(values.view(np.uint32) >> 16).astype(np.uint16).view("V2") for values in (X, Y)]
    found = diagnose(summarize_pair(*bits, signal))
    assert (found.dtype_x, found.dtype_y) == ("bfloat16", "bfloat16")
    assert found.to_json() == diagnose(*bits, signal).to_json()


# A sample of the rows -------------------------------------------------------------------------------------------------


def test_ratios_are_those_of_all_rows(in_memory: Diagnosis, from_state: Diagnosis) -> None:
    assert_same_ratios(from_state, in_memory)
    assert from_state.regime is Regime.CA_ONLY or from_state.regime is in_memory.regime
    for name in ("n_samples", "n_labelled", "n_features_x", "dtype_x", "label_columns", "n_classes"):
        assert getattr(from_state, name) == getattr(in_memory, name)
    assert from_state.null_correlations.level_95 == in_memory.null_correlations.level_95
    # The sample's own correlations differ from these by 1 / sqrt(20 000): the moments are those of all rows.
    np.testing.assert_allclose(
        from_state.subspace.alignment.in_sample_signal, in_memory.subspace.alignment.in_sample_signal, atol=1e-3
    )


def test_the_result_says_how_it_was_made(in_memory: Diagnosis, from_state: Diagnosis, state: PairState) -> None:
    assert (in_memory.settings.source, in_memory.settings.n_sample_rows) == ("memory", None)
    settings = from_state.settings
    assert (settings.source, settings.precision, settings.n_sample_rows) == ("one pass", state.precision, 20_000)
    schema = json.loads(resources.files("crossphase.diagnosis").joinpath("schema.json").read_text())
    jsonschema.validate(json.loads(from_state.to_json()), schema)
    assert "rehearsed_on_sample" not in codes_of(in_memory)
    assert "a sample of 20000 of the 40000 rows" in message_of(from_state, "rehearsed_on_sample")
    text = " ".join(str(from_state).split())
    assert f"40000 pairs, 10 + 13 features (float32, float32), 2 label columns; method subspace, summed in one pass "
    f"({state.precision}), with a sample of 20000 rows" in text
    assert (
        from_state.rehearsal.n_samples == from_state.pairing.n_samples == from_state.shared_signal.n_samples == 20_000
    )


def test_many_chunks_of_many_rows_agree_with_memory() -> None:
    model = SpikedModel((2.0, 1.2), 0.6, (0.9, 0.8), 1.0, 4.0, 0.6, n_features_x=20, n_features_y=15, rng=3)
    X, Y, signal = model.sample(300_000, 8)
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    signal[np.random.default_rng(0).random(300_000) < 0.4] = np.nan
    edges = [0, 1000, 70_001, 200_000, 300_000]
    parts = [summarize_pair(X, Y, signal, rows=rows) for rows in zip(edges, edges[1:], strict=False)]
    options: dict[str, Any] = {"rehearse": False, "audit": False}
    found, in_memory = (
        diagnose(parts[2].merge(parts[0], parts[3], parts[1]), **options),
        diagnose(X, Y, signal, **options),
    )
    assert_same_ratios(found, in_memory)
    assert found.n_labelled == in_memory.n_labelled == np.isfinite(signal[:, 0]).sum()
    assert found.subspace.n_effective_labelled == pytest.approx(in_memory.subspace.n_effective_labelled, rel=0.05)


def test_few_labels_among_many_rows_all_count(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, Y, signal = pair
    labels = np.full(signal.shape, np.nan)
    labels[::100] = signal[::100]
    found, in_memory = diagnose(summarize_pair(X, Y, labels)), diagnose(X, Y, labels)
    assert found.n_labelled == 400
    assert found.rehearsal.n_labelled == pytest.approx(200, abs=4 * 200**0.5)  # of the sample
    assert_same_ratios(found, in_memory)


def test_labels_that_no_row_of_the_sample_has(
    state: PairState, pair: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    X, Y, signal = pair
    outside = np.setdiff1d(np.arange(SAMPLED), state.sample.positions)[:500]
    labels = np.full(signal.shape, np.nan)
    labels[outside] = signal[outside]
    found = diagnose(summarize_pair(X, Y, labels))
    assert (found.n_labelled, found.rehearsal) == (500, None)
    assert "0 labelled rows in the sample are too few" in message_of(found, "not_rehearsed")
    assert_same_ratios(found, diagnose(X, Y, labels))


def test_a_class_that_no_row_of_the_sample_has(
    state: PairState, pair: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    X, Y, signal = pair
    classes = (signal[:, 0] > 0).astype(int)
    classes[np.setdiff1d(np.arange(SAMPLED), state.sample.positions)[:300]] = 2
    found = diagnose(summarize_pair(X, Y, classes))
    assert found.n_classes == 3
    assert np.isfinite(found.rehearsal.budgets[-1].scores).all()


def test_without_labels_clusters_of_the_sample_stand_in(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    found = diagnose(summarize_pair(*pair[:2]))
    assert (found.n_samples, found.n_labelled) == (SAMPLED, 20_000)
    assert {"proxy_labels", "unlabelled_rows", "rehearsed_on_sample"} <= set(codes_of(found))
    assert "20000 of 40000 rows have no label" in message_of(found, "unlabelled_rows")


def test_heavy_tails_widen_the_intervals_and_are_told(from_state: Diagnosis) -> None:
    X, Y, signal = a_pair(SAMPLED, degrees_of_freedom=5.0)
    found, in_memory = diagnose(summarize_pair(X, Y, signal)), diagnose(X, Y, signal)
    assert "heavy_tails" in codes_of(in_memory)
    assert not found.subspace.is_reweighted
    assert f"count as {SAMPLED / found.subspace.excess_noise:.0f} equal ones" in message_of(
        found, "heavy_tails_not_reweighted"
    )
    # An elliptical t of 5 degrees of freedom has E w² / (E w)² = 3; the mean over 20 000 rows has heavy tails itself.
    assert 1.5 < found.subspace.excess_noise < 6
    assert found.subspace.n_effective == pytest.approx(SAMPLED / found.subspace.excess_noise, rel=1e-9)
    assert from_state.subspace.n_effective > 0.9 * SAMPLED


def test_rows_are_named_by_their_positions(state: PairState, pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, Y, signal = (values.copy() for values in pair)
    outlier, copied, original = (int(state.sample.positions[place]) for place in (15_000, 9000, 8000))
    X[outlier] += 3000
    Y[copied] = Y[original]
    found = diagnose(summarize_pair(X, Y, signal))
    assert f"row {outlier} alone carries" in message_of(found, "outlying_row")
    assert found.pairing.duplicates.first_y == ((copied, original),)
    assert f"row {copied} repeats row {original}" in message_of(found, "duplicate_rows")


def test_shuffled_rows_show_in_the_sample(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, Y, signal = pair
    shifted = diagnose(summarize_pair(X, np.roll(Y, 1, axis=0), signal), rehearse=False)
    assert shifted.pairing.verdict == "unpaired"
    swapped = Y.copy()
    swapped[10_000:20_000] = Y[10_000:20_000][::-1]
    found = diagnose(summarize_pair(X, swapped, signal), rehearse=False).pairing
    assert found.verdict == "partly_paired"
    starts, stops = zip(*((rows.start, rows.stop) for rows in found.suspicious_rows), strict=True)
    # Runs of 64 rows of the sample, which are spread over 1/64 of the data each.
    assert abs(min(starts) - 10_000) <= SAMPLED / 32
    assert abs(max(stops) - 20_000) <= SAMPLED / 32


def test_options_mean_what_they_mean_in_memory(
    state: PairState, pair: tuple[np.ndarray, np.ndarray, np.ndarray]
) -> None:
    options: dict[str, Any] = {
        "standardize": True,
        "reduce": (6, None),
        "rehearse": False,
        "audit": False,
        "at_use": "x",
    }
    found, in_memory = diagnose(state, **options), diagnose(*pair, **options)
    assert_same_ratios(found, in_memory)
    same = {"standardize", "reduce_x", "reduce_y", "at_use", "seed"}
    assert found.settings.reduce_x == 6
    assert all(getattr(found.settings, name) == getattr(in_memory.settings, name) for name in same)
    assert found.rehearsal is found.pairing is found.shared_signal is None
    assert message_of(found, "rehearsed_on_sample").startswith("The noise of unequal rows is from a sample")
