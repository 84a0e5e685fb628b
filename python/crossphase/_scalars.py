"""Checks of integers, real numbers and choices among names."""

from __future__ import annotations

import math
from enum import StrEnum
from typing import Any, TypeVar

import numpy as np

from crossphase.errors import InputTypeError, InputValueError

_Choice = TypeVar("_Choice", bound=StrEnum)


def check_integer(value: Any, name: str, *, least: int, most: int = 2**62) -> int:
    """`value` as an int, or a sentence that names the argument and its bound; by default it must fit into 64 bits."""
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | np.integer):
        raise InputTypeError(f"{name} must be an integer of at least {least}; got {value!r}.")
    if value < least:
        raise InputValueError(f"{name} must be at least {least}; got {value}.")
    if value > most:
        raise InputValueError(f"{name} must be at most {most}; got {value}.")
    return int(value)


def check_number(
    value: Any, name: str, *, least: float = -math.inf, above: float = -math.inf, below: float = math.inf
) -> float:
    """`value` as a finite float with ``least <= value``, ``above < value < below``, or a sentence."""
    bounds = [f">= {least:g}" if least > -math.inf else "", f"> {above:g}" if above > -math.inf else ""]
    bounds.append(f"< {below:g}" if below < math.inf else "")
    rule = f"{name} must be a finite number{' ' if any(bounds) else ''}{' and '.join(filter(None, bounds))}"
    if isinstance(value, bool | np.bool_) or not isinstance(value, int | float | np.integer | np.floating):
        raise InputTypeError(f"{rule}; got {value!r}.")
    number = float(value)
    if not (math.isfinite(number) and number >= least and above < number < below):
        raise InputValueError(f"{rule}; got {value}.")
    return number


def check_choice(value: Any, name: str, choices: type[_Choice]) -> _Choice:
    """The member of an enum that `value` names, or a sentence that lists them."""
    try:
        return choices(value)
    except ValueError:
        raise InputValueError(f"{name} must be one of {', '.join(choices)}; got {value!r}.") from None
