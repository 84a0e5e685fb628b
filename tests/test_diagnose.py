"""The published procedure from end to end: what ``diagnose(..., method="components")`` finds, warns of, prints and draws."""

import dataclasses
import json
import re
import warnings
from functools import partial
from importlib import resources

import jsonschema
import numpy as np
import pytest

import crossphase
from crossphase.diagnosis import Objective
from crossphase.regimes import Regime

diagnose = partial(crossphase.diagnose, method="components")


@pytest.fixture(scope="module")
def spiked():
    """Two strong shared directions that are the labels, independent nuisance of larger variance in Y."""
    rng = np.random.default_rng(7)
    n, k = 800, 2
    shared = rng.normal(size=(n, k)) * 2
    X = np.hstack([shared + 0.5 * rng.normal(size=(n, k)), rng.normal(size=(n, 8))])
    Y = np.hstack([shared + 0.5 * rng.normal(size=(n, k)), rng.normal(size=(n, 6))])
    return X, Y, shared


@pytest.fixture(scope="module")
def result(spiked):
    return diagnose(*spiked)


def test_population_values_are_found(result):
    """κ² = 4, γ = 1/4: ρ = 4 / 4.25; independent nuisance, so every ratio is well above 1."""
    assert result.regime is Regime.BOTH
    assert result.regime_reverse is Regime.BOTH
    assert (result.n_recovered_ca, result.n_recovered_cp, result.n_recovered_cp_reverse) == (2, 2, 2)
    # Four standard errors of a correlation at n = 800: 4 (1 - ρ²) / sqrt(n) = .016.
    np.testing.assert_allclose(result.components.cca.spectrum[:2], 4 / 4.25, atol=0.016)
    assert result.recommendation.objective in (Objective.ALIGN, Objective.PREDICT_Y_FROM_X, Objective.PREDICT_X_FROM_Y)


def test_nuisance_shared_by_both_views_defeats_alignment():
    """ν = .99 against ρ = .5: the shared nuisance comes first in the coherence, and its large variance in the gains."""
    rng = np.random.default_rng(3)
    n = 2000
    signal, nuisance = rng.normal(size=(2, n, 1))
    X = np.hstack([signal + rng.normal(size=(n, 1)), 5 * nuisance, rng.normal(size=(n, 3))])
    Y = np.hstack([signal + rng.normal(size=(n, 1)), 5 * nuisance + 0.5 * rng.normal(size=(n, 1))])
    found = diagnose(X, Y, signal)
    assert found.regime is Regime.NEITHER
    assert found.regime_reverse is Regime.NEITHER
    assert found.recommendation.objective in (Objective.SINGLE_MODALITY_X, Objective.SINGLE_MODALITY_Y)


def test_labels_unknown_to_both_views_decide_nothing():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(400, 5)), rng.normal(size=(400, 4))
    found = diagnose(X, Y, np.tile([0.0, 1.0], 200) + 0 * X[:, 0])
    if (
        not found.components.cca.r2.any()
        and not found.components.cp.r2.any()
        and not found.components.cp_reverse.r2.any()
    ):
        assert found.recommendation.objective is Objective.UNDECIDED
    else:
        assert "signal_within_noise" in {w.code for w in found.warnings}


def test_backends_agree(spiked, result):
    reference = diagnose(*spiked, backend="reference")
    assert reference.backend == "reference"
    np.testing.assert_allclose(reference.components.cca.spectrum, result.components.cca.spectrum, rtol=1e-10)
    np.testing.assert_allclose(reference.components.cp.r2, result.components.cp.r2, atol=1e-10)
    assert reference.regime == result.regime


def test_standardize_is_column_scaling(spiked):
    X, Y, labels = spiked
    scaled = diagnose(1000 * X, Y, labels, standardize=True)
    plain = diagnose(X / X.std(axis=0, ddof=1), Y / Y.std(axis=0, ddof=1), labels)
    assert scaled.settings.standardize
    assert not plain.settings.standardize
    np.testing.assert_allclose(scaled.components.cp.spectrum, plain.components.cp.spectrum, rtol=1e-10)
    np.testing.assert_allclose(scaled.components.svd_x.spectrum, plain.components.svd_x.spectrum, rtol=1e-10)


