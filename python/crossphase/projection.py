"""Scores of samples on weights, whatever type and layout the samples have."""

from __future__ import annotations

import numpy as np

from crossphase._backends import select
from crossphase.samples import Samples


def project(
    samples: Samples,
    mean: np.ndarray,
    weights: np.ndarray,
    *,
    out: np.ndarray | None = None,
    n_threads: int,
    backend: str | None = None,
) -> np.ndarray:
    """Centred scores ``(samples - mean) @ weights``, shape (n_samples, k), float64.

    Parameters
    ----------
    samples : Samples
        ``(n_samples, n_features)``; read once, converted a few rows at a time.
    mean : array, shape (n_features,)
    weights : array, shape (n_features, k)
    out : array of float64, shape (n_samples, k), optional
        Filled and returned; any strides.
    """
    implementation = select("projection", samples.values, backend=backend)
    scores = np.empty((samples.n_samples, weights.shape[1])) if out is None else out
    implementation.run(
        samples.values,
        np.ascontiguousarray(mean, dtype=np.float64),
        np.ascontiguousarray(weights, dtype=np.float64),
        scores,
        n_threads=n_threads,
    )
    return scores
