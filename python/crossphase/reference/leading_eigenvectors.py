"""Leading eigenvectors from all of them."""

from __future__ import annotations

import numpy as np


def leading_eigenvectors(matrix: np.ndarray, k: int) -> tuple[int, np.ndarray, np.ndarray]:
    """How many were found (k), the k largest eigenvalues, ascending, and their eigenvectors as rows, (k, p)."""
    values, vectors = np.linalg.eigh(matrix)
    return k, values[-k:], vectors[:, -k:].T
