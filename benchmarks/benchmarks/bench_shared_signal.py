"""Tests of shared signal and of labels: what `crossphase.count_shared_directions` and its relatives do."""

import numpy as np

from crossphase import (
    canonical_tests_of,
    count_shared_directions,
    cross_moments,
    label_recoverability,
    label_signal_rank,
)

N_SAMPLES, N_FEATURES, N_CLASSES, N_SHARED = 5000, 100, 44, 3


class CountSharedDirections:
    """100 + 100 features, n = 5000, three shared directions, 199 resamples."""

    params = (["sign_flip", "permutation", "tracy_widom"],)
    param_names = ("method",)

    def setup(self, method):
        rng = np.random.default_rng(0)
        self.X, self.Y = rng.standard_normal((2, N_SAMPLES, N_FEATURES))
        shared = rng.standard_normal((N_SAMPLES, N_SHARED))
        self.X[:, :N_SHARED] += shared
        self.Y[:, :N_SHARED] += shared
        self.time_count(method)  # imports, wakes threads

    def time_count(self, method):
        count_shared_directions(self.X, self.Y, method=method)

    def peakmem_count(self, method):
        count_shared_directions(self.X, self.Y, method=method)

    def track_error(self, method):
        """Directions found too many or too few."""
        return abs(count_shared_directions(self.X, self.Y, method=method).n_directions - N_SHARED)

    track_error.unit = "directions"


class LabelSignal:
    """44 classes from 100 features, n = 5000; the moment-level tests of the same size, one call of many in a loop."""

    def setup(self):
        rng = np.random.default_rng(0)
        self.classes = rng.integers(0, N_CLASSES, N_SAMPLES)
        self.X = (
            rng.standard_normal((N_SAMPLES, N_FEATURES)) + rng.standard_normal((N_CLASSES, N_FEATURES))[self.classes]
        )
        self.moments = cross_moments(self.X, rng.standard_normal((N_SAMPLES, N_CLASSES)))
        label_signal_rank(self.X, self.classes)  # imports, wakes threads

    def time_rank(self):
        label_signal_rank(self.X, self.classes)

    def time_recoverability(self):
        label_recoverability(self.X, self.classes)

    def time_canonical_tests(self):
        canonical_tests_of(self.moments, N_SAMPLES)
