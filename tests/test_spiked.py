"""The spiked model: its spectra by formula and by decomposition, its verdicts, its samples, and what it refuses."""

from __future__ import annotations

import copy
import dataclasses
import doctest
import math
import pickle
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import problems
from crossphase import (
    InputTypeError,
    InputValueError,
    Regime,
    SpikedModel,
    coherence,
    nuisance_covariance,
    prediction_operator,
)
from crossphase.covariances import swapped


def published_e4(nu: float) -> SpikedModel:
    return SpikedModel(**{**problems.E4, "eta": nuisance_covariance(nu, 1.0, 50.0)}, rng=0)


@st.composite
def models(draw: st.DrawFn, *, homogeneous: bool = False, least_pairs: int = 0) -> SpikedModel:
    """Up to 8 + 8 features; every variance within 0.5 and 7."""
    k = draw(st.integers(1, 3))
    n_nuisance = st.integers(least_pairs, 5)
    p, q = k + draw(n_nuisance), k + draw(n_nuisance)

    def values(least: float, most: float, length: int) -> np.ndarray:
        number = st.floats(least, most)
        if homogeneous:
            return np.full(length, draw(number))
        return np.array(draw(st.lists(number, min_size=length, max_size=length)))

    gamma_tilde_x, gamma_tilde_y = values(0.5, 7, p - k), values(0.5, 7, q - k)
    m = min(p, q) - k
    seed = draw(problems.seeds)
    bases: dict[str, Any] = {
        "axes": {},
        "drawn": {"rng": seed},
        "given": {
            "basis_x": problems.orthogonal(problems.generator(seed), p),
            "basis_y": problems.orthogonal(problems.generator(seed + 1), q),
        },
    }[draw(st.sampled_from(["axes", "drawn", "given"]))]
    return SpikedModel(
        values(0.5, 2, k),
        values(0.25, 3, k),
        values(0.25, 3, k),
        gamma_tilde_x,
        gamma_tilde_y,
        nuisance_covariance(values(0, 0.95, m), gamma_tilde_x[:m], gamma_tilde_y[:m]),
        **bases,
    )


def descending(*parts: np.ndarray) -> np.ndarray:
    return np.sort(np.concatenate(parts))[::-1]


# Population spectra -------------------------------------------------------------------------------------------------

# Two whiteners, each of relative error 40 p u condition (problems.CovarianceProblem.tolerance): 2 * 40 * 8 * u * 14 is
# 1.0e-12 of the largest value, which is 1 for correlations and at most sqrt(7) for gains.
SPECTRUM_TOLERANCE = 1e-12


@given(models())
def test_decompositions_have_the_values_of_the_formulas(model: SpikedModel) -> None:
    rho, nu = model.signal_correlations, model.nuisance_correlations
    power = model.kappa**2
    assert rho == pytest.approx(power / np.sqrt((power + model.gamma_x) * (power + model.gamma_y)), rel=16 * problems.U)
    assert np.abs(coherence(model).correlations - descending(rho, nu)).max() <= SPECTRUM_TOLERANCE
    gains = descending(model.signal_gains, model.nuisance_gains)
    assert np.abs(prediction_operator(model).gains - gains).max() <= math.sqrt(7) * SPECTRUM_TOLERANCE
    reverse = descending(model.signal_gains_reverse, model.nuisance_gains_reverse)
    assert np.abs(prediction_operator(swapped(model)).gains - reverse).max() <= math.sqrt(7) * SPECTRUM_TOLERANCE


@pytest.mark.parametrize("parameters", [problems.E1, {**problems.E4, "eta": 2.0}, problems.E6])
def test_published_models_to_twelve_digits(parameters: dict[str, Any]) -> None:
    model = SpikedModel(**parameters, rng=3)
    expected = descending(model.signal_correlations, model.nuisance_correlations)
    assert np.abs(coherence(model).correlations - expected).max() <= 1e-12
    expected = descending(model.signal_gains, model.nuisance_gains)
    assert np.abs(prediction_operator(model).gains - expected).max() <= 1e-12 * expected[0]


