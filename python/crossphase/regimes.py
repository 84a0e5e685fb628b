"""The four regimes of the phase diagram, their names and boundaries."""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np

from crossphase.errors import InputValueError


class Regime(StrEnum):
    """Which objectives keep every signal direction above every nuisance direction."""

    BOTH = "both"
    CA_ONLY = "ca_only"
    CP_ONLY = "cp_only"
    NEITHER = "neither"


def classify(delta_ca: float, delta_cp: float) -> Regime:
    """Regime of two separation ratios; a ratio recovers only if strictly above 1, infinity included.

    References
    ----------
    Kamai et al. (2026), "When to Align, When to Predict", Prop. 3.1.
    """
    for name, value in (("delta_ca", delta_ca), ("delta_cp", delta_cp)):
        if math.isnan(value) or value < 0:
            raise InputValueError(f"{name} must be a number >= 0 or infinity; got {value}.")
    if delta_ca > 1 and delta_cp > 1:
        return Regime.BOTH
    if delta_ca > 1:
        return Regime.CA_ONLY
    return Regime.CP_ONLY if delta_cp > 1 else Regime.NEITHER


def ca_boundary(kappa: np.ndarray, gamma_x: float, gamma_y: float) -> np.ndarray:
    """Nuisance correlation ν up to which alignment recovers signal of strength `kappa`, in the homogeneous spiked model.

    ``ν = κ² / sqrt((κ² + γ_x)(κ² + γ_y))``; Kamai et al. (2026), Prop. 3.1.
    """
    kappa2 = np.square(kappa)
    return _over_root(kappa2, (kappa2 + gamma_x) * (kappa2 + gamma_y))


def cp_boundary(kappa: np.ndarray, gamma_x: float, gamma_tilde_y: float) -> np.ndarray:
    """Nuisance correlation ν up to which predicting Y from X recovers signal of strength `kappa`.

    ``ν = κ² / (sqrt(κ² + γ_x) sqrt(γ̃_y))``; Kamai et al. (2026), Prop. 3.1. For Y → X, pass γ_y and γ̃_x.
    """
    kappa2 = np.square(kappa)
    return _over_root(kappa2, (kappa2 + gamma_x) * gamma_tilde_y)


def _over_root(kappa2: np.ndarray, variances: np.ndarray) -> np.ndarray:
    """No signal recovers nothing (κ = γ = 0 is a corner, not an error); nuisance without variance never stands above signal."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(kappa2 > 0, kappa2 / np.sqrt(variances), 0.0)
