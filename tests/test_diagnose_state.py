"""What one pass kept, diagnosed: against rows in memory, with labels that are missing, sums of low precision, and by files."""

from __future__ import annotations

import dataclasses
import itertools
import json
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path
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
    coherence,
    diagnose,
    summarize_pair,
)
from crossphase.diagnosis import inputs, text
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
    classes = np.eye(3)[rng.integers(0, 3, n)]  # which sum to 1
    labels = np.column_stack([X[:, 0] + rng.normal(size=n), classes])
    is_labelled = rng.random(n) < 0.3 if is_partial else np.ones(n, dtype=bool)
    labels[~is_labelled] = 0
    columns = np.column_stack([labels, is_labelled]) if is_partial else labels
    moments = CrossMoments(6, 5, columns.shape[1]).update(X, Y, columns)
    prepared = prepare_pair(as_samples(X, "X"), as_samples(Y, "Y"), moments, standardize=True, reduce=(None, 3))
    summed = LabelMoments.from_moments(prepared, moments, 4)
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
    how = f"summed in one pass ({state.precision}), with a sample of 20000 rows"
    assert f"40000 pairs, 10 + 13 features (float32, float32), 2 label columns; method subspace, {how}" in text
    assert (
        from_state.rehearsal.n_samples == from_state.pairing.n_samples == from_state.shared_signal.n_samples == 20_000
    )


def test_many_chunks_of_many_rows_agree_with_memory() -> None:
    model = SpikedModel((2.0, 1.2), 0.6, (0.9, 0.8), 1.0, 4.0, 0.6, n_features_x=20, n_features_y=15, rng=3)
    X, Y, signal = model.sample(300_000, 8)
    X, Y = X.astype(np.float32), Y.astype(np.float32)
    signal[np.random.default_rng(0).random(300_000) < 0.4] = np.nan
    edges = [0, 1000, 70_001, 200_000, 300_000]
    parts = [summarize_pair(X, Y, signal, rows=rows) for rows in itertools.pairwise(edges)]
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


@pytest.mark.parametrize("size", [1e5, 1e6])
@pytest.mark.parametrize("precision", ["f32", "bf16x3", "bf16"])
def test_an_outlying_row_that_the_sample_missed_is_told_and_feigns_nothing(precision: str, size: float) -> None:
    rng = np.random.default_rng(3)
    n, missed = 24_000, 0
    X, Y = (rng.normal(size=(n, 12)).astype(np.float32) for _ in range(2))
    X[missed], Y[missed] = size * X[missed], size * Y[missed]
    state = summarize_pair(X, Y, rng.normal(size=n), precision=precision)
    assert missed not in state.sample.positions
    found = diagnose(state, rehearse=False, audit=False)
    message = message_of(found, "outlying_rows_unsampled")
    assert message.startswith("X: 100% of the variance (columns scaled to unit variance) is of outlying rows that")
    assert codes_of(found).count("outlying_rows_unsampled") == 2
    # That row is one shared direction; what is beside it is chance, of independent views.
    prepared = prepare_pair(
        as_samples(state.sample.X, "X"),
        as_samples(state.sample.Y, "Y"),
        state.moments,
        standardize=False,
        reduce=(None, None),
    )
    null = crossphase.null_correlations(n, 12, 12).level_95
    correlations = coherence(prepared.covariances, rcond=0.0).correlations
    assert correlations[0] > 0.99
    assert (correlations[1:] < 2 * null).all()


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


# Precision ------------------------------------------------------------------------------------------------------------


def rounded_to_bfloat16(values: np.ndarray) -> np.ndarray:
    """To nearest, of float32 values that are far from overflow."""
    bits = values.astype(np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).view(np.float32).astype(np.float64)


