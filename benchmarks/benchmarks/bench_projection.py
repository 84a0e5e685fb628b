"""Scores of samples on weights: what `crossphase.projection.project` does."""

import os

import numpy as np

from crossphase.projection import project
from crossphase.samples import as_samples

from .numba_peer import load_kernels

N_SAMPLES, N_FEATURES, N_SCORES = 20_000, 100, 50
N_CHECKED = 100  # rows compared with extended precision


class Project:
    """20 000 samples of 100 features, mean 10, on 50 weights; scores in float64."""

    params = (["cpu", "reference", "numpy", "numba"], ["float32", "float64"])
    param_names = ("backend", "dtype")

    def setup(self, backend, dtype):
        self.numba_kernels = load_kernels() if backend == "numba" else None
        rng = np.random.default_rng(0)
        self.X = (10 + rng.normal(size=(N_SAMPLES, N_FEATURES))).astype(dtype)
        self.mean = self.X.mean(axis=0, dtype=np.float64)
        self.weights = rng.normal(size=(N_FEATURES, N_SCORES))
        self.n_threads = int(os.environ["CROSSPHASE_NUM_THREADS"])
        self.project(backend)  # compiles, imports, wakes threads

    def project(self, backend):
        if backend == "numba":
            return self.numba_kernels.project(self.X, self.mean, self.weights)
        if backend == "numpy":
            return (self.X - self.mean) @ self.weights
        samples = as_samples(self.X, "X")
        return project(samples, self.mean, self.weights, n_threads=self.n_threads, backend=backend)

    def time_project(self, backend, *_):
        self.project(backend)

    def peakmem_project(self, backend, *_):
        self.project(backend)

    def track_error(self, backend, *_):
        """Largest error of a score, against extended precision, relative to the largest score."""
        exact = (self.X[:N_CHECKED].astype(np.longdouble) - self.mean) @ self.weights.astype(np.longdouble)
        return float(np.abs(self.project(backend)[:N_CHECKED] - exact).max() / np.abs(exact).max())

    track_error.unit = "largest error / largest score"
