"""Real data that ships with the package: two descriptions of 2000 handwritten digits.

UCI Multiple Features (R. P. W. Duin), CC BY 4.0; see LICENSE.txt beside this file.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

DESCRIPTION = (
    "2000 handwritten digits, described twice: X, 76 Fourier coefficients of the outline; Y, 64 Karhunen-Loève\n"
    "coefficients of the picture. Labels: the digit. (UCI Multiple Features, R. P. W. Duin, CC BY 4.0.)"
)


def load_demo() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """X (2000, 76) and Y (2000, 64), float32, and the digits (2000,), integers."""
    folder = Path(__file__).parent
    x, y, labels = (np.load(folder / f"digits_{name}.npy") for name in ("fourier", "karhunen_loeve", "labels"))
    return x, y, labels
