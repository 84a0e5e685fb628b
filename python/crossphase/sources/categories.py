"""Categories and missing values as plain arrays: names where codes were, None where nothing was."""

from __future__ import annotations

import numpy as np

from crossphase.errors import InputValueError


def decoded(codes: np.ndarray, categories: np.ndarray) -> np.ndarray:
    """Category of each code; negative codes are missing values."""
    if codes.size and codes.max() >= len(categories):
        raise InputValueError(f"a category code is {codes.max()}; there are {len(categories)} categories.")
    values = categories[np.maximum(codes, 0)] if len(categories) else np.full(codes.shape, None)
    return with_gaps(values, codes < 0)


def with_gaps(values: np.ndarray, is_missing: np.ndarray) -> np.ndarray:
    """The values, with None where they are missing."""
    if is_missing.any():
        values = values.astype(object)
        values[is_missing] = None
    return values