@given(models())
def test_joint_covariance_is_one(model: SpikedModel) -> None:
    joint = joint_covariance(model)
    assert np.array_equal(model.cov_xx, model.cov_xx.T)
    assert np.array_equal(model.cov_yy, model.cov_yy.T)
    # Eigenvalues err by p u times the largest, at most 14 here (two paired coordinates of variance 7).
    assert np.linalg.eigvalsh(joint).min() >= -len(joint) * 14 * 8 * problems.U


def joint_covariance(model: SpikedModel) -> np.ndarray:
    """Of [X Y]."""
    return np.block([[model.cov_xx, model.cov_xy], [model.cov_xy.T, model.cov_yy]])


def test_bases_carry_signals_first() -> None:
    model = SpikedModel(**{**problems.E6, "n_features_y": 25}, rng=1)
    expected = (model.signal_basis_x * model.kappa**2) @ model.signal_basis_y.T
    expected += (model.basis_x[:, 3:] * model.eta) @ model.basis_y[:, 3:20].T
    assert np.abs(model.cov_xy - expected).max() <= 20 * 9 * 8 * problems.U
    assert model.signal_basis_x.shape == (20, 3)
    assert model.signal_basis_y.shape == (25, 3)
    axes = SpikedModel(**problems.E6)
    assert np.array_equal(axes.basis_x, np.eye(20))
    assert np.array_equal(axes.cov_yy, np.diag([9.1, 6.35, 4.1, *[10.0] * 17]))


def test_drawn_bases_are_orthogonal_uniform_and_apart() -> None:
    model = SpikedModel(**problems.E6, rng=1)
    assert np.abs(model.basis_x.T @ model.basis_x - np.eye(20)).max() <= 20 * 8 * problems.U
    assert not np.array_equal(model.basis_x, model.basis_y)
    n = 600
    corners = [SpikedModel(1, 1, 1, 1, 1, 0, 3, 3, rng=seed).basis_x[0, 0] for seed in range(n)]
    # A coordinate of a uniform unit vector in three dimensions is uniform on [-1, 1]: mean 0, mean square 1/3, mean fourth
    # power 1/5. LAPACK alone would make every corner negative, with mean -1/2.
    assert abs(np.mean(corners)) <= 5 * math.sqrt(1 / 3 / n)
    assert abs(np.mean(np.square(corners)) - 1 / 3) <= 5 * math.sqrt((1 / 5 - 1 / 9) / n)


def test_docstring_example() -> None:
    import crossphase.spiked.model as module

    outcome = doctest.testmod(module)
    assert outcome.attempted > 0
    assert outcome.failed == 0


# Verdicts -----------------------------------------------------------------------------------------------------------


@given(models(homogeneous=True, least_pairs=1))
def test_homogeneous_identity(model: SpikedModel) -> None:
    assume(model.nuisance_correlations.max() > 1e-15)
    expected = math.sqrt(model.gamma_tilde_y[0] / (model.kappa[0] ** 2 + model.gamma_y[0]))
    # About ten roundings in either ratio.
    assert model.delta_ca / model.delta_cp == pytest.approx(expected, rel=32 * problems.U)
    assert model.delta_ratio_bound == pytest.approx(expected, rel=32 * problems.U)
    expected = math.sqrt(model.gamma_tilde_x[0] / (model.kappa[0] ** 2 + model.gamma_x[0]))
    assert model.delta_ca / model.delta_cp_reverse == pytest.approx(expected, rel=32 * problems.U)


@given(models(least_pairs=1))
def test_heterogeneous_bound(model: SpikedModel) -> None:
    assume(model.nuisance_correlations.max() > 1e-15)
    assert model.delta_ca / model.delta_cp <= model.delta_ratio_bound * (1 + 32 * problems.U)


def test_heterogeneous_bound_is_no_equality() -> None:
    """rho = (.9, .5), tau = (.9, .5) sqrt(10, 2), nu = (.6, .3), xi = (.6, .3 sqrt(4)): 5/6 / (5/6 sqrt(2)) against sqrt(4/2)."""
    model = SpikedModel([3, 1], [1, 1], [1, 1], [1, 1], [1, 4], nuisance_covariance([0.6, 0.3], 1, [1, 4]))
    assert model.signal_correlations == pytest.approx([0.9, 0.5])
    assert model.nuisance_gains == pytest.approx([0.6, 0.6])
    assert model.delta_ca / model.delta_cp == pytest.approx(1 / math.sqrt(2))
    assert model.delta_ratio_bound == pytest.approx(math.sqrt(2))


