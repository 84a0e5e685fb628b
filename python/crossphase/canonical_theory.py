"""What a finite sample makes of population canonical correlations, and the way back.

A few correlated directions among otherwise uncorrelated Gaussian features, in the limit of many rows and features with
``c = n_features / (n_samples - 1)`` fixed (a mean is estimated, so one degree of freedom is gone). The sample's correlation is
inflated, below a threshold it tells nothing, and the estimated directions lean away from the true ones. All functions
broadcast over correlations, sizes and feature counts.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crossphase._scalars import check_number
from crossphase._vectors import check_broadcast, check_numbers
from crossphase.errors import InputTypeError, InputValueError


class VariateOverlaps(NamedTuple):
    """Correlations, in the population, of the estimated canonical variates with the true ones; in [0, 1]."""

    x: np.ndarray
    y: np.ndarray


def smallest_detectable_correlation(
    n_samples: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike
) -> np.ndarray:
    """Population canonical correlation that must be exceeded for the sample to show it.

    ``r_c = sqrt(c_x c_y / ((1 - c_x)(1 - c_y)))`` for the squared correlation. Below it, the largest sample correlation
    behaves as with independent data, and its directions are random.

    Parameters
    ----------
    n_samples, n_features_x, n_features_y : array of integers that broadcast, >= 1
        Need ``n_features_x + n_features_y < n_samples - 1``.

    Returns
    -------
    array of the broadcast shape, in (0, 1)

    Raises
    ------
    InputValueError, InputTypeError
        A size is not a whole number, is below 1, or there are too many features.

    References
    ----------
    Bao, Hu, Pan & Zhou (2019), Ann. Stat. 47, 612-640.
    """
    cx, cy = _ratios(n_samples, n_features_x, n_features_y)
    return np.asarray(np.sqrt(_threshold(cx, cy)))


def sample_correlation(
    correlation: ArrayLike, n_samples: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike
) -> np.ndarray:
    """Where the sample's canonical correlation settles when the population's is `correlation`.

    Parameters
    ----------
    correlation : array, in [0, 1]
        Of the population; each is one of a few, the other directions being uncorrelated.
    n_samples, n_features_x, n_features_y : array of integers that broadcast, >= 1
        Need ``n_features_x + n_features_y < n_samples - 1``.

    Returns
    -------
    array of the broadcast shape, in (0, 1]
        Up to the smallest detectable correlation, the edge of the null bulk.

    References
    ----------
    Bao, Hu, Pan & Zhou (2019), Ann. Stat. 47, 612-640, Theorem 1.8.
    """
    rho, cx, cy = _checked(correlation, "correlation", n_samples, n_features_x, n_features_y)
    r = np.maximum(rho**2, _threshold(cx, cy))  # at the threshold the map ends at the bulk's edge
    return np.asarray(np.sqrt((cx + (1 - cx) * r) * (cy + (1 - cy) * r) / r))


def population_correlation(
    sample: ArrayLike, n_samples: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike
) -> np.ndarray:
    """Population canonical correlation behind one found in a sample: the inverse of `sample_correlation`.

    Parameters
    ----------
    sample : array, in [0, 1]
        Canonical correlations of a sample, of the leading directions.
    n_samples, n_features_x, n_features_y : array of integers that broadcast, >= 1
        Need ``n_features_x + n_features_y < n_samples - 1``.

    Returns
    -------
    array of the broadcast shape, in [0, 1]
        0 where the sample's correlation is within the null bulk and so tells nothing.

    Notes
    -----
    Removes the inflation, of order ``(p + q) / n (1 - ρ²)`` in the squared correlation. It presumes a bulk without
    correlation: where every direction is correlated a little, it returns too much.

    References
    ----------
    Bao, Hu, Pan & Zhou (2019), Ann. Stat. 47, 612-640.
    """
    phi, cx, cy = _checked(sample, "sample", n_samples, n_features_x, n_features_y)
    # (1 - cx)(1 - cy) r² - linear r + cx cy = 0, the larger root.
    square, constant = (1 - cx) * (1 - cy), cx * cy
    linear = phi**2 - cx * (1 - cy) - cy * (1 - cx)
    discriminant = linear**2 - 4 * square * constant
    is_outlier = (linear > 0) & (discriminant > 0)
    root = (linear + np.sqrt(np.where(is_outlier, discriminant, 0.0))) / (2 * square)
    return np.asarray(np.where(is_outlier, np.sqrt(np.clip(root, 0.0, 1.0)), 0.0))


def correlation_standard_error(
    correlation: ArrayLike, n_samples: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike
) -> np.ndarray:
    """Standard error of `population_correlation` where the population's correlation is `correlation`.

    Parameters
    ----------
    correlation : array, in [0, 1]
        Of the population; an estimate may be put in its place.
    n_samples, n_features_x, n_features_y : array of integers that broadcast, >= 1
        Need ``n_features_x + n_features_y < n_samples - 1``.

    Returns
    -------
    array of the broadcast shape, >= 0; infinity up to the smallest detectable correlation

    Notes
    -----
    Delta method: the squared sample correlation has variance ``2 (1-r)² s (2 (1-cx)(1-cy) r + cx + cy - 2 cx cy) / (n-1)``
    with ``s = (1-cx)(1-cy) - cx cy / r²``, the slope of the map from r, the squared population correlation. With few features
    that is the classical ``(1 - ρ²) / sqrt(n - 1)`` for ρ. For Gaussian rows; heavy tails add to it. It grows without
    bound towards the threshold, where the law is no longer normal.

    References
    ----------
    Bao, Hu, Pan & Zhou (2019), Ann. Stat. 47, 612-640, Theorem 1.9; the formula agrees with simulated variances to 3 %.
    """
    rho, cx, cy = _checked(correlation, "correlation", n_samples, n_features_x, n_features_y)
    r, threshold = rho**2, _threshold(cx, cy)
    is_outlier = r > threshold
    r = np.where(is_outlier, r, 1.0)
    slope = (1 - cx) * (1 - cy) - cx * cy / r**2
    spread = 2 * (1 - r) ** 2 * (2 * (1 - cx) * (1 - cy) * r + cx + cy - 2 * cx * cy)
    degrees_of_freedom = np.asarray(n_samples, dtype=np.float64) - 1
    with np.errstate(divide="ignore"):  # a slope of 0 is the threshold itself
        variance = spread / (degrees_of_freedom * slope)
    return np.asarray(np.where(is_outlier, np.sqrt(variance) / (2 * np.sqrt(r)), np.inf))


def variate_overlaps(
    correlation: ArrayLike, n_samples: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike
) -> VariateOverlaps:
    """How well the estimated canonical variates correlate with the true ones, on rows of the population.

    Their product times `correlation` is the correlation that a fitted pair of directions shows on new rows.

    Parameters
    ----------
    correlation : array, in [0, 1]
        Of the population.
    n_samples, n_features_x, n_features_y : array of integers that broadcast, >= 1
        Need ``n_features_x + n_features_y < n_samples - 1``.

    Returns
    -------
    VariateOverlaps
        Arrays of the broadcast shape; 0 up to the smallest detectable correlation.

    Notes
    -----
    With r the squared correlation, ``a = 1 / c_x - 1`` and ``b = 1 / c_y - 1``, the squared sine on the side of X over the
    squared cosine is ``(1 - r)(b r + 1) / (a b r² - 1)``; on the side of Y a and b trade places.

    References
    ----------
    Limits exist by Bykhovskaya & Gorin (2023), "High-dimensional canonical correlation analysis", arXiv:2306.16393. This
    form is 1 at the threshold, as it must be, and agrees with simulated overlaps to their error of 1 %.
    """
    rho, cx, cy = _checked(correlation, "correlation", n_samples, n_features_x, n_features_y)
    is_outlier = rho**2 > _threshold(cx, cy)
    r = np.where(is_outlier, rho**2, 1.0)
    return VariateOverlaps(
        *(np.where(is_outlier, np.sqrt(1 - _squared_sine(r, own, other)), 0.0) for own, other in ((cx, cy), (cy, cx)))
    )


def pairs_needed(
    correlation: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike, *, overlap: float = 0.0
) -> np.ndarray:
    """Fewest pairs whose sample shows a canonical correlation, or finds its directions well enough.

    Parameters
    ----------
    correlation : array, in (0, 1]
        Of the population.
    n_features_x, n_features_y : array of integers that broadcast, >= 1
    overlap : float, in [0, 1), default 0
        What both estimated variates must correlate with the true ones (`variate_overlaps`) at least. 0: detection alone.

    Returns
    -------
    array of integers, of the broadcast shape

    Raises
    ------
    InputValueError
        A correlation is 0: no number of pairs shows that; or it is so small that more than 2^60 would be needed.

    References
    ----------
    The threshold of Bao, Hu, Pan & Zhou (2019) solved for n.
    """
    rho = check_numbers(correlation, "correlation", most=1.0)
    p, q = check_counts(n_features_x, "n_features_x"), check_counts(n_features_y, "n_features_y")
    check_broadcast(correlation=rho, n_features_x=p, n_features_y=q)
    wanted = check_number(overlap, "overlap", least=0, below=1)
    with np.errstate(divide="ignore", over="ignore"):
        detection = (p + q + np.sqrt((p - q) ** 2 + 4 * p * q / rho**4)) / 2  # of degrees of freedom
    detection = np.maximum(detection, p + q)  # rounding, at a correlation of 1
    if (detection > _MOST_PAIRS).any():
        smallest = float(rho.min())
        raise InputValueError(
            f"correlation must be large enough for 2^60 pairs to show it; got {smallest:g} with up to "
            f"{int(p.max())} + {int(q.max())} features."
        )
    if wanted == 0:
        return np.asarray(np.floor(detection).astype(np.int64) + 2)  # strictly more than the threshold's, and the mean
    # The overlap grows with n, from 0 at the threshold: doubling, then bisection to whole pairs.
    low, high = detection, 2 * detection + 2
    while (short := _smaller_overlap(rho, high, p, q) < wanted).any() and (high < _MOST_PAIRS).all():
        low, high = np.where(short, high, low), np.where(short, 2 * high, high)
    while (high - low > 0.5).any() and (high - low > 1e-15 * high).any():
        middle = (low + high) / 2
        short = _smaller_overlap(rho, middle, p, q) < wanted
        low, high = np.where(short, middle, low), np.where(short, high, middle)
    return np.asarray(np.ceil(high).astype(np.int64) + 1)


_MOST_PAIRS = 2.0**60


def _smaller_overlap(rho: np.ndarray, degrees_of_freedom: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    cx, cy = p / degrees_of_freedom, q / degrees_of_freedom
    sines = np.maximum(_squared_sine(rho**2, cx, cy), _squared_sine(rho**2, cy, cx))
    return np.asarray(np.sqrt(1 - sines))


def _squared_sine(r: np.ndarray, own: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Squared sine of the angle on the side with the ratio `own`, for a squared correlation r; 1 below the threshold."""
    a, b = 1 / own - 1, 1 / other - 1
    lost = (1 - r) * (b * r + 1)
    kept = np.maximum(a * b * r**2 - 1, 0.0)  # 0 at the threshold
    with np.errstate(invalid="ignore"):  # 0 / 0 where both ratios leave no room and the correlation is 1
        return np.asarray(np.where(kept > 0, lost / (lost + kept), 1.0))


