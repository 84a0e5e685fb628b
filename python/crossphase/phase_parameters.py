"""The spiked-model parameters that place a pair of views in the phase plane."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PhaseParameters:
    """One number each for signal and nuisance.

    In the units of the views for the published procedure; for the subspace method in units in which the signal coordinates of
    either view have variance 1.
    """

    kappa: float  # signal strength, root of a covariance
    nu: float  # largest nuisance correlation
    gamma_x: float  # noise variance on signal coordinates
    gamma_y: float
    gamma_tilde_x: float  # mean variance of nuisance coordinates
    gamma_tilde_y: float