def moments_of_low_precision(columns: np.ndarray, widths: tuple[int, int, int], precision: str) -> Any:
    """Moments with the errors that sums of that precision have: of rounded rows, or of so much in every entry; exact squares."""
    exact = np.cov(columns, rowvar=False)
    if precision == "bf16":
        cov = np.cov(rounded_to_bfloat16(columns - columns.mean(axis=0)), rowvar=False)
    else:
        error = {"bf16x6": 1.6e-10, "f32": 1.2e-8, "bf16x3": 1.3e-7}[precision]
        noise = np.triu(np.random.default_rng(0).uniform(-error, error, exact.shape), 1)
        cov = exact + (noise + noise.T) * np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
    np.fill_diagonal(cov, np.diag(exact))
    mean = columns.mean(axis=0)
    x, y, labels = (slice(stop - width, stop) for width, stop in zip(widths, np.cumsum(widths), strict=True))
    return SimpleNamespace(
        n_samples=len(columns),
        n_labels=widths[2],
        row_ranges=[(0, len(columns))],
        backend="cpu",
        precision=precision,
        **{f"mean_{name}": mean[part] for name, part in (("x", x), ("y", y), ("labels", labels))},
        **{
            f"cov_{name}": cov[rows, cols]
            for name, rows, cols in (
                *(("xx", x, x), ("yy", y, y), ("xy", x, y)),
                *(("xl", x, labels), ("yl", y, labels), ("ll", labels, labels)),
            )
        },
    )


@pytest.mark.parametrize("is_modelled", [False, True])
@pytest.mark.parametrize("precision", ["bf16x6", "f32", "bf16x3", "bf16"])
def test_repeated_columns_feign_no_correlation_in_low_precision(precision: str, is_modelled: bool) -> None:
    rng = np.random.default_rng(1)
    n, rank = 30_000, 12
    views = []
    for _ in range(2):
        own = rng.normal(size=(n, rank)).astype(np.float32)
        views.append(np.hstack([own, own[:, 6:], own[:, :6] @ rng.normal(size=(6, 6)).astype(np.float32)]))
    label = views[0][:, 0].astype(float) + rng.normal(size=n)
    state = summarize_pair(*views, label, precision=precision)
    if is_modelled:  # the largest errors that sums of this precision may have, not those that they happen to have here
        encoded = crossphase.encode_labels(label).values
        moments = moments_of_low_precision(np.hstack([*views, encoded]), (24, 24, 1), precision)
        state = dataclasses.replace(state, moments=moments)
    found = diagnose(state, rehearse=False, audit=False)
    assert found.settings.precision == precision
    # Independent views of rank 12: the largest correlation is above the 95 % level in one sample of twenty, and twice it never.
    null = crossphase.null_correlations(n, rank, rank).level_95
    assert max(found.subspace.alignment.in_sample_nuisance[0], *found.subspace.alignment.in_sample_signal) < 2 * null
    sentence = (
        f"24 columns span only {rank} directions; the rest repeat others, as far as sums in {precision} tell, and were"
    )
    assert sentence in message_of(found, "rank_deficient")


@pytest.mark.parametrize("precision", ["bf16x6", "f32", "bf16x3"])
def test_classes_feign_no_direction_in_low_precision(precision: str) -> None:
    """Of a billion rows, whose views and classes are exactly uncorrelated: only errors of the sums are left to be found."""
    rng = np.random.default_rng(2)
    n = 30_000
    classes = rng.integers(0, 6, n)
    classes[:100] = 6
    encoded = crossphase.encode_labels(classes).values
    # In the coordinates of an orthonormal basis: first the classes, whose sum is the constant, then both views.
    rows = np.linalg.qr(np.hstack([encoded, rng.normal(size=(n, 16))]))[0][:, 7:] * np.sqrt(n)
    state = summarize_pair(rows[:, :8], rows[:, 8:], classes)
    moments = moments_of_low_precision(np.hstack([rows, encoded]), (8, 8, 7), precision)
    moments.n_samples = 10**9
    found = diagnose(dataclasses.replace(state, moments=moments), rehearse=False, audit=False).subspace
    # The next test of a direction would find the errors themselves, e² n in the square, if these were not far below 1.
    assert found.n_directions == 0


# What is refused ------------------------------------------------------------------------------------------------------