@given(models(least_pairs=1))
def test_recovered_signals_lie_in_the_leading_subspaces(model: SpikedModel) -> None:
    k = model.n_signals
    reverse = swapped(model)
    for weights, signal_basis, signal, nuisance, n_recovered, delta in (
        (
            coherence(model).weights_x,
            model.signal_basis_x,
            model.signal_correlations,
            model.nuisance_correlations,
            model.n_recovered_ca,
            model.delta_ca,
        ),
        (
            prediction_operator(model).weights_x,
            model.signal_basis_x,
            model.signal_gains,
            model.nuisance_gains,
            model.n_recovered_cp,
            model.delta_cp,
        ),
        (
            prediction_operator(reverse).weights_x,
            model.signal_basis_y,
            model.signal_gains_reverse,
            model.nuisance_gains_reverse,
            model.n_recovered_cp_reverse,
            model.delta_cp_reverse,
        ),
    ):
        values = descending(signal, nuisance)
        assume(values[k - 1] - values[k] > 1e-3)  # else the subspace of the k largest is anybody's
        leading = np.linalg.qr(weights[:, :k])[0]
        overlaps = np.square(leading.T @ signal_basis).sum(axis=0)
        # Each is 1 or 0: singular vectors err by the tolerance over the gap of 1e-3.
        is_inside = overlaps > 0.5
        assert np.abs(overlaps - is_inside).max() <= 100 * SPECTRUM_TOLERANCE / 1e-3
        is_recovered = signal > nuisance.max()
        assert n_recovered == is_recovered.sum()
        assert is_inside[is_recovered].all()
        assert (n_recovered == k) == (delta > 1) == is_inside.all()


def test_thresholds_of_experiment_e4() -> None:
    """Common nuisance correlations .1919 (prediction) and .8947 (alignment); the second is .89465, shown as .8947."""
    model = published_e4(0.5)
    assert round(model.nuisance_threshold_cp, 4) == 0.1919
    assert abs(model.nuisance_threshold_ca - 0.8947) < 1e-4
    assert model.nuisance_threshold_ca == pytest.approx(2.25 / math.sqrt(2.75 * 2.3), rel=1e-15)


def test_thresholds_of_experiment_e6() -> None:
    """Nuisance covariances 1.886 (prediction) and 2.945 (alignment)."""
    model = SpikedModel(**problems.E6, rng=0)
    assert round(float(nuisance_covariance(model.nuisance_threshold_cp, 1.0, 10.0)), 3) == 1.886
    assert round(float(nuisance_covariance(model.nuisance_threshold_ca, 1.0, 10.0)), 3) == 2.945
    assert model.regime is Regime.CA_ONLY
    assert model.replace(eta=1.885).regime is Regime.BOTH
    assert model.replace(eta=2.946).regime is Regime.NEITHER


@pytest.mark.parametrize("objective", ["ca", "cp", "cp_reverse"])
@given(model=models(homogeneous=True, least_pairs=1))
def test_thresholds_are_where_recovery_ends(objective: str, model: SpikedModel) -> None:
    threshold = getattr(model, f"nuisance_threshold_{objective}")
    for nu, expected in ((threshold * (1 - 1e-9), model.n_signals), (threshold * (1 + 1e-9), 0)):
        if nu <= 1:
            changed = model.replace(eta=nuisance_covariance(nu, model.gamma_tilde_x[0], model.gamma_tilde_y[0]))
            assert getattr(changed, f"n_recovered_{objective}") == expected


def test_a_tie_is_not_recovered() -> None:
    model = SpikedModel(1, 1, 1, 1, 1, 0.5, 3, 3)
    assert model.signal_correlations[0] == model.nuisance_correlations[0] == 0.5
    assert model.delta_ca == 1
    assert model.n_recovered_ca == 0