def test_reduce_is_principal_components(spiked):
    X, Y, labels = spiked
    found = diagnose(X, Y, labels, reduce=(4, None))
    centred = X - X.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:4]
    by_hand = diagnose(centred @ axes.T, Y, labels)
    np.testing.assert_allclose(found.components.cca.spectrum, by_hand.components.cca.spectrum, rtol=1e-9)
    assert (found.settings.reduce_x, found.settings.reduce_y) == (4, None)
    assert len(found.components.svd_x.spectrum) == 4


def test_constant_columns_are_dropped_and_named(spiked, result):
    X, Y, labels = spiked
    padded = np.insert(X, [0, 3], 5.0, axis=1)
    with pytest.warns(crossphase.InputWarning, match=r"X: constant columns 0, 4 dropped \(2 of 12\)"):
        found = diagnose(padded, Y, labels)
    assert found.constant_columns_x == (0, 4)
    assert found.warnings[0].code == "constant_columns"
    assert "0, 4" in found.warnings[0].message
    np.testing.assert_allclose(found.components.cca.spectrum, result.components.cca.spectrum, rtol=1e-10)


def test_columns_of_rounding_dust_count_as_constant(spiked):
    X, Y, labels = spiked
    X = np.hstack([X, np.full((len(X), 1), 1.1)]).astype(np.float32)
    X[::2, -1] = np.nextafter(X[0, -1], np.float32(2))
    with pytest.warns(crossphase.InputWarning, match="constant column 10 dropped"):
        diagnose(X, Y, labels)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda X, Y, labels: (X[:40], Y[:40], labels[:40]), "few_rows"),
        (lambda X, Y, labels: (1e-3 * X, Y, labels), "ridge_dominates"),
    ],
)
def test_statistical_warnings_stay_in_the_result(spiked, change, code):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = diagnose(*change(*spiked))
    assert code in {w.code for w in found.warnings}
    assert f"[{code}]" in str(found)


