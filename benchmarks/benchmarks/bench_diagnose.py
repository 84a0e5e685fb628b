"""The whole published procedure: what `crossphase.diagnose(..., method="components")` does."""

import numpy as np

import published
from crossphase import diagnose

N_SAMPLES, N_FEATURES, N_COMPONENTS, N_CLASSES, N_PERMUTATIONS = 1000, 30, 20, 10, 5
RIDGE = 1e-6  # crossphase's default and the published constant


class Diagnose:
    """1000 pairs of 30 + 30 features whose sample canonical correlations are known exactly; 20 components, 10 classes.

    `published` is the port of the published loops (published.py); it predicts Y from X only, crossphase both ways. No
    numba peer: a diagnosis is the kernels of the other files and LAPACK.
    """

    params = (["cpu", "reference", "published"],)
    param_names = ("backend",)
    timeout = 120

    def setup(self, backend):
        rng = np.random.default_rng(0)
        independent = rng.normal(size=(N_SAMPLES, 2 * N_FEATURES))
        basis, _ = np.linalg.qr(independent - independent.mean(axis=0))
        basis *= np.sqrt(N_SAMPLES)  # centred columns with exactly the identity as covariance (divided by n)
        correlations = np.linspace(0.95, 0.05, N_FEATURES)
        x = basis[:, :N_FEATURES]
        y = correlations * x + np.sqrt(1 - correlations**2) * basis[:, N_FEATURES:]
        rotation_x, rotation_y = np.linalg.qr(rng.normal(size=(2, N_FEATURES, N_FEATURES)))[0]
        self.X, self.Y = x @ rotation_x, y @ rotation_y
        ranks = np.argsort(np.argsort(x[:, 0] + 0.5 * x[:, 1] + 0.5 * rng.normal(size=N_SAMPLES)))
        self.classes = ranks * N_CLASSES // N_SAMPLES
        self.one_hot = np.eye(N_CLASSES)[self.classes]
        self.exact_correlations = correlations[:N_COMPONENTS] / (1 + RIDGE)
        self.exact_gains = correlations[:N_COMPONENTS] / np.sqrt(1 + RIDGE)
        self.spectra(backend)  # imports, wakes threads

    def spectra(self, backend):
        options = {"n_components": N_COMPONENTS, "n_permutations": N_PERMUTATIONS}
        if backend == "published":
            loops = published.estimate_parameters(self.X, self.Y, self.one_hot, **options)
            return loops.cca.spectrum, loops.cp_direct.spectrum
        found = diagnose(self.X, self.Y, self.classes, method="components", backend=backend, **options).components
        return found.cca.spectrum, found.cp.spectrum

    def time_diagnose(self, backend):
        self.spectra(backend)

    def peakmem_diagnose(self, backend):
        self.spectra(backend)

    def track_error(self, backend):
        """Largest relative error of canonical correlations and prediction gains against their exact values."""
        correlations, gains = self.spectra(backend)
        return float(
            max(
                np.abs(correlations / self.exact_correlations - 1).max(),
                np.abs(gains / self.exact_gains - 1).max(),
            )
        )

    track_error.unit = "largest relative error of a singular value"