def test_partial_recovery_is_counted() -> None:
    """Correlations .9, .8, .5 against .6."""
    model = SpikedModel([3, 2, 1], 1, 1, 1, 1, 0.6, 6, 6)
    assert model.n_recovered_ca == 2
    assert model.delta_ca == pytest.approx(0.5 / 0.6)
    assert model.n_recovered_cp == int((np.array([9, 4, 1]) / np.sqrt([10, 5, 2]) > 0.6).sum())


# Corners ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sizes", [(2, 2), (2, 5), (5, 2)])
def test_no_paired_nuisance(sizes: tuple[int, int]) -> None:
    model = SpikedModel([2, 1], 0.5, 0.5, 1.0, 1.0, 0.3, *sizes, rng=0)
    assert model.n_nuisance_pairs == 0
    assert model.nuisance_correlations.shape == model.nuisance_gains.shape == (0,)
    ratios = (model.delta_ca, model.delta_cp, model.delta_cp_reverse, model.delta_ratio_bound)
    assert ratios == (math.inf,) * 4
    assert (model.nuisance_threshold_ca, model.nuisance_threshold_cp) == (math.inf, math.inf)
    assert model.n_recovered_ca == model.n_recovered_cp == 2
    assert model.regime is Regime.BOTH
    assert np.abs(coherence(model).correlations - model.signal_correlations).max() <= SPECTRUM_TOLERANCE
    assert model.sample(10).X.shape == (10, sizes[0])


def test_nuisance_without_correlation_is_none() -> None:
    model = SpikedModel(**problems.E1)
    assert model.delta_ca == model.delta_cp == model.delta_cp_reverse == math.inf
    assert model.replace(eta=9e-16).delta_ca == math.inf  # the published threshold, 1e-15
    assert model.replace(eta=1.1e-15).delta_ca < math.inf
    # In units a billion times smaller the same model has the same ratios, though its gains are below 1e-15.
    small = SpikedModel(1e-9, 1e-18, 1e-18, 1e-18, 1e-18, 4e-19, 4, 4)
    assert small.delta_ca == pytest.approx(0.5 / 0.4, rel=1e-14)
    assert small.delta_cp == pytest.approx(math.sqrt(0.5) / 0.4, rel=1e-14)


def test_a_signal_of_strength_zero_is_never_recovered() -> None:
    for eta in (0.0, 0.3):
        model = SpikedModel([2, 0], 0.5, 0.5, 1, 1, eta, 5, 5, rng=0)
        assert model.delta_ca == model.delta_cp == model.delta_cp_reverse == 0
        assert model.n_recovered_ca == model.n_recovered_cp == 1
        assert model.regime is Regime.NEITHER
        assert np.abs(model.sample(5).signal[:, 1]).max() == 0


def test_signals_without_noise_correlate_perfectly() -> None:
    model = SpikedModel([2, 0], 0, 0, 1, 4, 2, 5, 5)
    assert model.signal_correlations.tolist() == [1, 0]
    assert model.signal_gains.tolist() == [2, 0]
    assert model.nuisance_correlations.tolist() == [1, 1, 1]
    X, Y, signal = model.sample(100)
    assert np.array_equal(X[:, :2], signal)
    assert np.array_equal(Y[:, :2], signal)
    assert np.array_equal(Y[:, 2:], 2 * X[:, 2:])  # nuisance correlation 1: the same coordinate at twice the scale


def test_nuisance_without_variance() -> None:
    model = SpikedModel(1, 1, 1, [1, 0], [0, 3], 0)
    assert model.nuisance_correlations.tolist() == [0, 0]
    assert model.delta_ca == math.inf
    assert model.nuisance_threshold_ca == model.nuisance_threshold_cp == math.inf
    with pytest.raises(InputValueError, match=r"eta\[0\] = 0.1 with limit 0"):
        model.replace(eta=0.1)


def test_unpaired_nuisance_plays_no_part() -> None:
    model = SpikedModel(2, 0.5, 0.5, [1, 1], [2, 2, 500], 0.7, rng=0)
    assert model.n_nuisance_pairs == 2
    assert model.nuisance_threshold_cp == pytest.approx(4 / math.sqrt(4.5) / math.sqrt(2))
    assert model.delta_ratio_bound == pytest.approx(math.sqrt(2 / 4.5))


