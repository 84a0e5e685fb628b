"""Cholesky factors of a pair's covariances, each computed once and shared by every closed form."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from crossphase.cholesky_factor import CholeskyFactor
from crossphase.covariances import PairCovariances


class PairFactors:
    """Whitened cross-covariances of a pair from Cholesky factors ``cov + ridge m I = L L^T``.

    ``L^-1`` is a whitener as good as any: `coherence` and `prediction` have the singular values of the coherence and of
    the prediction operator. Each is computed on first use and kept.

    Parameters
    ----------
    moments : PairCovariances
        `cov_xx`, `cov_yy` and `cov_xy`.
    ridge_x, ridge_y : float, >= 0
        In units of m, the mean variance of that view's columns: multiplying a view by a number changes nothing.

    Raises
    ------
    numpy.linalg.LinAlgError
        On first use of a factor, if that covariance, ridge included, is singular.

    Notes
    -----
    Cost p³/3 + q³/3 + p q (p + q) multiply-adds for both.
    """

    def __init__(self, moments: PairCovariances, *, ridge_x: float = 0.0, ridge_y: float = 0.0) -> None:
        self.moments = moments
        self._x = CholeskyFactor(moments.cov_xx, "X", ridge_x)
        self._y = CholeskyFactor(moments.cov_yy, "Y", ridge_y)

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
