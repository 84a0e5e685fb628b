"""The four regimes of the phase diagram, their names and boundaries."""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from crossphase._vectors import check_numbers
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


def ca_boundary(kappa: ArrayLike, gamma_x: ArrayLike, gamma_y: ArrayLike) -> np.ndarray:
    """Nuisance correlation ν up to which alignment recovers signal of strength `kappa`, in the homogeneous spiked model.

    ``ν = κ² / sqrt((κ² + γ_x)(κ² + γ_y))``: the signal's own canonical correlation.

    Parameters
    ----------
    kappa : array of any shape, >= 0
        Root of the signal's variance, in feature units.
    gamma_x, gamma_y : float or array that broadcasts with `kappa`, >= 0
        Noise variance on the signal coordinates of X and of Y, in squared feature units.

    Returns
    -------
    array of the broadcast shape, in [0, 1]; 0 where `kappa` is 0

    Raises
    ------
    InputValueError, InputTypeError
        A parameter is negative, not finite or not numeric.

    References
    ----------
    Kamai et al. (2026), "When to Align, When to Predict", Prop. 3.1.
    """
    kappa = check_numbers(kappa, "kappa")
    return np.asarray(_signal_share(kappa, gamma_x, "gamma_x") * _signal_share(kappa, gamma_y, "gamma_y"))


def cp_boundary(kappa: ArrayLike, gamma_x: ArrayLike, gamma_tilde_y: ArrayLike) -> np.ndarray:
    """Nuisance correlation ν up to which predicting Y from X recovers signal of strength `kappa`.

    ``ν = κ² / (sqrt(κ² + γ_x) sqrt(γ̃_y))``: the signal's gain over the nuisance's standard deviation in Y. For Y → X, pass
    γ_y and γ̃_x.

    Parameters
    ----------
    kappa : array of any shape, >= 0
        Root of the signal's variance, in feature units.
    gamma_x : float or array that broadcasts with `kappa`, >= 0
        Noise variance on the signal coordinates of the source.
    gamma_tilde_y : float or array that broadcasts with `kappa`, >= 0
        Variance of the nuisance coordinates of the target.

    Returns
    -------
    array of the broadcast shape, >= 0; 0 where `kappa` is 0, above 1 where every nuisance correlation is survived

    Raises
    ------
    InputValueError, InputTypeError
        A parameter is negative, not finite or not numeric.

    References
    ----------
    Kamai et al. (2026), "When to Align, When to Predict", Prop. 3.1.
    """
    kappa = check_numbers(kappa, "kappa")
    gains = kappa * _signal_share(kappa, gamma_x, "gamma_x")
    return _over(gains, np.sqrt(check_numbers(gamma_tilde_y, "gamma_tilde_y")))


def _signal_share(kappa: np.ndarray, gamma: ArrayLike, name: str) -> np.ndarray:
    """``κ / sqrt(κ² + γ)``: correlation of a signal with its noisy coordinate."""
    return _over(kappa, np.hypot(kappa, np.sqrt(check_numbers(gamma, name))))


def _over(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Quotient, with 0 / 0 = 0: no signal is not recovered, whatever it competes with."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(numerator > 0, np.divide(numerator, denominator), 0.0))
