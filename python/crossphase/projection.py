"""Scores of samples on weights, whatever type and layout the samples have."""

from __future__ import annotations

import numpy as np

from crossphase._backends import select
from crossphase.samples import Samples


def project(
    samples: Samples, mean: np.ndarray, weights: np.ndarray, *, n_threads: int, backend: str | None = None
) -> np.ndarray:
    """Centred scores ``(samples - mean) @ weights``, shape (n_samples, k), float64.

    Parameters
    ----------
    samples : Samples
        ``(n_samples, n_features)``; read once, converted a few rows at a time.
    mean : array, shape (n_features,)
    weights : array, shape (n_features, k)
    """
    implementation = select("projection", samples.values, backend=backend)
    scores = implementation.run(
        samples.values,
        np.ascontiguousarray(mean, dtype=np.float64),
        np.ascontiguousarray(weights, dtype=np.float64),
        n_threads=n_threads,
    )
    return np.asarray(scores)
