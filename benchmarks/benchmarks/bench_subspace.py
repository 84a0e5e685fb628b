"""A full default diagnosis: ratios with intervals, tests, audit, and the rehearsal, both directions."""

import warnings

import numpy as np

from crossphase import InputWarning, SpikedModel, diagnose

N_SAMPLES, N_FEATURES, N_CLASSES = 5000, 100, 44


class DiagnoseWithUncertainty:
    """5000 pairs of 100 + 100 features and 44 classes, two threads; `ratios` alone, and `full` with audit and rehearsal."""

    params = (["ratios", "full"],)
    param_names = ("extent",)
    timeout = 120

    def setup(self, extent):
        warnings.simplefilter("ignore", InputWarning)
        model = SpikedModel(
            np.linspace(3, 1.5, 10), 0.5, 0.3, 1.0, 3.0, 0.7, n_features_x=N_FEATURES, n_features_y=N_FEATURES, rng=0
        )
        self.model = model
        self.X, self.Y, self.signal = model.sample(N_SAMPLES, 1, dtype=np.float32)
        centres = 2 * np.random.default_rng(2).normal(size=(N_CLASSES, 10))
        self.classes = ((self.signal[:, None, :] - centres) ** 2).sum(axis=2).argmin(axis=1)
        self.run(self.classes, extent)  # imports, wakes threads

    def run(self, labels, extent):
        is_full = extent == "full"
        return diagnose(self.X, self.Y, labels, rehearse=is_full, audit=is_full, n_threads=2)

    def time_diagnose(self, extent):
        self.run(self.classes, extent)

    def peakmem_diagnose(self, extent):
        self.run(self.classes, extent)

    def track_error(self, extent):
        """Error of the three log ratios, labels without noise: the largest."""
        found = self.run(self.signal.astype(np.float64), extent)
        pairs = (
            (found.delta_ca, self.model.delta_ca),
            (found.delta_cp, self.model.delta_cp),
            (found.delta_cp_reverse, self.model.delta_cp_reverse),
        )
        return float(max(abs(np.log(ratio.value / true)) for ratio, true in pairs))

    track_error.unit = "largest error of a log ratio"
