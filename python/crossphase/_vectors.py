"""Checks of parameters that hold one number for each of several things."""

from __future__ import annotations

from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError


def check_numbers(value: Any, name: str, *, least: float = 0.0, most: float = np.inf) -> np.ndarray:
    """`value` as a float64 array of finite numbers from `least` to `most`, or a sentence that names the first offender."""
    bounds = [f" and >= {least:g}" if least > -np.inf else "", f" and <= {most:g}" if most < np.inf else ""]
    rule = f"{name} must be finite{''.join(bounds)}"
    try:
        array = np.asarray(value)
    except ValueError:
        raise InputTypeError(f"{rule}; got a ragged {type(value).__name__}.") from None
    if array.dtype.kind not in "iuf":
        shown = repr(value) if array.ndim == 0 else f"entries of type {array.dtype}"
        raise InputTypeError(f"{rule}; got {shown}.")
    numbers = array.astype(np.float64)
    bad = ~((numbers >= least) & (numbers <= most) & np.isfinite(numbers))
    if bad.any():
        first = tuple(int(i) for i in np.argwhere(bad)[0])
        index = str(list(first)) if first else ""
        raise InputValueError(f"{rule}; got {name}{index} = {numbers[first]:g}.")
    return numbers


def check_broadcast(**arrays: np.ndarray) -> None:
    """The arrays have shapes that broadcast, or a sentence with each one's name."""
    try:
        np.broadcast_shapes(*(array.shape for array in arrays.values()))
    except ValueError:
        shapes = ", ".join(f"{name} {array.shape}" for name, array in arrays.items())
        raise InputValueError(f"{', '.join(arrays)} must have shapes that broadcast; got {shapes}.") from None


def read_only(array: np.ndarray) -> np.ndarray:
    """The same array, guarded: what others are derived from must not change under them."""
    array.setflags(write=False)
    return array


def check_vector(value: Any, name: str, length: int, entries: str, *, most: float = np.inf) -> np.ndarray:
    """`value` as a read-only vector of `length` numbers in [0, most]; one number stands for that many equal ones.

    `entries` says what there is one of for each, for the sentence.
    """
    numbers = check_numbers(value, name, most=most)
    if numbers.ndim == 0:
        numbers = np.full(length, numbers)
    if numbers.shape != (length,):
        raise InputValueError(
            f"{name} must be one number or a vector with one for each of the {length} {entries}; got shape {numbers.shape}."
        )
    return read_only(numbers)