def test_the_largest_covariance_is_allowed_however_it_was_rounded() -> None:
    rng = problems.generator(0)
    gamma_tilde_x, gamma_tilde_y = rng.uniform(0.1, 10, (2, 500))
    for eta in (
        nuisance_covariance(1.0, gamma_tilde_x, gamma_tilde_y),
        np.sqrt(gamma_tilde_x * gamma_tilde_y),
        gamma_tilde_x * np.sqrt(gamma_tilde_y / gamma_tilde_x),
    ):
        model = SpikedModel(1, 1, 1, gamma_tilde_x, gamma_tilde_y, eta)
        assert model.nuisance_correlations.max() <= 1
        assert model.nuisance_correlations.min() >= 1 - 8 * problems.U


def test_a_model_does_not_change() -> None:
    kappa = np.array([2.0, 1.0])
    model = SpikedModel(kappa, 0.5, 0.5, 1, 1, 0.3, 5, 5, rng=0)
    kappa[0] = 100
    assert model.kappa.tolist() == [2, 1]
    for name in ("kappa", "eta", "basis_x", "cov_xx", "cov_yy", "cov_xy", "signal_correlations", "nuisance_gains"):
        with pytest.raises(ValueError, match="read-only"):
            getattr(model, name)[0] = 9
    with pytest.raises(dataclasses.FrozenInstanceError):
        model.eta = np.zeros(3)  # type: ignore[misc]
    for same in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert np.array_equal(same.sample(20).X, model.sample(20).X)
    assert repr(model) == (
        "SpikedModel(n_signals=2, n_features_x=5, n_features_y=5): both, delta_ca = 2.22, delta_cp = 2.72"
    )


def test_replace_keeps_the_bases() -> None:
    model = SpikedModel(**{**problems.E6, "n_features_y": 25}, rng=5)
    changed = model.replace(eta=0.1, kappa=(1, 1, 1))
    assert np.array_equal(changed.basis_x, model.basis_x)
    assert np.array_equal(changed.basis_y, model.basis_y)
    assert changed.kappa.tolist() == [1, 1, 1]
    assert np.array_equal(changed.gamma_tilde_y, model.gamma_tilde_y)
    assert np.array_equal(model.replace().cov_xy, model.cov_xy)
    assert np.array_equal(SpikedModel(**problems.E6).replace(eta=0.0).basis_x, np.eye(20))
    with pytest.raises(InputTypeError, match=r"replace changes kappa, .*eta; got n_features_x"):
        model.replace(n_features_x=3)
    with pytest.raises(InputValueError, match="kappa must keep its 3 signals; got 2"):
        model.replace(kappa=(1, 2))


def test_sizes_from_vectors_or_bases() -> None:
    basis = problems.orthogonal(problems.generator(0), 6)
    model = SpikedModel([1, 2], 1, 1, [1, 1, 1], 1, 0.5, basis_y=basis)
    assert (model.n_features_x, model.n_features_y, model.n_nuisance_pairs) == (5, 6, 3)
    assert np.array_equal(model.basis_y, basis)
    mixed = SpikedModel([1, 2], 1, 1, [1, 1, 1], 1, 0.5, basis_y=basis, rng=0)
    assert np.array_equal(mixed.basis_y, basis)
    assert not np.array_equal(mixed.basis_x, np.eye(5))


# What is refused ----------------------------------------------------------------------------------------------------

