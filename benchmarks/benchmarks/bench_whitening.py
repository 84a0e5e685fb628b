"""Whitening matrices of a batch of covariances: what `crossphase.whitening_matrix` does."""

import numpy as np

from crossphase import whitening_matrix

from .numba_peer import load_kernels

N_COVARIANCES = 128
LARGEST_VARIANCE, SMALLEST_VARIANCE = 1.0, 1e-3


class Whiten:
    """128 covariances of 64 features and of chosen spectrum, condition 1000."""

    params = (["cpu", "reference", "numpy", "numba"], ["zca", "cholesky"])
    param_names = ("backend", "kind")
    n_features = 64

    def setup(self, backend, kind):
        self.numba_kernels = load_kernels() if backend == "numba" else None
        rng = np.random.default_rng(0)
        vectors, _ = np.linalg.qr(rng.normal(size=(N_COVARIANCES, self.n_features, self.n_features)))
        variances = np.geomspace(LARGEST_VARIANCE, SMALLEST_VARIANCE, self.n_features)
        covs = (vectors * variances) @ np.swapaxes(vectors, 1, 2)
        self.covs = (covs + np.swapaxes(covs, 1, 2)) / 2
        self.whiten(backend, kind)  # compiles, imports, wakes threads

    def whiten(self, backend, kind):
        if backend == "numba":
            kernel = self.numba_kernels.whiten_zca if kind == "zca" else self.numba_kernels.whiten_cholesky
            return kernel(self.covs)
        if backend != "numpy":
            return whitening_matrix(self.covs, kind=kind, backend=backend).matrix
        if kind == "cholesky":
            return np.linalg.inv(np.linalg.cholesky(self.covs))
        values, vectors = np.linalg.eigh(self.covs)
        return (vectors / np.sqrt(values)[:, None, :]) @ np.swapaxes(vectors, 1, 2)

    def time_whiten(self, backend, kind):
        self.whiten(backend, kind)

    def peakmem_whiten(self, backend, kind):
        self.whiten(backend, kind)

    def track_error(self, backend, kind):
        """Largest entry of W cov W^T - I, multiplied out in extended precision."""
        whiteners = self.whiten(backend, kind)[:4].astype(np.longdouble)
        whitened = whiteners @ self.covs[:4] @ np.swapaxes(whiteners, 1, 2)
        return float(np.abs(whitened - np.eye(self.n_features)).max())

    track_error.unit = "largest entry of W cov W' - I"
