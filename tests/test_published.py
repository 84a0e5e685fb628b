"""``method="components"`` returns what the published code returned, for every case in ``fixtures/``."""

import json
from pathlib import Path

import numpy as np
import pytest

import crossphase
from crossphase.components import recover
from crossphase.composite import derive_composite
from crossphase.signals import SignalRule

FIXTURES = Path(__file__).parent / "fixtures"
CASES = sorted(path.stem for path in FIXTURES.glob("*.npz"))
STEPS = {"svd_x": "svd_x", "svd_y": "svd_y", "pls": "pls", "cca": "cca", "cp_direct": "cp"}
REGIMES = {"Both": "both", "CA only": "ca_only", "CP only": "cp_only", "Neither": "neither"}
# The published spectra come from SVDs of data, ours from eigenvalues of covariances. The fixtures' covariances have
# condition numbers below 1e5, so the two differ by less than 1e5 * 2^-52 * (a dozen operations) = 3e-10.
RTOL = 1e-9


class Case:
    """One fixture, diagnosed in both directions."""

    def __init__(self, name):
        self.arrays = np.load(FIXTURES / f"{name}.npz")
        self.scalars = json.loads((FIXTURES / f"{name}.json").read_text())
        labels = self.arrays["labels"]
        self.is_live = labels.std(axis=0) > 0  # constant label columns are left out here; there their R² is 0
        X, Y, k = self.arrays["X"], self.arrays["Y"], int(self.arrays["n_components"])
        labels = labels[:, self.is_live]
        self.results = {
            "xy": crossphase.diagnose(X, Y, labels, method="components", n_components=k),
            "yx": crossphase.diagnose(Y, X, labels, method="components", n_components=k),
        }


@pytest.fixture(scope="module", params=CASES)
def case(request):
    return Case(request.param)


@pytest.fixture(params=["xy", "yx"])
def direction(request):
    return request.param


def test_there_are_fixtures():
    assert len(CASES) == 10


@pytest.mark.parametrize("step", STEPS)
def test_spectra_r2_and_flags(case, direction, step):
    ours = getattr(case.results[direction].components, STEPS[step])
    theirs = {key: case.arrays[f"{direction}.{step}.{key}"] for key in ("spectrum", "r2")}
    np.testing.assert_allclose(ours.spectrum, theirs["spectrum"], rtol=RTOL)
    np.testing.assert_allclose(ours.r2, theirs["r2"][:, case.is_live], atol=RTOL)
    assert not theirs["r2"][:, ~case.is_live].any()
    for rule, signal in ours.signals.items():
        np.testing.assert_array_equal(signal.is_signal, case.arrays[f"{direction}.{step}.{rule}.is_signal"])
        published = case.scalars[direction]
        assert signal.strength == pytest.approx(published[f"{step}.{rule}.elbow_strength"], rel=RTOL, nan_ok=True)
        threshold = published[f"{step}.{rule}.elbow_r2"]
        assert signal.threshold == pytest.approx(threshold, rel=RTOL, abs=RTOL, nan_ok=True)


@pytest.mark.parametrize("rule", SignalRule)
def test_ratios_regimes_and_composite(case, direction, rule):
    components = case.results[direction].components
    published = {
        key.removeprefix(f"{rule}/"): value
        for key, value in case.scalars[direction].items()
        if key.startswith(f"{rule}/")
    }
    composite = derive_composite(components, rule)
    ca = recover(components.cca.spectrum, components.cca.signals[rule])
    cp = recover(components.cp.spectrum, components.cp.signals[rule])
    ours = {
        "kappa_hat": composite.kappa,
        "nu_hat": composite.nu,
        "gamma_x_hat": composite.gamma_x,
        "gamma_y_hat": composite.gamma_y,
        "gamma_tilde_x_hat": composite.gamma_tilde_x,
        "gamma_tilde_y_hat": composite.gamma_tilde_y,
        "delta_ca_composite": composite.delta_ca,
        "delta_cp_composite": composite.delta_cp,
        "delta_ca_direct": ca.delta,
        "delta_cp_direct": cp.delta,
        "Q_x": composite.variance_alignment_x,
        "Q_y": composite.variance_alignment_y,
    }
    for name, value in ours.items():
        # gamma_hat is a difference that may cancel: its error is that of the variances it comes from.
        scale = max(components.variances_x[0], components.variances_y[0]) if name.startswith("gamma") else 0.0
        assert value == pytest.approx(published.pop(name), rel=RTOL, abs=RTOL * scale), name
    assert composite.regime == REGIMES[published.pop("regime_secondary")]
    assert crossphase.classify(ca.delta, cp.delta) == REGIMES[published.pop("regime_primary")]
    assert not published, "a published scalar that nothing here looked at"


def test_recovery_counts_and_floors(case, direction):
    components = case.results[direction].components
    for step in ("cca", "cp_direct"):
        for rule in SignalRule:
            decomposition = getattr(components, STEPS[step])
            recovery = recover(decomposition.spectrum, decomposition.signals[rule])
            assert recovery.n_recovered == case.scalars[direction][f"{step}.{rule}.r_hat"]
            assert recovery.floor == pytest.approx(case.scalars[direction][f"{step}.{rule}.floor"], rel=RTOL)


def test_the_default_verdict_is_the_published_one(case, direction):
    ours, published = case.results[direction], case.scalars[direction]
    assert ours.regime == REGIMES[published["regime_primary"]]
    assert ours.delta_ca.value == pytest.approx(published["delta_ca_direct"], rel=RTOL)
    assert ours.delta_cp.value == pytest.approx(published["delta_cp_direct"], rel=RTOL)
    assert (ours.n_recovered_ca, ours.n_recovered_cp) == (published["r_hat_ca"], published["r_hat_cp"])
    for name in ("overlap_svd_pls_x", "overlap_svd_pls_y", "overlap_pls_cca"):
        assert getattr(ours.composite, name) == pytest.approx(published[name])


def test_one_call_covers_both_directions(case):
    forward, backward = case.results["xy"], case.results["yx"]
    assert forward.delta_cp_reverse.value == pytest.approx(backward.delta_cp.value, rel=RTOL)
    assert forward.regime_reverse == backward.regime
    assert forward.n_recovered_cp_reverse == backward.n_recovered_cp
    assert forward.composite.delta_cp_reverse == pytest.approx(backward.composite.delta_cp, rel=RTOL)
