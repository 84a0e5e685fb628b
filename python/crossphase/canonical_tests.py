"""Are sample canonical correlations more than chance? Null laws of their roots, for Gaussian rows, from correlations alone."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crossphase._scalars import check_integer
from crossphase._vectors import check_numbers
from crossphase.covariances import PairCovariances
from crossphase.errors import InputValueError
from crossphase.tracy_widom import tracy_widom_survival


@dataclass(frozen=True, slots=True, eq=False)
class CanonicalTests:
    """p-values of "at most k correlations of the population are above 0", k = 0, 1, ..., by two statistics.

    Both never decrease with k: a direction is believed only if all before it are.
    """

    correlations: np.ndarray  # (k,), descending, of the sample
    largest_root: np.ndarray  # (k,), p-values of the largest remaining correlation: few strong directions
    wilks: np.ndarray  # (k,), p-values of all remaining correlations together: many weak ones


class LogitLaw(NamedTuple):
    """Centre and scale at which ``log(r / (1 - r))``, r the largest squared correlation, has the Tracy-Widom law."""

    centre: np.ndarray
    scale: np.ndarray


def largest_root_law(n_samples: ArrayLike, fewer: ArrayLike, more: ArrayLike) -> LogitLaw:
    """Johnstone's approximation for independent Gaussian data of `fewer` and `more` features. Arrays broadcast.

    References
    ----------
    Johnstone (2008), Ann. Stat. 36, 2638-2716.
    """
    total = np.asarray(n_samples, dtype=np.float64) - 2
    a = 2 * np.arcsin(np.sqrt((np.asarray(fewer) - 0.5) / total))
    b = 2 * np.arcsin(np.sqrt((np.asarray(more) - 0.5) / total))
    centre = 2 * np.log(np.tan((a + b) / 2))
    scale = np.cbrt(16 / total**2 / (np.sin(a + b) ** 2 * np.sin(a) * np.sin(b)))
    return LogitLaw(centre, scale)


def largest_root_level(level: float, n_samples: int, n_features_x: int, n_features_y: int) -> float:
    """Correlation that the largest of independent Gaussian data exceeds with probability `level`.

    For sizes that `canonical_tests` takes; they are not checked again.
    """
    fewer, more = sorted((n_features_x, n_features_y))
    if fewer == 1:
        from scipy.special import betainccinv  # noqa: PLC0415

        return float(np.sqrt(betainccinv(more / 2, (n_samples - 1 - more) / 2, level)))
    law = largest_root_law(n_samples, fewer, more)
    return float(np.sqrt(1 / (1 + np.exp(-law.centre - law.scale * _tracy_widom_point(level)))))


@lru_cache(maxsize=16)
def _tracy_widom_point(level: float) -> float:
    """What the Tracy-Widom law exceeds with probability `level`."""
    from scipy.optimize import brentq  # noqa: PLC0415

    return float(brentq(lambda x: float(tracy_widom_survival(x)) - level, -10.0, 60.0, xtol=1e-9))


def canonical_tests(correlations: ArrayLike, n_samples: int, n_features_x: int, n_features_y: int) -> CanonicalTests:
    """Test one after the other how many canonical correlations are more than chance.

    Step k looks at the correlations from the k-th on (counted from 0) as if the k directions before were taken out of both
    views and of the rows' degrees of freedom.

    Parameters
    ----------
    correlations : array, shape (min(n_features_x, n_features_y),), descending, in [0, 1]
    n_samples : int
        Rows, of which the mean was subtracted.
    n_features_x, n_features_y : int
        Linearly independent columns (ranks). Need ``n_features_x + n_features_y < n_samples - 1``.

    Returns
    -------
    CanonicalTests

    Raises
    ------
    InputValueError, InputTypeError
        Too many features for the rows, or correlations of another number, order or range.

    Notes
    -----
    `largest_root`: with one feature left on a side the exact Beta law, else Tracy-Widom by Johnstone's approximation,
    conservative with two or three features a side (a nominal .05 is .02 to .04). `wilks`: Rao's F for Wilks' Λ, exact
    with one or two features on a side. Both are for Gaussian rows: heavy tails, and rows that are not independent, break them;
    `count_shared_directions` resamples instead. About 10 ms for 44 roots.

    References
    ----------
    Johnstone (2008), Ann. Stat. 36, 2638-2716. Rao (1973), Linear Statistical Inference, 8c.5. Closure over the steps: Winkler
    et al. (2020), NeuroImage 220, 117065.
    """
    n = check_integer(n_samples, "n_samples", least=4)
    p = check_integer(n_features_x, "n_features_x", least=1)
    q = check_integer(n_features_y, "n_features_y", least=1)
    if p + q >= n - 1:
        raise InputValueError(
            f"n_features_x + n_features_y must be less than n_samples - 1; got {p} + {q} and {n}. Reduce the features "
            "first, as by principal components."
        )
    phi = check_numbers(correlations, "correlations", most=1.0)
    fewer, more = min(p, q), max(p, q)
    if phi.shape != (fewer,):
        raise InputValueError(f"correlations must have shape ({fewer},), one for each direction; got {phi.shape}.")
    if (np.diff(phi) > 0).any():
        raise InputValueError("correlations must be in descending order; sort them first.")
    steps = np.arange(fewer)
    return CanonicalTests(
        phi,
        np.maximum.accumulate(_largest_root_p(phi, n - steps, fewer - steps, more - steps)),
        np.maximum.accumulate(_wilks_p(phi, n - steps, fewer - steps, more - steps)),
    )


def canonical_tests_of(moments: PairCovariances, n_samples: int) -> CanonicalTests:
    """`canonical_tests` from covariances: of both views' columns, as many as are linearly independent.

    Parameters
    ----------
    moments : CrossMoments, or anything with `cov_xx`, `cov_yy` and `cov_xy`
    n_samples : int
        Rows the covariances come from.
    """
    from crossphase.spectra import coherence  # noqa: PLC0415  (spectra takes its null level from here)

    found = coherence(moments)
    fewer = min(found.rank_x, found.rank_y)
    return canonical_tests(found.correlations[:fewer], n_samples, found.rank_x, found.rank_y)


def _largest_root_p(phi: np.ndarray, n: np.ndarray, fewer: np.ndarray, more: np.ndarray) -> np.ndarray:
    from scipy.special import betaincc  # noqa: PLC0415

    squared = phi**2
    p_values = np.ones(len(phi))
    is_beta = fewer == 1
    p_values[is_beta] = betaincc(more[is_beta] / 2, (n - 1 - more)[is_beta] / 2, squared[is_beta])
    inside = ~is_beta & (squared > 0)
    certain = squared >= 1
    law = largest_root_law(n[inside], fewer[inside], more[inside])
    with np.errstate(divide="ignore"):
        logit = np.log(squared[inside]) - np.log1p(-np.where(certain[inside], 0.0, squared[inside]))
    p_values[inside] = tracy_widom_survival((logit - law.centre) / law.scale)
    p_values[certain] = 0.0
    return p_values


def _wilks_p(phi: np.ndarray, n: np.ndarray, fewer: np.ndarray, more: np.ndarray) -> np.ndarray:
    """Rao's F of every step: Λ is the product of ``1 - φ²`` over what remains."""
    from scipy.special import fdtrc  # noqa: PLC0415

    with np.errstate(divide="ignore"):
        log_lambda = np.cumsum(np.log1p(-(phi[::-1] ** 2)))[::-1]
    cells = (fewer * more).astype(np.float64)
    squares = (fewer**2 + more**2 - 5).astype(np.float64)
    root = np.sqrt(np.where(squares > 0, np.maximum(cells**2 - 4, 1.0) / np.maximum(squares, 1.0), 1.0))
    root = np.where(cells <= 2, 1.0, root)
    denominator = (n - 1 - (fewer + more + 1) / 2) * root - cells / 2 + 1
    with np.errstate(over="ignore", invalid="ignore"):
        ratio = np.expm1(-log_lambda / root) * denominator / cells
    return np.asarray(np.where(np.isinf(ratio), 0.0, fdtrc(cells, denominator, ratio)))
