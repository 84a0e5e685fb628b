"""How far the singular values of the signals stand above those of the nuisance: ratios, counts, thresholds."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """Signal against nuisance values of one objective: correlations for alignment, gains for prediction."""

    signal: np.ndarray  # (n_signals,)
    nuisance: np.ndarray  # (n_nuisance_pairs,)
    has_nuisance: bool  # False: the nuisance values are rounding

    @property
    def ratio(self) -> float:
        """Weakest signal over strongest nuisance; infinite without nuisance, 0 where a signal itself is 0."""
        weakest = float(self.signal.min())
        if self.has_nuisance:
            return weakest / float(self.nuisance.max())
        return math.inf if weakest > 0 else 0.0

    @property
    def n_recovered(self) -> int:
        """Signals strictly above every nuisance value; all of them exactly where the ratio is above 1."""
        return int((self.signal > (self.nuisance.max() if self.has_nuisance else 0.0)).sum())


def nuisance_threshold(signal: np.ndarray, nuisance_deviations: np.ndarray) -> float:
    """The common nuisance correlation at which the strongest nuisance value reaches the weakest signal value.

    A nuisance correlation ν has the value ν for alignment (deviations of 1) and ν times the target's nuisance standard
    deviation for prediction.
    """
    weakest, largest = float(signal.min()), float(nuisance_deviations.max(initial=0.0))
    if weakest == 0:
        return 0.0
    return weakest / largest if largest > 0 else math.inf
