"""The four regimes of the phase diagram, their names and boundaries."""

from __future__ import annotations

import math
from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from crossphase._vectors import check_broadcast, check_numbers
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
    kappa, gamma_x, gamma_y = _checked(kappa=kappa, gamma_x=gamma_x, gamma_y=gamma_y)
    with np.errstate(over="ignore"):  # 1 / inf: the correlation is below 1e-154
        product = _variance_over_signal(kappa, gamma_x) * _variance_over_signal(kappa, gamma_y)
    return np.asarray(1 / np.sqrt(product))


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
    kappa, gamma_x, gamma_tilde_y = _checked(kappa=kappa, gamma_x=gamma_x, gamma_tilde_y=gamma_tilde_y)
    gains = kappa / np.sqrt(_variance_over_signal(kappa, gamma_x))
    with np.errstate(
        divide="ignore", invalid="ignore", over="ignore"
    ):  # nuisance without variance is survived at any correlation
        return np.asarray(np.where(gains > 0, gains / np.sqrt(gamma_tilde_y), 0.0))


def _checked(**parameters: ArrayLike) -> list[np.ndarray]:
    numbers = {name: check_numbers(value, name) for name, value in parameters.items()}
    check_broadcast(**numbers)
    return list(numbers.values())


def _variance_over_signal(kappa: np.ndarray, gamma: np.ndarray) -> np.ndarray:
    """``(κ² + γ) / κ²``, in [1, inf]: a ratio without units, so that no scale of the data over- or underflows."""
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        return np.asarray(np.where(kappa > 0, 1 + gamma / kappa / kappa, np.inf))
