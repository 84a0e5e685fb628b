"""Scores of samples on weights, in one product."""

from __future__ import annotations

import numpy as np

from crossphase.reference.moments import to_float64


def project(samples: np.ndarray, mean: np.ndarray, weights: np.ndarray, scores: np.ndarray, *, n_threads: int) -> None:
    """``scores[:] = (samples - mean) @ weights``, float64."""
    scores[:] = (to_float64(samples) - mean) @ weights
