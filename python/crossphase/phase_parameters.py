"""The spiked-model parameters that place a pair of views in the phase plane."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PhaseParameters:
    """One number each for signal and nuisance, in the units of the prepared views."""

    kappa: float  # signal strength, root of a covariance
    nu: float  # largest nuisance correlation
    gamma_x: float  # noise variance on signal coordinates
    gamma_y: float
    gamma_tilde_x: float  # mean variance of nuisance coordinates
    gamma_tilde_y: float
