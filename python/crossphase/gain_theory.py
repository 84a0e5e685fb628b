"""What a finite sample makes of population prediction gains, and the way back.

The prediction operator of a sample is the population's plus noise of variance ``noise² / (n_samples - 1)`` an entry, `noise`
being the standard deviation of what X leaves unexplained of each column of Y, alike in all directions of Y. A few gains above a
background of none; rows and features many, in proportion. Where the columns of Y differ in their residuals, scale them first.
All functions broadcast.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crossphase._vectors import check_broadcast, check_numbers
from crossphase.canonical_theory import check_counts
from crossphase.errors import InputValueError


def largest_noise_gain(
    noise: ArrayLike, n_samples: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike
) -> np.ndarray:
    """Largest gain that noise alone shows: ``noise (sqrt(n_features_x) + sqrt(n_features_y)) / sqrt(n_samples - 1)``.

    Parameters
    ----------
    noise : array, >= 0
        Residual standard deviation of the target's columns, in their units.
    n_samples, n_features_x, n_features_y : array of integers that broadcast, >= 1; n_samples >= 2

    Returns
    -------
    array of the broadcast shape, in units of the target

    Raises
    ------
    InputValueError, InputTypeError
        An argument is negative, not finite, not a whole number where one is needed, or shapes do not broadcast.

    References
    ----------
    Benaych-Georges & Nadakuditi (2012), J. Multivar. Anal. 111, 120-135.
    """
    scale, aspect = _noise_scale(noise, n_samples, n_features_x, n_features_y)
    return np.asarray(scale * (1 + np.sqrt(aspect)))


def sample_gain(
    gain: ArrayLike, noise: ArrayLike, n_samples: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike
) -> np.ndarray:
    """Where the sample's prediction gain settles when the population's is `gain`.

    Parameters
    ----------
    gain : array, >= 0
        Singular value of the population's prediction operator, in units of the target.
    noise : array, >= 0
        Residual standard deviation of the target's columns.
    n_samples, n_features_x, n_features_y : array of integers that broadcast, >= 1; n_samples >= 2

    Returns
    -------
    array of the broadcast shape: `largest_noise_gain` where the gain is too small to be seen

    References
    ----------
    Benaych-Georges & Nadakuditi (2012), J. Multivar. Anal. 111, 120-135.
    """
    x, scale, aspect = _checked(gain, "gain", noise, n_samples, n_features_x, n_features_y)
    x = np.maximum(x, scale * aspect**0.25)  # there the map ends at the edge of the noise
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(x > 0, scale / x, 0.0)
    return np.asarray(x * np.sqrt((1 + ratio**2) * (1 + aspect * ratio**2)))


def population_gain(
    sample: ArrayLike, noise: ArrayLike, n_samples: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike
) -> np.ndarray:
    """Population gain behind one found in a sample, the noise being known: the inverse of `sample_gain`.

    Parameters
    ----------
    sample : array, >= 0
        Singular values of the sample's prediction operator, in units of the target.
    noise : array, >= 0
        Residual standard deviation of the target's columns.
    n_samples, n_features_x, n_features_y : array of integers that broadcast, >= 1; n_samples >= 2

    Returns
    -------
    array of the broadcast shape, >= 0: 0 where noise alone reaches as far

    References
    ----------
    Gavish & Donoho (2017), IEEE Trans. Inf. Theory 63, 2137-2152, section IV.
    """
    y, scale, aspect = _checked(sample, "sample", noise, n_samples, n_features_x, n_features_y)
    is_outlier = y > scale * (1 + np.sqrt(aspect))
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(is_outlier, scale / y, 0.0)  # without units: no scale of the data over- or underflows
    rest = 1 - (1 + aspect) * ratio**2
    root = np.sqrt(np.maximum(rest**2 - 4 * aspect * ratio**4, 0.0))
    return np.asarray(np.where(is_outlier, y * np.sqrt((rest + root) / 2), 0.0))


def _checked(
    gain: ArrayLike,
    name: str,
    noise: ArrayLike,
    n_samples: ArrayLike,
    n_features_x: ArrayLike,
    n_features_y: ArrayLike,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    values = check_numbers(gain, name)
    scale, aspect = _noise_scale(noise, n_samples, n_features_x, n_features_y)
    check_broadcast(**{name: values, "noise and sizes": scale})
    return values, scale, aspect


def _noise_scale(
    noise: ArrayLike, n_samples: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """``noise sqrt(more / (n - 1))`` and ``fewer / more``, of the two feature counts."""
    deviation, n = check_numbers(noise, "noise"), check_counts(n_samples, "n_samples")
    p, q = check_counts(n_features_x, "n_features_x"), check_counts(n_features_y, "n_features_y")
    check_broadcast(noise=deviation, n_samples=n, n_features_x=p, n_features_y=q)
    if (n < 2).any():
        raise InputValueError("n_samples must be at least 2, for a covariance; got 1.")
    more, fewer = np.maximum(p, q), np.minimum(p, q)
    return np.asarray(deviation * np.sqrt(more / (n - 1))), np.asarray(fewer / more)