SKEWED = np.eye(20)
SKEWED[2, 5] = 1e-3
PAIR_DEFECTS = [
    (
        {"kappa": ()},
        InputValueError,
        r"kappa must be one signal strength or a vector of at least one; got shape \(0,\)",
    ),
    ({"kappa": np.ones((2, 2))}, InputValueError, r"kappa must be .*got shape \(2, 2\)"),
    ({"kappa": (1, -2, 3)}, InputValueError, r"kappa must be finite and >= 0 and <= 1e\+75; got kappa\[1\] = -2"),
    ({"kappa": 1e80}, InputValueError, r"kappa must be .*<= 1e\+75; got kappa = 1e\+80"),
    ({"kappa": "3"}, InputTypeError, r"kappa must be finite.*got '3'"),
    ({"kappa": [[1], [1, 2]]}, InputTypeError, "kappa must be .*ragged list"),
    ({"kappa": True}, InputTypeError, "kappa must be .*got True"),
    ({"gamma_x": (0.5, math.nan, 0.5)}, InputValueError, r"gamma_x must be finite.*got gamma_x\[1\] = nan"),
    ({"gamma_y": -0.1}, InputValueError, r"gamma_y must be .*>= 0.*got gamma_y = -0.1"),
    (
        {"gamma_x": (0.5, 0.5)},
        InputValueError,
        r"gamma_x must be one number or a vector .* 3 signals; got shape \(2,\)",
    ),
    ({"gamma_y": 1j}, InputTypeError, "gamma_y must be finite"),
    ({"gamma_tilde_x": -1.0}, InputValueError, "gamma_tilde_x must be .*>= 0.*got gamma_tilde_x = -1"),
    ({"gamma_tilde_y": math.inf}, InputValueError, "gamma_tilde_y must be finite.*got gamma_tilde_y = inf"),
    (
        {"gamma_tilde_y": np.ones(5)},
        InputValueError,
        r"gamma_tilde_y must be .* 17 nuisance coordinates of Y; got shape \(5,\)",
    ),
    ({"gamma_tilde_x": [[1], [2, 3]]}, InputTypeError, "gamma_tilde_x must be .*ragged"),
    ({"eta": np.ones(18)}, InputValueError, r"eta must be .* 17 nuisance coordinates that both views have"),
    ({"eta": -0.1}, InputValueError, "eta must be finite and >= 0; got eta = -0.1"),
    (
        {"eta": [0.1] * 4 + [3.2] + [0.1] * 12},
        InputValueError,
        r"eta must be at most sqrt\(gamma_tilde_x \* gamma_tilde_y\); got eta\[4\] = 3.2 with limit 3.16228.*nuisance_cov",
    ),
    ({"n_features_x": 2}, InputValueError, "n_features_x must be at least the number of signals in kappa, 3; got 2"),
    ({"n_features_y": 20.0}, InputTypeError, "n_features_y must be an integer"),
    ({"n_features_y": None}, InputValueError, "n_features_y is missing: give it, or gamma_tilde_y as a vector"),
    ({"basis_x": np.eye(19)}, InputValueError, r"basis_x must be an orthogonal matrix of shape \(20, 20\); got .*19"),
    ({"basis_y": SKEWED}, InputValueError, r"basis_y must be orthogonal.*entry \(2, 5\).*off by 0.001.*np.linalg.qr"),
    (
        {"basis_x": 1e200 * problems.orthogonal(problems.generator(0), 20)},
        InputValueError,
        r"basis_x must be orthogonal",
    ),
    ({"basis_y": np.full((20, 20), np.nan)}, InputValueError, r"basis_y must be finite; got basis_y\[0, 0\] = nan"),
    ({"rng": -1}, InputValueError, "rng must be at least 0; got -1"),
    ({"rng": 0.5}, InputTypeError, "rng must be an integer >= 0, a numpy.random.SeedSequence or .*; got 0.5"),
    ({"rng": True}, InputTypeError, "rng must be an integer >= 0"),
]


@pytest.mark.parametrize(("defect", "error", "message"), PAIR_DEFECTS, ids=[str(case[0])[:40] for case in PAIR_DEFECTS])
def test_pair_defects(defect: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        SpikedModel(**{**problems.E6, **defect})


def test_nuisance_covariance() -> None:
    assert nuisance_covariance([0, 0.5, 1], 4, [1, 1, 9]).tolist() == [0, 1, 6]
    with pytest.raises(InputValueError, match=r"nu must be finite and >= 0 and <= 1; got nu = 1\.1"):
        nuisance_covariance(1.1, 1, 1)
    with pytest.raises(
        InputValueError, match=r"nu, gamma_tilde_x, gamma_tilde_y must have shapes that broadcast; got nu \(2,\)"
    ):
        nuisance_covariance([0.1, 0.2], [1, 1, 1], 1)
