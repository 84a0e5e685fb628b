"""A number that an experiment found, beside the one expected."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Source(StrEnum):
    """Where an expected number comes from."""

    PUBLISHED = "published"  # stated in, or read from a figure of, the paper
    EXACT = "exact"  # follows from the model's formulas
    SIMULATED = "simulated"  # an earlier, independent simulation of the published code's formulas


@dataclass(frozen=True, slots=True)
class Expected:
    """What a number should be."""

    value: float
    source: Source
    tolerance: float  # how far off it may be found and still agree
    reason: str  # why that far


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table."""

    quantity: str
    found: float
    spread: float = 0.0  # standard deviation over seeds; 0 where nothing is random
    expected: Expected | None = None  # None: nobody stated it; the number explains others

    @property
    def agrees(self) -> bool | None:
        """None where nothing is expected."""
        if self.expected is None:
            return None
        return bool(abs(self.found - self.expected.value) <= self.expected.tolerance)


def over_seeds(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of one number a seed."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
