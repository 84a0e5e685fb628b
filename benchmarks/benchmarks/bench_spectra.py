"""Leading correlations and gains from moments: what `crossphase.coherence` and `crossphase.prediction_operator` do."""

import numpy as np

from crossphase import coherence, prediction_operator
from crossphase.singular_vectors import leading_singular_vectors

from .bench_closed_forms import covariances_of_pairs


class Leading:
    """50 components of two views of 512 features, or all of them; 20 000 rows made the moments."""

    params = (["coherence", "prediction_operator"], [50, None])
    param_names = ("function", "n_components")
    timeout = 120

    def setup(self, function, n_components):
        self.moments = covariances_of_pairs(20_000, 512)
        self.solve = {"coherence": coherence, "prediction_operator": prediction_operator}[function]
        self.solve(self.moments, n_components=n_components)  # imports, wakes threads

    def time_solve(self, _, n_components):
        self.solve(self.moments, n_components=n_components)

    def peakmem_solve(self, _, n_components):
        self.solve(self.moments, n_components=n_components)


class LeadingSingularVectors:
    """50 of a square matrix that has a step behind them: LAPACK's part of a decomposition, iteration, NumPy's full one."""

    params = (["cpu", "numpy"], [512, 1024, 2560])
    param_names = ("backend", "width")
    timeout = 300
    n_signals = 50

    def setup(self, backend, width):
        rng = np.random.default_rng(0)
        self.matrix = 0.2 / np.sqrt(width) * rng.normal(size=(width, width))
        self.matrix[: self.n_signals, : self.n_signals] += np.diag(np.linspace(1.0, 0.7, self.n_signals))
        if width < 2560:
            self.values(backend)  # imports, wakes threads

    def values(self, backend):
        if backend == "cpu":
            return leading_singular_vectors(self.matrix, self.n_signals).values
        return np.linalg.svd(self.matrix, full_matrices=False)[1][: self.n_signals]

    def time_values(self, backend, _):
        self.values(backend)

    def peakmem_values(self, backend, _):
        self.values(backend)

    def track_error(self, backend, _):
        """Largest difference from NumPy's singular values, relative to the first."""
        exact = self.values("numpy")
        return float(np.abs(self.values(backend) - exact).max() / exact[0])

    track_error.unit = "of the largest value"
