"""What a phase diagram is made of: the parameters' names and the directions of prediction."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from crossphase._scalars import check_number
from crossphase.diagnosis.recommend import CROSS_MODAL_NAMES
from crossphase.errors import InputValueError
from crossphase.objectives import Objective

# Within these no product in the boundaries overflows or vanishes.
KAPPA_RANGE, VARIANCE_RANGE = (1e-30, 1e30), (1e-60, 1e60)


class Parameter(StrEnum):
    """Variances that shape the boundaries; all >= 0."""

    GAMMA_X = "gamma_x"  # of noise on the signal coordinates of X
    GAMMA_Y = "gamma_y"
    GAMMA_TILDE_X = "gamma_tilde_x"  # of the nuisance coordinates of X
    GAMMA_TILDE_Y = "gamma_tilde_y"

    @property
    def symbol(self) -> str:
        """The Greek letter with its side."""
        return f"{'γ̃' if 'tilde' in self else 'γ'}_{self[-1]}"


class Direction(StrEnum):
    """Which way prediction goes; alignment has no direction."""

    X_TO_Y = "x-to-y"
    Y_TO_X = "y-to-x"
    BOTH = "both"

    @property
    def arrow(self) -> str:
        """X → Y or Y → X."""
        return f"{self[0].upper()} → {self[-1].upper()}"

    @property
    def task(self) -> str:
        """The objective's name."""
        return CROSS_MODAL_NAMES[Objective.PREDICT_Y_FROM_X if self is Direction.X_TO_Y else Objective.PREDICT_X_FROM_Y]

    @property
    def suffix(self) -> str:
        """Of the names of what belongs to this direction: ``nu_cp`` or ``nu_cp_reverse``."""
        return "" if self is Direction.X_TO_Y else "_reverse"


WAYS = (Direction.X_TO_Y, Direction.Y_TO_X)


def check_size(value: Any, name: str, allowed: tuple[float, float]) -> float:
    """`value` as 0 or a number in the allowed range, or a sentence."""
    least, largest = allowed
    number = check_number(value, name, least=0.0, below=largest)
    if 0 < number < least:
        raise InputValueError(f"{name} must be 0 or at least {least:g}; got {number:g}. Choose other units.")
    return number
