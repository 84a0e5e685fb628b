"""Cholesky factors of a pair's covariances, each computed once and shared by every closed form."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

import numpy as np

from crossphase.cholesky_factor import CholeskyFactor, Regularization
from crossphase.covariances import PairCovariances
from crossphase.precision import null_variance_of

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
    n_threads : int
        Do not change a bit of it.

    Raises
    ------
    numpy.linalg.LinAlgError
        On first use of a factor, if that covariance, regularized, is singular.

    Notes
    -----
    Cost p³/3 + q³/3 + p q (p + q) multiply-adds for both.
    """

    def __init__(
        self, moments: PairCovariances, *, x: Regularization = _NONE, y: Regularization = _NONE, n_threads: int = 1
    ) -> None:
        self.moments = moments
        self._n_threads = n_threads
        n_samples = getattr(moments, "n_samples", None)  # a population has none
        null = null_variance_of(moments)
        self._x = CholeskyFactor(moments.cov_xx, "X", x, n_samples=n_samples, null_variance=null)
        self._y = CholeskyFactor(moments.cov_yy, "Y", y, n_samples=n_samples, null_variance=null)

    def prepare(self) -> None:
        """Compute both factors, `prediction` and `coherence` now: what threads would otherwise compute twice."""
        if self._n_threads > 1:
            with ThreadPoolExecutor(1) as pool:
                of_y = pool.submit(self._y.factorize)
                self._x.factorize()
                of_y.result()
        _ = self.coherence

    @cached_property
    def prediction(self) -> np.ndarray:
        """``Lx^-1 cov_xy``, shape (n_features_x, n_features_y)."""
        return self._x.whiten(self.moments.cov_xy, n_threads=self._n_threads)

    @cached_property
    def coherence(self) -> np.ndarray:
        """``Lx^-1 cov_xy Ly^-T``, shape (n_features_x, n_features_y)."""
        return self._y.whiten(self.prediction.T, n_threads=self._n_threads).T

    def weights_x(self, directions: np.ndarray) -> np.ndarray:
        """Weights on X's columns, ``Lx^-T directions``, shape (n_features_x, k)."""
        return self._x.weights(directions)

    def weights_y(self, directions: np.ndarray) -> np.ndarray:
        """Weights on Y's columns, ``Ly^-T directions``, shape (n_features_y, k)."""
        return self._y.weights(directions)
