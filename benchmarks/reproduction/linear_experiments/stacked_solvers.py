"""Alignment and prediction of many pairs at once, for the experiments on grids: the estimators' closed forms, stacked."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from crossphase import whitening_matrix
from crossphase.covariances import Covariances


class LeadingWeights(NamedTuple):
    """Weights of X, (..., p, k)."""

    ca: np.ndarray
    cp: np.ndarray


class CanonicalPairs(NamedTuple):
    """All canonical correlations of a stack with their weights."""

    correlations: np.ndarray  # (..., min(p, q))
    weights_x: np.ndarray  # (..., p, min(p, q))
    weights_y: np.ndarray


def leading_weights(covariances: Covariances, n_components: int) -> LeadingWeights:
    """What `CrossAlignment` and `CrossPrediction` of n components find, from stacked covariances (..., p, p) and so on.

    Whiteners by Cholesky, which every full-rank sample allows: spans and singular values are those of any other whitener.
    """
    whitener_x, whitener_y = (
        whitening_matrix(cov, kind="cholesky").matrix for cov in (covariances.cov_xx, covariances.cov_yy)
    )
    prediction = whitener_x @ covariances.cov_xy  # transposed, so that directions of X come first
    coherence = prediction @ np.swapaxes(whitener_y, -1, -2)
    leading = (np.linalg.svd(matrix)[0][..., :n_components] for matrix in (coherence, prediction))
    return LeadingWeights(*(np.swapaxes(whitener_x, -1, -2) @ directions for directions in leading))


def canonical_pairs(covariances: Covariances) -> CanonicalPairs:
    whitener_x, whitener_y = (
        whitening_matrix(cov, kind="cholesky").matrix for cov in (covariances.cov_xx, covariances.cov_yy)
    )
    u, correlations, vt = np.linalg.svd(whitener_x @ covariances.cov_xy @ np.swapaxes(whitener_y, -1, -2))
    return CanonicalPairs(
        correlations, np.swapaxes(whitener_x, -1, -2) @ u, np.swapaxes(whitener_y, -1, -2) @ np.swapaxes(vt, -1, -2)
    )
