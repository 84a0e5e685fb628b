"""Joint covariance of paired samples: what `crossphase.cross_moments` does."""

import numpy as np

from crossphase import CrossMoments

from .numba_peer import load_kernels

N_SAMPLES, N_FEATURES = 20_000, 100  # a view
N_CHECKED = 6  # columns of each view whose covariance is compared with extended precision


class CrossCovariance:
    """20 000 pairs of 100 + 100 features, mean 100 and variance 1; `numpy` works in the samples' own precision."""

    params = (["cpu", "reference", "numpy", "numpy_float64", "numba"], ["float32", "float64"])
    param_names = ("backend", "dtype")

    def setup(self, backend, dtype):
        if backend == "numpy_float64" and dtype == "float64":
            raise NotImplementedError("the same as numpy")
        self.numba_kernels = load_kernels() if backend == "numba" else None
        rng = np.random.default_rng(0)
        shared = rng.normal(size=(N_SAMPLES, N_FEATURES))
        self.X = (100 + np.sqrt(0.5) * (shared + rng.normal(size=shared.shape))).astype(dtype)
        self.Y = (100 + np.sqrt(0.5) * (shared + rng.normal(size=shared.shape))).astype(dtype)
        self.joint_covariance(backend)  # compiles, imports, wakes threads

    def joint_covariance(self, backend):
        if backend == "numba":
            return self.numba_kernels.joint_covariance(self.X, self.Y)
        if backend.startswith("numpy"):
            Z = np.hstack([self.X, self.Y])
            if backend == "numpy_float64":
                Z = Z.astype(np.float64)
            Z -= Z.mean(axis=0)
            return Z.T @ Z / (len(Z) - 1)
        moments = CrossMoments(N_FEATURES, N_FEATURES, backend=backend).update(self.X, self.Y)
        return np.block([[moments.cov_xx, moments.cov_xy], [moments.cov_xy.T, moments.cov_yy]])

    def time_joint_covariance(self, backend, *_):
        self.joint_covariance(backend)

    def peakmem_joint_covariance(self, backend, *_):
        self.joint_covariance(backend)

    def track_error(self, backend, *_):
        """Largest error of a covariance against extended precision, a few columns of either view."""
        checked = np.r_[:N_CHECKED, N_FEATURES : N_FEATURES + N_CHECKED]
        Z = np.hstack([self.X[:, :N_CHECKED], self.Y[:, :N_CHECKED]]).astype(np.longdouble)
        Z -= Z.mean(axis=0)
        exact = Z.T @ Z / (len(Z) - 1)
        scale = np.sqrt(np.outer(np.diag(exact), np.diag(exact)))
        return float(np.max(np.abs(self.joint_covariance(backend)[np.ix_(checked, checked)] - exact) / scale))

    track_error.unit = "largest error / sqrt(c_ii c_jj)"
