"""Closed forms: optimal among feasible maps, equal to the published solvers, and right on known populations."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import problems
from crossphase import (
    InputTypeError,
    InputValueError,
    align_and_predict,
    coherence,
    cross_moments,
    prediction_operator,
)
from crossphase.closed_forms import WIDE, linear_probe, solve_alignment, solve_joint, solve_prediction
from crossphase.pair_factors import PairFactors


def inverse_root(cov: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(cov)
    return (vectors / np.sqrt(values)) @ vectors.T


def subspace_distance(left: np.ndarray, right: np.ndarray) -> float:
    """1 - mean squared cosine of the principal angles between two column spaces."""
    bases = [np.linalg.qr(side)[0] for side in (left, right)]
    return float(1 - np.sum((bases[0].T @ bases[1]) ** 2) / left.shape[1])


@pytest.fixture
def model() -> problems.SpikedPair:
    """Distinct correlations and gains, nuisance among them."""
    return problems.spiked_pair(
        1, np.array([3.0, 2.0, 1.5]), (0.5, 0.1), (1.0, 10.0), np.array([0.9, 0.3, 0.2, 0.1, 0.05])
    )


@given(model=problems.spiked_pairs())
def test_spectra_of_the_population(model: problems.SpikedPair) -> None:
    found = align_and_predict(model)
    assert np.abs(found.alignment.correlations - model.correlations).max() <= model.tolerance
    assert np.abs(found.prediction.gains - model.gains).max() <= model.tolerance * model.gains[0]


def test_agrees_with_the_spectra_module(model):
    found, operator, correlated = align_and_predict(model, n_components=3), prediction_operator(model), coherence(model)
    tolerance = 1e3 * model.tolerance  # smallest gap between neighbours: 1e-2 of the largest, weights of length up to 5
    assert np.abs(found.alignment.weights_x - correlated.weights_x[:, :3]).max() <= tolerance
    assert np.abs(found.alignment.weights_y - correlated.weights_y[:, :3]).max() <= tolerance
    assert np.abs(found.prediction.weights_x - operator.weights_x[:, :3]).max() <= tolerance
    assert np.abs(found.prediction.directions_y - operator.directions_y[:, :3]).max() <= tolerance


def test_published_solvers_find_the_same(model):
    """solve_ca and solve_cp of the published code: eigendecompositions, full SVDs, dense products."""
    k = 3
    root_x, root_y = inverse_root(model.cov_xx), inverse_root(model.cov_yy)
    p, phi, qt = np.linalg.svd(root_x @ model.cov_xy @ root_y)
    u, s, vt = np.linalg.svd(model.cov_xy.T @ root_x)
    found = align_and_predict(model, n_components=k)
    assert np.abs(found.alignment.correlations - phi[:k]).max() <= model.tolerance
    assert subspace_distance(found.alignment.weights_x, root_x @ p[:, :k]) <= model.tolerance
    assert subspace_distance(found.alignment.weights_y, root_y @ qt[:k].T) <= model.tolerance
    best = (u[:, :k] * s[:k]) @ vt[:k] @ root_x
    ours = (found.prediction.directions_y * found.prediction.gains) @ found.prediction.weights_x.T
    assert np.abs(ours - best).max() <= 100 * model.tolerance * np.abs(best).max()


@given(seed=problems.seeds, weight=st.sampled_from([0.0, 0.01, 1.0, 30.0, np.inf]))
def test_joint_maximizes_the_published_matrix(seed: int, weight: float) -> None:
    """M = B B^T + weight (C C^T - I), B = cov_xx^-1/2 cov_xy: no k orthonormal directions have a larger trace."""
    model = problems.spiked_pair(
        seed, np.array([3.0, 2.5, 2.0]), (0.5, 0.1), (1.0, 10.0), np.array([0.6, 0.4, 0.3, 0.2, 0.1])
    )
    root_x, root_y = inverse_root(model.cov_xx), inverse_root(model.cov_yy)
    b, c = root_x @ model.cov_xy, root_x @ model.cov_xy @ root_y
    m = c @ c.T if np.isinf(weight) else (b @ b.T + weight * (c @ c.T)) / (1 + weight)
    largest = np.linalg.eigvalsh(m)[-3:].sum()
    found = solve_joint(PairFactors(model), 3, weight)
    whitened = np.linalg.inv(root_x) @ found.weights_x
    assert np.abs(whitened.T @ whitened - np.eye(3)).max() <= model.tolerance
    assert abs(np.trace(whitened.T @ m @ whitened) - largest) <= 10 * model.tolerance * largest


def objective(model, weight: float, x: np.ndarray, y: np.ndarray) -> float:
    """E|B W x - y|² + weight E|W x - V y|², B the best map for these W."""
    coef = (x @ linear_probe(x, model)).T
    prediction = np.trace(model.cov_yy) - 2 * np.vdot(coef, model.cov_xy.T) + np.vdot(coef @ model.cov_xx, coef)
    alignment = np.vdot(x, model.cov_xx @ x) - 2 * np.vdot(x, model.cov_xy @ y) + np.vdot(y, model.cov_yy @ y)
    return float(prediction + weight * alignment)


@pytest.mark.parametrize("weight", [0.0, 0.3, 5.0])
def test_nothing_nearby_beats_the_joint_optimum(rng, model, weight):
    found = solve_joint(PairFactors(model), 3, weight)
    best = objective(model, weight, found.weights_x, found.weights_y)
    root_x = inverse_root(model.cov_xx)
    for step in (1e-3, 1e-1, 1.0):
        for _ in range(20):
            moved = np.linalg.inv(root_x) @ found.weights_x + step * rng.standard_normal((8, 3))
            x = root_x @ np.linalg.qr(moved)[0]
            y = np.linalg.solve(model.cov_yy, model.cov_xy.T @ x)
            for partner in (y, y + step * rng.standard_normal(y.shape)):
                assert objective(model, weight, x, partner) >= best - 1e-9 * abs(best)


def test_no_map_of_the_same_rank_predicts_better(rng, model):
    found = solve_prediction(PairFactors(model), 2)
    coef = (found.directions_y * found.gains) @ found.weights_x.T

    def error(candidate):
        return (
            np.trace(model.cov_yy)
            - 2 * np.vdot(candidate, model.cov_xy.T)
            + np.vdot(candidate @ model.cov_xx, candidate)
        )

    assert error(coef) == pytest.approx(np.trace(model.cov_yy) - np.sum(found.gains**2), rel=1e-12)
    for step in (1e-3, 1e-1, 1.0):
        for _ in range(50):
            left = found.directions_y + step * rng.standard_normal((8, 2))
            right = found.weights_x * found.gains + step * rng.standard_normal((8, 2))
            assert error(left @ right.T) >= error(coef) * (1 - 1e-12)


def test_scores_of_alignment_are_uncorrelated_but_for_their_partners(model):
    found = solve_alignment(PairFactors(model), 4)
    x, y = found.weights_x, found.weights_y
    for got, wanted in (
        (x.T @ model.cov_xx @ x, np.eye(4)),
        (y.T @ model.cov_yy @ y, np.eye(4)),
        (x.T @ model.cov_xy @ y, np.diag(found.correlations)),
    ):
        assert np.abs(got - wanted).max() <= 10 * model.tolerance


def test_the_probe_is_least_squares_on_the_scores(rng, model):
    weights = rng.standard_normal((8, 2))
    coef = (weights @ linear_probe(weights, model)).T
    assert np.linalg.matrix_rank(coef, tol=1e-10) == 2
    assert np.abs((model.cov_xy.T - coef @ model.cov_xx) @ weights).max() <= 1e-11  # residual uncorrelated with scores
    twice = np.hstack([weights, weights])
    repeated = (twice @ linear_probe(twice, model)).T
    assert np.abs(repeated - coef).max() <= 1e-9


def test_repeated_calls_give_the_same_bytes(model):
    runs = [align_and_predict(model, n_components=3) for _ in range(5)]
    for run in runs[1:]:
        assert run.alignment.weights_x.tobytes() == runs[0].alignment.weights_x.tobytes()
        assert run.prediction.weights_x.tobytes() == runs[0].prediction.weights_x.tobytes()


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"n_components": 9}, InputValueError, r"n_components must be at most 8.*X has 8, Y has 8.*got 9"),
        ({"n_components": 0}, InputValueError, "n_components must be at least 1; got 0"),
        ({"n_components": 2.0}, InputTypeError, "n_components must be an integer"),
        ({"ridge": -1.0}, InputValueError, "ridge must be a finite number >= 0; got -1.0"),
        ({"ridge": np.nan}, InputValueError, "ridge must be a finite number"),
        ({"ridge": "much"}, InputTypeError, "ridge must be a finite number"),
    ],
)
def test_bad_arguments_get_a_sentence(model, arguments, error, message):
    with pytest.raises(error, match=message):
        align_and_predict(model, **arguments)


def test_threads_do_not_change_a_bit_of_wide_pairs(rng: np.random.Generator) -> None:
    p, q = WIDE + 30, WIDE
    shared = rng.standard_normal((900, p + q))
    moments = cross_moments(shared[:, :p], shared[:, p:] + 0.5 * shared[:, :q])
    alone, together = (align_and_predict(moments, n_components=20, n_threads=n) for n in (1, 2))
    for name in ("correlations", "weights_x", "weights_y"):
        assert getattr(alone.alignment, name).tobytes() == getattr(together.alignment, name).tobytes()
    for name in ("gains", "weights_x", "directions_y"):
        assert getattr(alone.prediction, name).tobytes() == getattr(together.prediction, name).tobytes()