BESIDE_A_STATE: dict[str, tuple[dict[str, Any], type[Exception], str]] = {
    "method": (
        {"method": "components"},
        InputValueError,
        'method="components" goes over the rows many times, not once: ',
    ),
    "groups": ({"groups": np.arange(SAMPLED) // 2}, InputValueError, "groups need the rows of each together"),
    "nuisance_labels": (
        {"nuisance_labels": np.arange(SAMPLED) % 2},
        InputValueError,
        "nuisance_labels are taken out of",
    ),
    "ids": (
        {"ids": (np.arange(SAMPLED),) * 2},
        InputTypeError,
        "ids match rows before they are summed: make the state with",
    ),
    "labels": ({"labels": np.arange(SAMPLED) % 2}, InputTypeError, "labels are part of it: make it with them"),
    "Y": ({"Y": np.ones((3, 3))}, InputTypeError, "Y must be left out"),
    "Y, a state": ({"Y": ...}, InputTypeError, "states of parts are merged first (PairState.merge)"),
    "checkpoint": ({"checkpoint": "x.safetensors"}, InputTypeError, "checkpoint must be left out"),
    "precision": ({"precision": "auto"}, InputTypeError, "precision must be left out"),
}


@pytest.mark.parametrize("given", BESIDE_A_STATE)
def test_what_a_state_cannot_tell_is_refused(state: PairState, given: str) -> None:
    options, error, sentence = BESIDE_A_STATE[given]
    if options.get("Y") is ...:
        options = {"Y": state}
    with pytest.raises(error, match=re.escape(sentence)) as caught:
        diagnose(state, **options)
    if error is InputValueError:
        assert str(caught.value).endswith("diagnose the rows themselves, not their state.")


def test_what_is_no_state_is_refused(tmp_path: Any, state: PairState) -> None:
    path = tmp_path / "state.safetensors"
    state.save(path)
    damaged = bytearray(path.read_bytes())
    damaged[-1000] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(InputValueError, match="damaged"):
        diagnose(path)
    with pytest.raises(FileNotFoundError, match=r"nothing\.safetensors"):
        diagnose(tmp_path / "nothing.safetensors")


def test_parts_of_a_data_set_are_diagnosed_with_a_warning(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, Y, signal = pair
    part = summarize_pair(X, Y, signal, rows=(0, 900)).merge(summarize_pair(X, Y, signal, rows=(1000, 30_000)))
    with pytest.warns(
        crossphase.InputWarning, match="holds 29900 of the 40000 rows.*rows 900 to 999, 30000 to 39999 are"
    ):
        found = diagnose(part, rehearse=False, audit=False)
    assert (found.n_samples, codes_of(found)[0]) == (29_900, "rows_missing")
    classes = np.sign(signal).astype(int)
    small = diagnose(summarize_pair(X, Y, classes, rows=(500, 2500)))
    assert (small.settings.source, codes_of(small)[0]) == ("memory", "rows_missing")
    assert small.delta_ca == diagnose(X[500:2500], Y[500:2500], classes[500:2500]).delta_ca


def test_rows_seen_without_any_label_are_refused(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    X, Y, signal = pair
    signal = signal.copy()
    signal[: SAMPLED - 100] = np.nan
    for stop in (SMALL, 30_000):
        with pytest.raises(
            InputValueError, match=f"none of the state's {stop} rows has a label; 100 of the data set's"
        ):
            diagnose(summarize_pair(X, Y, signal, rows=(0, stop)))


# Files ----------------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path: Any, pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> Any:
    for name, values in zip(("x", "y", "labels"), pair, strict=True):
        np.save(tmp_path / f"{name}.npy", values)
    np.savez(tmp_path / "both.npz", X=pair[0], Y=pair[1])
    return tmp_path


@pytest.fixture
def little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "IN_MEMORY_BYTES", 2**20)


def test_small_files_of_any_format_are_read_into_memory(files: Any, in_memory: Diagnosis) -> None:
    container = files / "both.npz"
    found = diagnose(f"{container}::X", f"{container}::Y", files / "labels.npy")
    assert found.to_json() == in_memory.to_json()


def test_large_files_are_read_once(
    files: Any,
    state: PairState,
    from_state: Diagnosis,
    little_memory: None,
    pair: tuple[np.ndarray, np.ndarray, np.ndarray],
) -> None:
    container = files / "both.npz"
    steps = []
    found = diagnose(files / "x.npy", f"{container}::Y", files / "labels.npy", progress=steps.append)
    assert found.to_json() == from_state.to_json()
    assert (steps[-1].done_rows, steps[-1].total_rows) == (SAMPLED, SAMPLED)
    mapped = [np.load(files / name, mmap_mode="r") for name in ("x.npy", "y.npy")]
    assert diagnose(*mapped, pair[2]).to_json() == from_state.to_json()
    assert diagnose(*pair).settings.source == "memory"  # where the rows are already
    state.save(files / "kept.safetensors")
    assert diagnose(str(files / "kept.safetensors")).to_json() == from_state.to_json()


def test_large_files_whose_rows_are_needed_are_mapped_or_refused(files: Any, little_memory: None) -> None:
    given = {"groups": np.arange(SAMPLED) // 2, "rehearse": False, "audit": False}
    found = diagnose(files / "x.npy", files / "y.npy", files / "labels.npy", **given)
    assert (found.settings.source, found.settings.has_groups) == ("memory", True)
    with pytest.raises(
        InputValueError, match=r"groups need the rows.*X and Y hold 0\.0 GiB, so save them as \.npy files"
    ):
        diagnose(files / "x.npy", f"{files / 'both.npz'}::Y", files / "labels.npy", **given)
    with pytest.raises(InputValueError, match=r"groups need the rows.*: leave checkpoint out"):
        diagnose(files / "x.npy", files / "y.npy", files / "labels.npy", checkpoint=files / "c.safetensors", **given)


def test_options_of_the_pass_need_one(pair: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    with pytest.raises(
        InputValueError, match=r'at most 1 GiB, and are summed in "f64"\. Leave it out, or pass checkpoint='
    ):
        diagnose(*pair, precision="auto")
    with pytest.raises(
        InputValueError, match=r"checkpoint is of two views; got a mapping\. Diagnose one pair at a time"
    ):
        diagnose({"a": pair[0], "b": pair[1]}, pair[2], checkpoint="c.safetensors")


def test_rows_of_large_files_are_matched_by_name(files: Any, in_memory: Diagnosis, little_memory: None) -> None:
    order = np.random.default_rng(0).permutation(SAMPLED)
    np.save(files / "y.npy", np.load(files / "y.npy")[order])
    found = diagnose(files / "x.npy", files / "y.npy", files / "labels.npy", ids=(np.arange(SAMPLED), order))
    assert found.settings.source == "one pass"
    assert_same_ratios(found, in_memory)


def test_several_large_views(files: Any, from_state: Diagnosis, little_memory: None) -> None:
    views = {"a": files / "x.npy", "b": f"{files / 'both.npz'}::Y"}
    assert diagnose(views, files / "labels.npy").pairs["a", "b"].to_json() == from_state.to_json()


def test_an_interrupted_pass_goes_on_to_the_same_bytes(files: Any, from_state: Diagnosis) -> None:
    checkpoint = files / "kept.safetensors"
    given = [files / "x.npy", files / "y.npy", files / "labels.npy"]

    def interrupt(step: Any) -> None:
        if step.done_rows > SAMPLED // 2:
            raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crossphase.summarize._GRID_ROWS", 1024)
        patch.setattr("crossphase.summarize._MOST_BLOCK_BYTES", 2**18)
        every_block = crossphase.summarize_pair
        patch.setattr(
            "crossphase.diagnosis.run.summarize_pair",
            lambda *views, **options: every_block(*views, **options, checkpoint_every_s=0.0),
        )
        with pytest.raises(KeyboardInterrupt):
            diagnose(*given, checkpoint=checkpoint, progress=interrupt)
    half = PairState.load(checkpoint)
    assert 0 < half.n_samples < SAMPLED
    resumed: list[int] = []
    found = diagnose(*given, checkpoint=checkpoint, progress=lambda step: resumed.append(step.done_rows))
    assert resumed[0] > half.n_samples
    assert found.to_json() == from_state.to_json()
    again = diagnose(*given, checkpoint=checkpoint, progress=lambda step: resumed.append(-1))
    assert resumed[-1] == SAMPLED  # nothing was read again
    assert again.to_json() == from_state.to_json()


def test_dask_arrays_are_summed_by_their_workers(
    pair: tuple[np.ndarray, np.ndarray, np.ndarray], from_state: Diagnosis
) -> None:
    array = pytest.importorskip("dask.array")
    X, Y, signal = pair
    lazy = array.from_array(X, chunks=(7000, 5)), array.from_array(Y, chunks=(9000, 13))
    assert diagnose(*lazy, signal).to_json() == from_state.to_json()
    assert diagnose(lazy[0], Y, signal).to_json() == from_state.to_json()
    small = diagnose(lazy[0][:SMALL], lazy[1][:SMALL], signal[:SMALL], rehearse=False)
    assert small.to_json() == diagnose(X[:SMALL], Y[:SMALL], signal[:SMALL], rehearse=False).to_json()
    for option, value in (
        ("ids", (np.arange(SAMPLED),) * 2),
        ("checkpoint", "c.safetensors"),
        ("progress", print),
        ("backend", "reference"),
    ):
        with pytest.raises(
            InputValueError, match=f"{option}.* cannot be used with dask arrays; leave it out, or compute"
        ):
            diagnose(*lazy, signal, **{option: value})
    with pytest.raises(InputValueError, match=r"groups need the rows.*: compute the dask arrays first"):
        diagnose(*lazy, signal, groups=np.arange(SAMPLED) // 2)


OUT_OF_CORE = """
import re
from pathlib import Path
import numpy as np
import crossphase
from crossphase.diagnosis import inputs, text

def peak():  # of resident memory, bytes; getrusage would count what the parent had before exec
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

inputs.IN_MEMORY_BYTES = 2**20
rng = np.random.default_rng(0)
small = [rng.normal(size=(3000, 64)).astype("f4") for _ in range(2)]
crossphase.diagnose(*small, small[0][:, 0].astype(float))  # all that a diagnosis imports
before = peak()
found = crossphase.diagnose("x.npy", "y.npy", "labels.npy", n_threads=1)
assert found.settings.source == "one pass"
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_rows(tmp_path: Any) -> None:
    """Sparse files of 400 MB: 800 000 rows of 64 + 64 features, most of them 0."""
    n, width = 800_000, 64
    rng = np.random.default_rng(0)
    signal = np.zeros(n)
    for name in ("x", "y"):
        values = np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", np.float32, (n, width))
        for first in range(0, n, 8000):
            values[first : first + 80] = rng.normal(size=(80, width))
            signal[first : first + 80] += values[first : first + 80, 0]
        values.flush()
        del values
    np.save(tmp_path / "labels.npy", signal)
    done = subprocess.run(
        [sys.executable, "-c", OUT_OF_CORE], cwd=tmp_path, capture_output=True, text=True, timeout=300, check=True
    )
    # Half of it is the sample of 20 000 rows, as given (10 MB) and in float64 for what is made of it (some 20 MB a piece); the
    # files have 400 MB.
    assert int(done.stdout) < 100e6


def test_columns_of_the_table_stay_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ratios of many rows are small, and take eight signs where they are below 0.001."""
    result = diagnose(*a_pair(400), rehearse=False, audit=False)
    monkeypatch.setattr(text, "number", lambda value: "0.000342")
    rows = [line for line in str(result).splitlines() if line[:1] in ("✓", "✗", "≈")]
    assert len(rows) == 3
    for row in rows:
        assert re.search(r"\S +0\.000342 +0\.000342 to 0\.000342 +\S", row), row
        assert len(row) <= text.WIDTH
