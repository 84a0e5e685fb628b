"""How strongly to regularize covariances: by rule, from moments alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from crossphase._scalars import check_number
from crossphase.covariances import PairMoments, PooledMoments, pooled
from crossphase.errors import InputValueError

N_FOLDS = 5
_GRID = np.logspace(
    -6, 2, 17
)  # relative to the mean variance: from rounding noise to "directions of the cross-covariance"
_MOST = 1e6  # a shrinkage of 1 would be an infinite ridge


class RidgeRule(StrEnum):
    """Ways to choose the ridge from the data."""

    AUTO = "auto"  # cross-validation if the moments of folds are at hand, else OAS
    CROSS_VALIDATION = "cross_validation"
    LEDOIT_WOLF = "ledoit_wolf"
    OAS = "oas"

    @property
    def needs_folds(self) -> bool:
        return self is not RidgeRule.OAS


@dataclass(frozen=True, slots=True)
class Ridges:
    """A ridge for each view, in units of the mean variance of its columns."""

    x: float
    y: float
    rule: RidgeRule | None  # None: given as a number


HeldOutLoss = Callable[[PairMoments, PairMoments, float], float]  # of (training moments, held-out moments, ridge)


def check_ridge(ridge: Any) -> float | RidgeRule:
    """`ridge` as a number >= 0 or a rule, or a sentence that lists both."""
    if isinstance(ridge, str):
        if ridge not in list(RidgeRule):
            raise InputValueError(f"ridge must be a number >= 0 or one of {', '.join(RidgeRule)}; got {ridge!r}.")
        return RidgeRule(ridge)
    return check_number(ridge, "ridge", least=0)


def choose_ridges(ridge: float | RidgeRule, folds: Sequence[PairMoments], held_out_loss: HeldOutLoss) -> Ridges:
    """The number itself, or what the rule finds in the moments of disjoint sets of rows."""
    if not isinstance(ridge, RidgeRule):
        return Ridges(ridge, ridge, None)
    if ridge is RidgeRule.AUTO:
        ridge = RidgeRule.CROSS_VALIDATION if len(folds) > 1 else RidgeRule.OAS
    if ridge.needs_folds and len(folds) < 2:
        raise InputValueError(
            f'ridge="{ridge}" compares the moments of several sets of rows and got one; pass a list of CrossMoments, or '
            'ridge="oas", or a number.'
        )
    if ridge is RidgeRule.CROSS_VALIDATION:
        best = _cross_validated(folds, held_out_loss)
        return Ridges(best, best, ridge)
    both = pooled(folds)
    if ridge is RidgeRule.OAS:
        return Ridges(oas_ridge(both.cov_xx, both.n_samples), oas_ridge(both.cov_yy, both.n_samples), ridge)
    counts = [fold.n_samples for fold in folds]
    x, y = (ledoit_wolf_ridge([getattr(fold, name) for fold in folds], counts) for name in ("cov_xx", "cov_yy"))
    return Ridges(x, y, ridge)


def oas_ridge(cov: np.ndarray, n_samples: int) -> float:
    """Ridge of the oracle approximating shrinkage estimator, in units of the mean variance; for Gaussian rows.

    Shrinkage α towards the mean variance m is ``(1 - α)(cov + ridge m I)`` with ``ridge = α / (1 - α)``; canonical directions
    do not notice the factor.

    References
    ----------
    Chen, Wiesel, Eldar & Hero (2010), IEEE Trans. Signal Process. 58, 5016-5029, eq. 23.
    """
    p = len(cov)
    trace, square = float(np.trace(cov)), float(np.vdot(cov, cov))
    distance = square - trace**2 / p
    if distance <= 0:
        return _MOST
    shrinkage = min(((1 - 2 / p) * square + trace**2) / ((n_samples + 1 - 2 / p) * distance), 1.0)
    return _as_ridge(shrinkage)


def ledoit_wolf_ridge(covs: Sequence[np.ndarray], counts: Sequence[int]) -> float:
    """Ridge of Ledoit & Wolf's shrinkage, in units of the mean variance, from covariances of disjoint sets of rows.

    The optimal shrinkage is ``E|S - Σ|² / E|S - m I|²``. Ledoit & Wolf estimate the numerator from fourth moments of the
    rows; here it is the scatter of the sets' own covariances about their mean, an unbiased estimate for rows of any
    distribution that needs no second pass.

    References
    ----------
    Ledoit & Wolf (2004), J. Multivar. Anal. 88, 365-411.
    """
    weights = np.array(counts, dtype=np.float64) / sum(counts)
    mean = np.einsum("k,kij->ij", weights, np.stack(covs))
    spread = sum(w**2 * float(np.sum((cov - mean) ** 2)) for w, cov in zip(weights, covs, strict=True))
    noise = spread * len(covs) / (len(covs) - 1)
    m = float(np.trace(mean)) / len(mean)
    distance = float(np.sum((mean - m * np.eye(len(mean))) ** 2))
    return _MOST if distance <= 0 else _as_ridge(min(noise / distance, 1.0))


def _as_ridge(shrinkage: float) -> float:
    return min(shrinkage / max(1 - shrinkage, 1 / _MOST), _MOST)


def _cross_validated(folds: Sequence[PairMoments], held_out_loss: HeldOutLoss) -> float:
    """The ridge of least mean loss on the fold that was left out."""
    training: list[PooledMoments] = [pooled([*folds[:f], *folds[f + 1 :]]) for f in range(len(folds))]
    weights = np.array([fold.n_samples for fold in folds], dtype=np.float64)
    losses = [
        np.average([held_out_loss(*pair, ridge) for pair in zip(training, folds, strict=True)], weights=weights)
        for ridge in _GRID
    ]
    return float(_GRID[int(np.argmin(losses))])
