"""Regimes and the boundaries between them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossphase import InputTypeError, InputValueError, Regime, ca_boundary, classify, cp_boundary

ABOVE_ONE = math.nextafter(1.0, 2.0)


@pytest.mark.parametrize(
    ("delta_ca", "delta_cp", "regime"),
    [
        (2.0, 2.0, Regime.BOTH),
        (math.inf, math.inf, Regime.BOTH),
        (ABOVE_ONE, 1.0, Regime.CA_ONLY),
        (1.0, ABOVE_ONE, Regime.CP_ONLY),
        (1.0, 1.0, Regime.NEITHER),
        (0.0, 0.0, Regime.NEITHER),
        (math.inf, 0.0, Regime.CA_ONLY),
    ],
)
def test_recovery_needs_strictly_more_than_one(delta_ca: float, delta_cp: float, regime: Regime) -> None:
    assert classify(delta_ca, delta_cp) is regime


@pytest.mark.parametrize("value", [math.nan, -0.1, -math.inf])
def test_impossible_ratios_are_named(value: float) -> None:
    with pytest.raises(InputValueError, match=f"delta_ca must be a number >= 0 or infinity; got {value}"):
        classify(value, 1.0)
    with pytest.raises(InputValueError, match="delta_cp must be"):
        classify(1.0, value)


@given(st.floats(0, 10), st.floats(0, 10))
def test_swapping_the_ratios_swaps_the_regimes(first: float, second: float) -> None:
    other = {Regime.CA_ONLY: Regime.CP_ONLY, Regime.CP_ONLY: Regime.CA_ONLY}
    regime = classify(first, second)
    assert classify(second, first) is other.get(regime, regime)


def test_published_thresholds() -> None:
    """Experiment E4: nuisance correlations .1919 and .8947. E6: covariances 1.886 and 2.945 at variances 1 and 10."""
    assert round(float(cp_boundary(1.5, 0.5, 50.0)), 4) == 0.1919
    assert float(ca_boundary(1.5, 0.5, 0.05)) == pytest.approx(0.8947, abs=1e-4)
    assert round(float(cp_boundary(2.0, 0.5, 10.0)) * math.sqrt(10), 3) == 1.886
    assert round(float(ca_boundary(2.0, 0.5, 0.1)) * math.sqrt(10), 3) == 2.945


variances = st.floats(0.01, 10.0)


@given(st.floats(0.1, 5.0), variances, variances, variances, st.floats(0.01, 0.95))
def test_boundaries_are_where_the_ratios_cross_one(
    kappa: float, gamma_x: float, gamma_y: float, gamma_tilde_y: float, nu: float
) -> None:
    delta_ca = kappa**2 / math.sqrt((kappa**2 + gamma_x) * (kappa**2 + gamma_y)) / nu
    delta_cp = kappa**2 / math.sqrt(kappa**2 + gamma_x) / (nu * math.sqrt(gamma_tilde_y))
    ca, cp = float(ca_boundary(kappa, gamma_x, gamma_y)), float(cp_boundary(kappa, gamma_x, gamma_tilde_y))
    assert ca / nu == pytest.approx(delta_ca, rel=1e-14)
    assert cp / nu == pytest.approx(delta_cp, rel=1e-14)
    # The homogeneous identity: delta_ca / delta_cp = sqrt(gamma_tilde_y / (kappa² + gamma_y)).
    assert ca / cp == pytest.approx(math.sqrt(gamma_tilde_y / (kappa**2 + gamma_y)), rel=1e-14)


def test_boundaries_of_many_strengths_and_of_the_corner() -> None:
    kappas = np.array([0.0, 1.0, 2.0])
    assert ca_boundary(kappas, 0.5, 0.5) == pytest.approx([0.0, 1 / 1.5, 4 / 4.5])
    assert cp_boundary(kappas, 0.0, 4.0) == pytest.approx([0.0, 0.5, 1.0])
    assert float(ca_boundary(0.0, 0.0, 0.0)) == 0.0
    assert float(cp_boundary(0.0, 0.0, 0.0)) == 0.0
    assert float(cp_boundary(1.0, 0.5, 0.0)) == math.inf  # nuisance that does not vary in the target
    assert ca_boundary([[1.0], [2.0]], [0.5, 1.0], 0.5).shape == (2, 2)


@pytest.mark.parametrize("unit", [1e-150, 1e-8, 1e100])
def test_boundaries_have_no_units(unit: float) -> None:
    kappa, variance = 2.0 * unit, unit * unit
    assert float(ca_boundary(kappa, 0.5 * variance, 0.5 * variance)) == pytest.approx(4 / 4.5, rel=1e-15)
    assert float(cp_boundary(kappa, 0.5 * variance, 9 * variance)) == pytest.approx(4 / math.sqrt(40.5), rel=1e-15)


def test_boundaries_of_faint_signals() -> None:
    assert float(ca_boundary(1e-60, 1.0, 1.0)) == pytest.approx(1e-120, rel=1e-15)
    assert float(ca_boundary(1e-100, 1.0, 1.0)) < 1e-154
    assert float(cp_boundary(1e100, 0.0, 1e-320)) > 1e250


def test_impossible_parameters_are_named() -> None:
    with pytest.raises(InputValueError, match=r"kappa must be finite and >= 0; got kappa\[1\] = -1"):
        ca_boundary([1.0, -1.0], 1.0, 1.0)
    with pytest.raises(InputValueError, match="gamma_y must be finite and >= 0; got gamma_y = nan"):
        ca_boundary(1.0, 1.0, math.nan)
    with pytest.raises(InputTypeError, match="gamma_tilde_y must be finite and >= 0; got 'ten'"):
        cp_boundary(1.0, 1.0, "ten")
    with pytest.raises(InputValueError, match=r"must have shapes that broadcast; got kappa \(2,\), gamma_x \(3,\)"):
        cp_boundary([1.0, 2.0], [1.0, 2.0, 3.0], 1.0)
