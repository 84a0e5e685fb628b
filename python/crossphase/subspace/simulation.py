"""Sample covariances of a Gaussian population, drawn without drawing rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class WishartDraw:
    """Cholesky factor of one standard Wishart matrix over its degrees of freedom, and noise for what fewer rows told.

    Bartlett (1933): with ``factor`` lower triangular, ``F factor factor^T F^T`` is a sample covariance of a population
    ``F F^T``. If F is lower triangular so is the product, which is then the sample's own Cholesky factor: whitening the first
    block of variables costs nothing.
    """

    factor: np.ndarray  # (n_variables, n_variables)
    label_noise: np.ndarray  # (n_variables - n_labels, n_labels), standard normal


def draw_wishart(n_variables: int, n_labels: int, degrees: int, rng: np.random.Generator) -> WishartDraw:
    """One draw for `n_variables` variables, the last `n_labels` of them labels."""
    factor = np.tril(rng.standard_normal((n_variables, n_variables)), -1)
    factor[np.diag_indices(n_variables)] = np.sqrt(rng.chisquare(degrees - np.arange(n_variables)))
    factor /= np.sqrt(degrees)
    return WishartDraw(factor, rng.standard_normal((n_variables - n_labels, n_labels)))
