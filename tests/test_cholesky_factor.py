"""Cholesky whiteners: identity, ridge in units of the mean variance, and sentences for singular covariances."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import problems
from crossphase.cholesky_factor import CholeskyFactor, Regularization
from crossphase.covariances import Covariances
from crossphase.pair_factors import PairFactors


@given(problem=problems.covariances(full_rank=True))
def test_whitens_and_weighs(problem: problems.CovarianceProblem) -> None:
    factor = CholeskyFactor(problem.cov, "X", Regularization(problem.ridge / np.diag(problem.cov).mean()))
    ridged = problem.cov + problem.ridge * np.eye(problem.p)
    weights = factor.weights(np.eye(problem.p))
    assert np.abs(weights.T @ ridged @ weights - np.eye(problem.p)).max() <= problem.tolerance
    assert np.abs(factor.whiten(ridged @ weights) - np.eye(problem.p)).max() <= problem.tolerance


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_columns_of_any_units_are_no_hardship(rng, scale):
    units = np.array([1.0, scale, 1.0, 1.0])
    cov = problems.covariance(3, 4, 4, 10.0).cov * np.outer(units, units)
    weights = CholeskyFactor(cov, "X", Regularization()).weights(np.eye(4))
    assert np.abs(weights.T @ cov @ weights - np.eye(4)).max() <= 40 * 4 * problems.U * 100


@pytest.mark.parametrize("rank", [1, 5, 11])
@pytest.mark.parametrize("side", ["X", "Y"])
def test_a_singular_covariance_names_rank_size_and_remedy(side, rank):
    singular, regular = problems.covariance(1, 12, rank, 10.0).cov, problems.covariance(2, 12, 12, 10.0).cov
    moments = Covariances(*((singular, regular) if side == "X" else (regular, singular)), np.zeros((12, 12)))
    with pytest.raises(np.linalg.LinAlgError, match=rf"of {side} is singular \(rank {rank} of 12 .*ridge > 0"):
        _ = PairFactors(moments).coherence
    assert np.isfinite(PairFactors(moments, x=Regularization(1e-6), y=Regularization(shrinkage=1e-6)).coherence).all()


def test_a_constant_column_is_named():
    cov = np.diag([1.0, 2.0, 0.0])
    with pytest.raises(np.linalg.LinAlgError, match=r"rank 2 of 3 .*Its column 2 is constant"):
        CholeskyFactor(cov, "Y", Regularization()).whiten(np.eye(3))


def test_a_nearly_singular_covariance_of_full_rank_is_used():
    problem = problems.covariance(4, 8, 8, 1e8)
    weights = CholeskyFactor(problem.cov, "X", Regularization()).weights(np.eye(8))
    assert np.abs(weights.T @ problem.cov @ weights - np.eye(8)).max() <= problem.tolerance


@pytest.mark.parametrize("shrinkage", [0.0, 0.3, 1.0])
def test_shrinkage_keeps_the_total_variance(shrinkage):
    cov = problems.covariance(5, 6, 6, 100.0).cov
    regularized = Regularization(shrinkage=shrinkage).apply(cov)
    wanted = (1 - shrinkage) * cov + shrinkage * np.trace(cov) / 6 * np.eye(6)
    assert np.abs(regularized - wanted).max() <= 4 * problems.U * np.abs(cov).max()
    assert np.trace(regularized) == pytest.approx(np.trace(cov), rel=1e-14)
    assert np.trace(Regularization(ridge=0.5).apply(cov)) == pytest.approx(1.5 * np.trace(cov), rel=1e-14)


def test_threads_share_the_columns_and_not_the_bits(rng: np.random.Generator) -> None:
    """600 columns are three blocks; a triangular solve errs by p u of the entries of L (Higham 2002, theorem 8.5)."""
    p = 40
    cov = np.cov(rng.standard_normal((400, p)).T)
    factor, matrix = CholeskyFactor(cov, "X", Regularization()), rng.standard_normal((p, 600))
    whitened = [factor.whiten(matrix, n_threads=n) for n in (1, 2, 3)]
    assert len({result.tobytes() for result in whitened}) == 1
    lower = np.linalg.cholesky(cov)
    # Condition of L below 3 with ten rows a column, and two factors that each err by p u.
    assert np.abs(lower @ whitened[0] - matrix).max() <= 2 * 10 * p * problems.U * np.abs(matrix).max() * np.sqrt(p)
