"""Closed-form optima of the linear objectives: alignment, prediction, and both at once."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from crossphase._scalars import check_number
from crossphase._threads import resolve_n_threads, single_threaded_blas
from crossphase.cholesky_factor import Regularization
from crossphase.covariances import PairCovariances, n_components_of, require_covariances
from crossphase.pair_factors import PairFactors
from crossphase.singular_vectors import fix_signs, leading_singular_vectors

WIDE = 128  # columns of the narrower view from which two solves side by side gain more than threads cost


@dataclass(frozen=True, slots=True, eq=False)
class Alignment:
    """The k most correlated directions; scores ``X @ weights_x`` have unit variance under the regularized covariance."""

    correlations: np.ndarray  # (k,), descending: of the scores, under the regularized covariances
    weights_x: np.ndarray  # (n_features_x, k)
    weights_y: np.ndarray  # (n_features_y, k)


@dataclass(frozen=True, slots=True, eq=False)
class Prediction:
    """The k directions of X that explain most variance of Y: ``Y ≈ X @ weights_x @ diag(gains) @ directions_y.T``."""

    gains: np.ndarray  # (k,), descending, in units of Y
    weights_x: np.ndarray  # (n_features_x, k); scores have unit variance under the regularized covariance
    directions_y: np.ndarray  # (n_features_y, k), orthonormal


@dataclass(frozen=True, slots=True, eq=False)
class Joint:
    """The k directions of X of the best compromise; scores have unit variance under the regularized covariance."""

    strengths: np.ndarray  # (k,), descending: square roots of the directions' shares of the objective
    weights_x: np.ndarray  # (n_features_x, k)
    weights_y: np.ndarray  # (n_features_y, k): scores of Y that predict those of X best


@dataclass(frozen=True, slots=True, eq=False)
class ClosedForms:
    """Alignment and prediction of one pair."""

    alignment: Alignment
    prediction: Prediction


def align_and_predict(
    moments: PairCovariances, *, n_components: int | None = None, ridge: float = 0.0, n_threads: int | None = None
) -> ClosedForms:
    """Alignment and prediction together, from moments: one Cholesky factor of `cov_xx` serves both.

    Parameters
    ----------
    moments : CrossMoments, SpikedModel, or anything with `cov_xx`, `cov_yy` and `cov_xy`
    n_components : int, optional
        Default: as many as there are, ``min(n_features_x, n_features_y)``.
    ridge : float, >= 0
        Added to every covariance eigenvalue, in units of the mean variance of that view's columns (where `coherence` and
        `prediction_operator` take squared feature units). For a ridge by rule, use the estimators.
    n_threads : int, optional
        With more than one, wide views are aligned and predicted side by side. Default: ``CROSSPHASE_NUM_THREADS``, else one a
        core.

    Raises
    ------
    numpy.linalg.LinAlgError
        A covariance is singular and `ridge` is 0.
    """
    require_covariances(moments, "pass cross_moments(X, Y)")
    ridge = check_number(ridge, "ridge", least=0)
    regularization = Regularization(ridge=ridge)
    k = n_components_of(moments, n_components)
    n_threads = resolve_n_threads(n_threads) if min(moments.cov_xy.shape) >= WIDE else 1
    factors = PairFactors(moments, x=regularization, y=regularization, n_threads=n_threads)
    with single_threaded_blas():
        factors.prepare()
        if n_threads == 1:
            return ClosedForms(solve_alignment(factors, k), solve_prediction(factors, k))
        with ThreadPoolExecutor(1) as pool:
            prediction = pool.submit(solve_prediction, factors, k)
            return ClosedForms(solve_alignment(factors, k), prediction.result())


def solve_alignment(factors: PairFactors, n_components: int) -> Alignment:
    """Canonical correlation analysis: SVD of the coherence. Hotelling (1936), Biometrika 28, 321-377."""
    with single_threaded_blas():
        found = leading_singular_vectors(factors.coherence, n_components)
    weights = fix_signs(factors.weights_x(found.left), factors.weights_y(found.right))
    return Alignment(found.values, *weights)


def solve_prediction(factors: PairFactors, n_components: int) -> Prediction:
    """Reduced-rank regression: SVD of the prediction operator.

    Izenman (1975), J. Multivar. Anal. 5, 248-264; with a ridge, Mukherjee & Zhu (2011), Stat. Anal. Data Min. 4, 612-622.
    """
    with single_threaded_blas():
        found = leading_singular_vectors(factors.prediction, n_components)
    weights_x, directions_y = fix_signs(factors.weights_x(found.left), found.right)
    return Prediction(found.values, weights_x, directions_y)


def solve_joint(factors: PairFactors, n_components: int, alignment_weight: float) -> Joint:
    """Minimum of ``E|B W x - y|² + alignment_weight E|W x - V y|²`` over B, V, and W with scores of unit variance.

    In whitened X the optimal W are the leading eigenvectors of ``P P^T + alignment_weight C C^T``, P the prediction
    operator transposed and C the coherence: the left singular vectors of the two side by side. Kamai et al. (2026).
    """
    if math.isinf(alignment_weight):
        stacked = factors.coherence
    elif alignment_weight == 0:
        stacked = factors.prediction
    else:
        stacked = np.hstack([factors.prediction, math.sqrt(alignment_weight) * factors.coherence])
    with single_threaded_blas():
        found = leading_singular_vectors(stacked, n_components)
        partners = factors.coherence.T @ found.left
    return Joint(found.values, *fix_signs(factors.weights_x(found.left), factors.weights_y(partners)))


def shared_directions(
    strengths: np.ndarray, weights_x: np.ndarray, weights_y: np.ndarray, m: PairCovariances
) -> np.ndarray:
    """Which directions X and Y share at all, (k,) booleans: those of more variance and more covariance than rounding.

    Entries of a covariance err by rounding, u sd_i sd_j; in the score of weights w that makes ``u sum(w² sd²)`` of variance, and
    ``u`` times the root of both sides' of covariance. A small ridge gives null directions long weights, and so much noise.
    """
    noise_x, noise_y = score_noise(weights_x, m.cov_xx), score_noise(weights_y, m.cov_yy)
    varies = (score_deviations(weights_x, m.cov_xx) ** 2 > noise_x) & (
        score_deviations(weights_y, m.cov_yy) ** 2 > noise_y
    )
    return np.asarray((strengths > np.sqrt(noise_x * noise_y)) & varies)


def score_noise(weights: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """How much of the variance of scores may be rounding of `cov`, shape (k,)."""
    share = 10 * len(cov) * np.finfo(float).eps  # 10: LAPACK's modestly growing constant
    return np.asarray(share * np.sum(weights**2 * np.diag(cov)[:, None], axis=0))


def score_deviations(weights: np.ndarray, cov: np.ndarray) -> np.ndarray:
    """Standard deviations of the scores on `weights`, shape (k,)."""
    return np.asarray(np.sqrt(np.maximum(np.sum(weights * (cov @ weights), axis=0), 0.0)))


def linear_probe(weights_x: np.ndarray, moments: PairCovariances) -> np.ndarray:
    """Least-squares loadings of Y on the scores ``X @ weights_x``, shape (k, n_features_y).

    ``(W cov_xx W^T)^-1 W cov_xy``; scores that repeat each other share their weight.
    """
    with single_threaded_blas():
        covariance_of_scores = weights_x.T @ moments.cov_xx @ weights_x
        return np.asarray(np.linalg.lstsq(covariance_of_scores, weights_x.T @ moments.cov_xy, rcond=None)[0])
