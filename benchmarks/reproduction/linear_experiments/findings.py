"""A number that an experiment is expected to give, beside the one found."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class Source(StrEnum):
    """Where an expected number comes from."""

    PUBLISHED = "published"  # stated in, or read from a figure of, the first paper
    EXACT = "exact"  # follows from the model's formulas
    SIMULATED = "simulated"  # an earlier, independent simulation of the published code's formulas
    NONE = "none"  # nothing is known beforehand; the number explains another


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the table: expected and found, and whether they agree."""

    quantity: str
    expected: float | None
    source: Source
    found: float
    spread: float  # standard deviation of `found` over seeds; 0 where nothing is random
    tolerance: float  # how far off `found` may be and still agree
    reason: str  # why that far

    @classmethod
    def unexpected(cls, quantity: str, found: float, spread: float = 0.0) -> Finding:
        """A number that nobody stated, found all the same."""
        return cls(quantity, None, Source.NONE, found, spread, 0.0, "")

    @property
    def agrees(self) -> bool | None:
        """None where nothing is expected."""
        return None if self.expected is None else bool(abs(self.found - self.expected) <= self.tolerance)


def over_seeds(values: np.ndarray) -> tuple[float, float]:
    """Mean and standard deviation of one number a seed."""
    return float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0