def _threshold(cx: np.ndarray, cy: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(cx * cy / ((1 - cx) * (1 - cy))))


def _checked(
    correlation: ArrayLike, name: str, n_samples: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    numbers = check_numbers(correlation, name, most=1.0)
    cx, cy = _ratios(n_samples, n_features_x, n_features_y)
    check_broadcast(**{name: numbers, "sizes": cx})
    return numbers, cx, cy


def _ratios(n_samples: ArrayLike, n_features_x: ArrayLike, n_features_y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Features over degrees of freedom, of X and of Y, in one shape."""
    n = check_counts(n_samples, "n_samples")
    p, q = check_counts(n_features_x, "n_features_x"), check_counts(n_features_y, "n_features_y")
    check_broadcast(n_samples=n, n_features_x=p, n_features_y=q)
    n, p, q = np.broadcast_arrays(n, p, q)
    too_many = p + q >= n - 1
    if too_many.any():
        first = tuple(int(i) for i in np.argwhere(too_many)[0])
        raise InputValueError(
            f"n_features_x + n_features_y must be less than n_samples - 1; got {p[first]:.0f} + {q[first]:.0f} and "
            f"{n[first]:.0f}. Reduce the features first, as by principal components."
        )
    return p / (n - 1), q / (n - 1)


def check_counts(value: ArrayLike, name: str) -> np.ndarray:
    """`value` as float64 whole numbers of at least 1, or a sentence."""
    numbers = check_numbers(value, name, least=1.0)
    if (numbers != np.round(numbers)).any():
        raise InputTypeError(f"{name} must be whole numbers; got {numbers[numbers != np.round(numbers)].ravel()[0]:g}.")
    return numbers
