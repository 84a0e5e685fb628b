"""Sample covariances of the spiked model without its samples.

A sample of the model is a linear map of independent standard normal variables: z = (signal, noise of X, noise of Y, nuisance
of X, the rest of the nuisance of Y), x = B_x z and y = B_y z. Its covariances, uncentred and divided by n as in the published
code, are B_x G B_x^T and so on, G the second moment of the n draws of z. One G therefore serves every parameter of a grid: the
law at each point is that of a sample drawn there, and points share their luck (common random numbers), which makes
differences along the grid clearer than n suggests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from crossphase import SpikedModel
from crossphase.covariances import Covariances


@dataclass(frozen=True, slots=True, eq=False)
class Loadings:
    """The linear maps from latent variables to samples; stacked (..., p, n_latent) for several models."""

    x: np.ndarray
    y: np.ndarray
    signal: np.ndarray  # (..., k, n_latent)


def loadings(model: SpikedModel) -> Loadings:
    """The maps of one model with as many features in X as in Y."""
    k, m = model.n_signals, model.n_features_x - model.n_signals
    signal, noise_x, noise_y, nuisance_x, rest_y = np.split(np.eye(3 * k + 2 * m), np.cumsum([k, k, k, m]))
    s = model.kappa[:, None] * signal
    nu = model.nuisance_correlations[:, None]
    coordinates_x = np.vstack([s + _root(model.gamma_x) * noise_x, _root(model.gamma_tilde_x) * nuisance_x])
    nuisance_y = _root(model.gamma_tilde_y) * (nu * nuisance_x + np.sqrt(1 - nu**2) * rest_y)
    coordinates_y = np.vstack([s + _root(model.gamma_y) * noise_y, nuisance_y])
    return Loadings(model.basis_x @ coordinates_x, model.basis_y @ coordinates_y, s)


def stacked_loadings(models: Sequence[SpikedModel]) -> Loadings:
    each = [loadings(model) for model in models]
    return Loadings(*(np.stack([getattr(one, name) for one in each]) for name in ("x", "y", "signal")))


def draw_second_moment(n_samples: int, n_signals: int, n_features: int, seed: int) -> np.ndarray:
    """G of `n_samples` draws: what `loadings` of a model of this size multiply.

    By Bartlett's decomposition, which has the law of G whatever the number of draws, without making them: n G = L L^T with
    independent entries, standard normal below the diagonal of L and chi_(n - i) on it. Bartlett (1933), Proc. R. Soc.
    Edinb. 53, 260-283.
    """
    rng = np.random.default_rng(seed)
    n_latent = 3 * n_signals + 2 * (n_features - n_signals)
    factor = np.tril(rng.standard_normal((n_latent, n_latent)), -1)
    np.fill_diagonal(factor, np.sqrt(rng.chisquare(n_samples - np.arange(n_latent))))
    return factor @ factor.T / n_samples


def sample_covariances(maps: Loadings, second_moment: np.ndarray) -> Covariances:
    """The covariances of the sample; stacked if `maps` are."""
    return Covariances(
        between(maps.x, maps.x, second_moment),
        between(maps.y, maps.y, second_moment),
        between(maps.x, maps.y, second_moment),
    )


def between(left: np.ndarray, right: np.ndarray, second_moment: np.ndarray) -> np.ndarray:
    """Second moment between what two maps give."""
    return left @ second_moment @ np.swapaxes(right, -1, -2)


def _root(variances: np.ndarray) -> np.ndarray:
    return np.sqrt(variances)[:, None]
