"""Whitening matrices of a batch of covariances: what `crossphase.whitening_matrix` does."""

import numpy as np

from crossphase import whitening_matrix

from .numba_peer import load_kernels

N_COVARIANCES = 128
LARGEST_VARIANCE, SMALLEST_VARIANCE = 1.0, 1e-3


class Whiten:
    """128 covariances of 64 features and of chosen spectrum, condition 1000."""

    params = (["cpu", "reference", "numpy", "torch", "numba"], ["zca", "cholesky"])
    param_names = ("backend", "kind")
    n_features = 64

    def setup(self, backend, kind):
        self.numba_kernels = load_kernels() if backend == "numba" else None
        self.torch = load_torch() if backend == "torch" else None
        self.covs = covariances(N_COVARIANCES, self.n_features)
        self.whiten(backend, kind)  # compiles, imports, wakes threads

    def whiten(self, backend, kind):
        if backend == "numba":
            kernel = self.numba_kernels.whiten_zca if kind == "zca" else self.numba_kernels.whiten_cholesky
            return kernel(self.covs)
        if backend == "torch":
            return whiten_with_torch(self.torch, self.covs, kind)
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
        return largest_error(self.whiten(backend, kind)[:4], self.covs[:4])

    track_error.unit = "largest entry of W cov W' - I"


class WhitenBy:
    """Every method for the symmetric root, on both sides of the largest size that goes in lanes."""

    params = (["eigh", "rational", "newton_schulz"], [32, 128, 512])
    param_names = ("method", "n_features")

    def setup(self, method, n_features):
        self.covs = covariances(4, n_features)
        self.whiten(method)

    def whiten(self, method):
        return whitening_matrix(self.covs, method=method).matrix

    def time_whiten(self, method, _n_features):
        self.whiten(method)

    def peakmem_whiten(self, method, _n_features):
        self.whiten(method)

    def track_error(self, method, _n_features):
        return largest_error(self.whiten(method)[:1], self.covs[:1])

    track_error.unit = "largest entry of W cov W' - I"


def covariances(n_covs, n_features):
    rng = np.random.default_rng(0)
    vectors, _ = np.linalg.qr(rng.normal(size=(n_covs, n_features, n_features)))
    variances = np.geomspace(LARGEST_VARIANCE, SMALLEST_VARIANCE, n_features)
    covs = (vectors * variances) @ np.swapaxes(vectors, 1, 2)
    return (covs + np.swapaxes(covs, 1, 2)) / 2


def largest_error(whiteners, covs):
    """Largest entry of W cov W^T - I, multiplied out in extended precision."""
    whiteners = whiteners.astype(np.longdouble)
    whitened = whiteners @ covs @ np.swapaxes(whiteners, 1, 2)
    return float(np.abs(whitened - np.eye(covs.shape[-1])).max())


def load_torch():
    """asv skips a benchmark whose setup raises NotImplementedError."""
    try:
        import torch
    except ImportError:
        raise NotImplementedError("torch is not installed") from None
    return torch


def whiten_with_torch(torch, covs, kind):
    covs = torch.from_numpy(covs)
    if kind == "cholesky":
        identity = torch.eye(covs.shape[-1], dtype=covs.dtype)
        return torch.linalg.solve_triangular(torch.linalg.cholesky(covs), identity, upper=False).numpy()
    values, vectors = torch.linalg.eigh(covs)
    return ((vectors / values.sqrt()[:, None, :]) @ vectors.mT).numpy()
