"""Scores of samples on weights, in one product."""

from __future__ import annotations

import numpy as np

from crossphase.reference.moments import to_float64


def project(samples: np.ndarray, mean: np.ndarray, weights: np.ndarray, *, n_threads: int) -> np.ndarray:
    """``(samples - mean) @ weights``, float64."""
    return np.asarray((to_float64(samples) - mean) @ weights)
