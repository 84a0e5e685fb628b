"""Cholesky factors of a pair's covariances, each computed once and shared by every closed form."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from crossphase.cholesky_factor import CholeskyFactor, Regularization
from crossphase.covariances import PairCovariances

_NONE = Regularization()


class PairFactors:
    """Whitened cross-covariances of a pair from Cholesky factors ``L L^T`` of its regularized covariances.

    ``L^-1`` is a whitener as good as any: `coherence` and `prediction` have the singular values of the coherence and of
    the prediction operator. Each is computed on first use and kept.

    Parameters
    ----------
    moments : PairCovariances
        `cov_xx`, `cov_yy` and `cov_xy`.
    x, y : Regularization
        Of the covariances of X and of Y.

    Raises
    ------
    numpy.linalg.LinAlgError
        On first use of a factor, if that covariance, regularized, is singular.

    Notes
    -----
    Cost p³/3 + q³/3 + p q (p + q) multiply-adds for both.
    """

    def __init__(self, moments: PairCovariances, *, x: Regularization = _NONE, y: Regularization = _NONE) -> None:
        self.moments = moments
        n_samples = getattr(moments, "n_samples", None)  # a population has none
        self._x = CholeskyFactor(moments.cov_xx, "X", x, n_samples=n_samples)
        self._y = CholeskyFactor(moments.cov_yy, "Y", y, n_samples=n_samples)

    def prepare(self) -> None:
        """Compute both factors and `prediction` now: what threads would otherwise compute twice."""
        self._y.factorize()
        _ = self.prediction

    @cached_property
    def prediction(self) -> np.ndarray:
        """``Lx^-1 cov_xy``, shape (n_features_x, n_features_y)."""
        return self._x.whiten(self.moments.cov_xy)

    @cached_property
    def coherence(self) -> np.ndarray:
        """``Lx^-1 cov_xy Ly^-T``, shape (n_features_x, n_features_y)."""
        return self._y.whiten(self.prediction.T).T

    def weights_x(self, directions: np.ndarray) -> np.ndarray:
        """Weights on X's columns, ``Lx^-T directions``, shape (n_features_x, k)."""
        return self._x.weights(directions)

    def weights_y(self, directions: np.ndarray) -> np.ndarray:
        """Weights on Y's columns, ``Ly^-T directions``, shape (n_features_y, k)."""
        return self._y.weights(directions)