def test_infinite_ratios_are_valid_json():
    """One component: it is signal, there is no nuisance, and the ratio is infinite."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(50, 1))
    Y = X + rng.normal(size=(50, 1))
    found = diagnose(X, Y, X[:, 0])
    assert found.delta_ca.value == np.inf
    schema = json.loads(resources.files("crossphase.diagnosis").joinpath("schema.json").read_text())
    document = json.loads(found.to_json(), parse_constant=pytest.fail)
    jsonschema.validate(document, schema)
    assert document["delta_ca"]["value"] == "Infinity"
    assert "∞" in str(found)


def test_text_tells_the_verdict_first(result):
    lines = str(result).splitlines()
    assert lines[0].startswith("What to train: ")
    assert max(map(len, lines)) <= 90
    assert "800 pairs, 10 + 8 features (float64, float64), 2 label columns" in str(result).replace("\n  ", " ")
    for name in ("align (CA)", "predict Y from X", "predict X from Y"):
        assert sum(name in line for line in lines) >= 1


def test_repr_is_one_line(result):
    assert re.fullmatch(
        r"<Diagnosis \w+: delta_ca=[\d.]+, delta_cp=[\d.]+, delta_cp_reverse=[\d.]+, 800 samples>", repr(result)
    )


def test_result_is_frozen(result):
    with pytest.raises(dataclasses.FrozenInstanceError):
        result.regime = Regime.NEITHER


def test_plot_marks_point_signal_and_nuisance(result):
    pytest.importorskip("matplotlib")
    figure = result.plot()
    plane, ca = figure.axes[0], figure.axes[1]
    point = plane.lines[-1]
    assert (point.get_xdata()[0], point.get_ydata()[0]) == (result.composite.kappa, result.composite.nu)
    assert len(ca.patches) == len(result.components.cca.spectrum)
    heights = {round(patch.get_height(), 12) for patch in ca.patches}
    assert heights == {round(value, 12) for value in result.components.cca.spectrum}
    assert "signal (2)" in [text.get_text() for text in ca.get_legend().get_texts()]


def shared_signal(n=1500, k=3, seed=0):
    rng = np.random.default_rng(seed)
    shared = rng.normal(size=(n, k))
    return shared + rng.normal(size=(n, k)), shared + rng.normal(size=(n, k))


@pytest.mark.parametrize("scale", [1.0, 1e4, 1e6])
def test_repeated_directions_change_nothing(scale):
    """Columns that are combinations of others add null directions; nothing of them may look like a correlation."""
    X, Y = shared_signal()
    mix = np.random.default_rng(1).normal(size=(3, 4))
    plain = diagnose(scale * X, scale * Y, X)
    with pytest.warns(crossphase.InputWarning, match="7 columns span only 3 directions"):
        padded = diagnose(scale * np.hstack([X, X @ mix]), scale * np.hstack([Y, Y @ mix]), X)
    # The ridge, 1e-6, is felt a little less in the padded views, whose directions have more variance.
    np.testing.assert_allclose(padded.components.cca.spectrum, plain.components.cca.spectrum, atol=2e-6)
    assert "rank_deficient" in {w.code for w in padded.warnings}


def test_units_of_columns_do_not_change_correlations():
    X, Y = shared_signal()
    X[:, 1:] += 0.5 * X[:, :1]
    units = np.array([1.0, 1e8, 1e3])
    plain, scaled = (diagnose(X * u, Y * u, X[:, 0], ridge=0) for u in (1.0, units))
    np.testing.assert_allclose(scaled.components.cca.spectrum, plain.components.cca.spectrum, rtol=1e-10)
    assert "unequal_scales" in {w.code for w in scaled.warnings}


def test_one_component_is_no_verdict():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1000, 1))
    for labels in (rng.normal(size=1000), x[:, 0]):
        found = diagnose(x, x + rng.normal(size=(1000, 1)), labels)
        assert found.recommendation.objective is Objective.UNDECIDED
        assert "few_components" in {w.code for w in found.warnings}


def test_identical_views_are_no_victory_of_either():
    X, _ = shared_signal()
    found = diagnose(X, X, X[:, 0])
    assert "ratio_near_one" in {w.code for w in found.warnings} or found.recommendation.objective is Objective.UNDECIDED
    assert found.components.explained_x == found.components.explained_y


def test_the_better_view_does_not_depend_on_units():
    """Signal in X alone, nuisance shared: no objective recovers, and X is the better view in any unit."""
    rng = np.random.default_rng(3)
    n = 2000
    signal, nuisance = rng.normal(size=(2, n, 1))
    X = np.hstack([signal + 0.3 * rng.normal(size=(n, 1)), 5 * nuisance, rng.normal(size=(n, 4))])
    Y = np.hstack(
        [signal + 3 * rng.normal(size=(n, 1)), 5 * nuisance + rng.normal(size=(n, 1)), rng.normal(size=(n, 4))]
    )
    chosen = {diagnose(s * X, Y, signal).recommendation.objective for s in (1.0, 0.02, 1e-3)}
    assert chosen == {Objective.SINGLE_MODALITY_X}


def test_an_outlying_row_is_named():
    rng = np.random.default_rng(0)
    X, Y = rng.normal(size=(500, 5)), rng.normal(size=(500, 4))
    X[17], Y[17] = 100, 100
    codes = {w.code: w.message for w in diagnose(X, Y, rng.normal(size=500)).warnings}
    assert "row 17 alone carries" in codes["outlying_row"]


def test_heavy_but_honest_data_names_no_outlier():
    rng = np.random.default_rng(0)
    X, Y = shared_signal(n=200)
    assert "outlying_row" not in {w.code for w in diagnose(X, Y, rng.normal(size=200)).warnings}


def test_random_classes_are_no_signal():
    rng = np.random.default_rng(5)
    X, Y = shared_signal(n=400, k=8)
    undecided = [
        diagnose(X, Y, rng.integers(5, size=400)).recommendation.objective is Objective.UNDECIDED for _ in range(20)
    ]
    # Each of three decompositions passes two 5 % rules pooled over components: about .6 of random labels pass somewhere.
    assert sum(undecided) >= 3
