"""Samples of the spiked model: what `crossphase.SpikedModel.sample` and `stream` do."""

import numpy as np

from crossphase import SpikedModel

N_SAMPLES = 16_384
N_STREAMED = 65_536
KAPPA, GAMMA_X, GAMMA_Y, GAMMA_TILDE_X, GAMMA_TILDE_Y, ETA = np.array([3, 2, 1.5]), 0.5, 0.05, 1.0, 50.0, 2.0


def spiked_model(n_features):
    """Experiment E4 of Kamai et al. (2026), in bases drawn at random."""
    return SpikedModel(KAPPA, GAMMA_X, GAMMA_Y, GAMMA_TILDE_X, GAMMA_TILDE_Y, ETA, n_features, n_features, rng=0)


class Sample:
    """16 384 rows of as many features in X as in Y, in float64, all in memory.

    Peers: `published`, the way of the published generate_data.py, array after array; `multivariate_normal`, NumPy's own,
    of the joint covariance. Both draw on one thread and multiply on BLAS's.
    """

    params = (["cpu", "published", "multivariate_normal"], [20, 512])
    param_names = ("backend", "n_features")

    def setup(self, backend, n_features):
        self.model = spiked_model(n_features)
        self.cov = np.block([[self.model.cov_xx, self.model.cov_xy], [self.model.cov_xy.T, self.model.cov_yy]])
        self.sample(backend)  # imports, wakes threads

    def sample(self, backend):
        if backend == "cpu":
            return self.model.sample(N_SAMPLES)[:2]
        rng = np.random.default_rng(0)
        if backend == "multivariate_normal":
            Z = rng.multivariate_normal(np.zeros(len(self.cov)), self.cov, N_SAMPLES, method="cholesky")
            return np.split(Z, 2, axis=1)
        k = len(KAPPA)
        n_nuisance = self.model.n_features_x - k
        s = rng.standard_normal((N_SAMPLES, k)) * KAPPA
        e_x = rng.standard_normal((N_SAMPLES, k)) * np.sqrt(GAMMA_X)
        e_y = rng.standard_normal((N_SAMPLES, k)) * np.sqrt(GAMMA_Y)
        m_x = rng.standard_normal((N_SAMPLES, n_nuisance)) * np.sqrt(GAMMA_TILDE_X)
        rest = rng.standard_normal((N_SAMPLES, n_nuisance)) * np.sqrt(GAMMA_TILDE_Y - ETA**2 / GAMMA_TILDE_X)
        m_y = ETA / GAMMA_TILDE_X * m_x + rest
        return np.hstack([s + e_x, m_x]) @ self.model.basis_x.T, np.hstack([s + e_y, m_y]) @ self.model.basis_y.T

    def time_sample(self, backend, _n_features):
        self.sample(backend)

    def peakmem_sample(self, backend, _n_features):
        self.sample(backend)

    def track_error(self, backend, _n_features):
        """Largest distance of a sample covariance from the population's, in its standard errors: about 5 for every peer."""
        Z = np.hstack(self.sample(backend))
        variances = np.diag(self.cov)
        standard_errors = np.sqrt((np.outer(variances, variances) + self.cov**2) / N_SAMPLES)
        return float((np.abs(Z.T @ Z / N_SAMPLES - self.cov) / standard_errors).max())

    track_error.unit = "largest error / standard error"


class Stream:
    """65 536 rows of 512 + 512 features in chunks of 4096; memory does not grow with the rows."""

    params = (["float32", "float64"],)
    param_names = ("dtype",)

    def setup(self, _dtype):
        self.model = spiked_model(512)

    def time_stream(self, dtype):
        for _ in self.model.stream(N_STREAMED, dtype=dtype):
            pass

    def peakmem_stream(self, dtype):
        for _ in self.model.stream(N_STREAMED, dtype=dtype):
            pass
