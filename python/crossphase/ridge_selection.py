"""How strongly to regularize covariances: by number or by rule, from moments alone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

import numpy as np

from crossphase._scalars import check_number
from crossphase.cholesky_factor import Regularization
from crossphase.closed_forms import WIDE
from crossphase.covariances import PairMoments, PooledMoments, pooled
from crossphase.errors import InputValueError

N_FOLDS = 5
# In units of the mean variance: from next to nothing, for columns of very unequal units, to the directions of the
# cross-covariance alone. The held-out loss changes little within a decade.
GRID = np.logspace(-9, 2, 12)


class RidgeRule(StrEnum):
    """Ways to choose the ridge from the data."""

    AUTO = "auto"  # cross-validation if the moments of folds of 2 rows or more are at hand, else OAS
    CROSS_VALIDATION = "cross_validation"
    LEDOIT_WOLF = "ledoit_wolf"
    OAS = "oas"

    @property
    def needs_folds(self) -> bool:
        return self is not RidgeRule.OAS


@dataclass(frozen=True, slots=True)
class PairRegularization:
    """What to do to the covariance of each view, and which rule said so."""

    x: Regularization
    y: Regularization
    rule: RidgeRule | None  # None: a number was given


class HeldOut(Protocol):
    """What a ridge is worth on rows it was not fitted to."""

    def sums(self, training: PairMoments, held_out: PairMoments, ridge: float) -> np.ndarray:
        """Sums over the held-out rows; those of all folds are added up."""

    def loss(self, sums: np.ndarray) -> float:
        """What is minimized, from the sums over all rows."""


def check_ridge(ridge: Any) -> float | RidgeRule:
    """`ridge` as a number >= 0 or a rule, or a sentence that lists both."""
    if isinstance(ridge, str):
        if ridge not in list(RidgeRule):
            raise InputValueError(f"ridge must be a number >= 0 or one of {', '.join(RidgeRule)}; got {ridge!r}.")
        return RidgeRule(ridge)
    return check_number(ridge, "ridge", least=0)


def choose_regularization(
    ridge: float | RidgeRule, folds: Sequence[PairMoments], held_out: HeldOut, *, n_threads: int
) -> PairRegularization:
    """The number itself, or what the rule finds in the moments of disjoint sets of rows."""
    if not isinstance(ridge, RidgeRule):
        return PairRegularization(Regularization(ridge), Regularization(ridge), None)
    fewest = min(fold.n_samples for fold in folds)
    if ridge is RidgeRule.AUTO:
        ridge = RidgeRule.CROSS_VALIDATION if len(folds) > 1 and fewest > 1 else RidgeRule.OAS
    if ridge.needs_folds and len(folds) < 2:
        raise InputValueError(
            f'ridge="{ridge}" compares the moments of several sets of rows and got one; pass a list of CrossMoments, or '
            'ridge="oas", or a number.'
        )
    if ridge.needs_folds and fewest < 2:
        raise InputValueError(
            f'ridge="{ridge}" needs at least 2 rows in each of its {len(folds)} sets; the smallest has {fewest}. Pass '
            'ridge="oas" or a number.'
        )
    if ridge is RidgeRule.CROSS_VALIDATION:
        best = Regularization(_cross_validated(folds, held_out, n_threads))
        return PairRegularization(best, best, ridge)
    if ridge is RidgeRule.OAS:
        both = pooled(folds)
        x, y = (oas_shrinkage(cov, both.n_samples) for cov in (both.cov_xx, both.cov_yy))
    else:
        counts = [fold.n_samples for fold in folds]
        x, y = (ledoit_wolf_shrinkage([getattr(fold, name) for fold in folds], counts) for name in ("cov_xx", "cov_yy"))
    return PairRegularization(Regularization(shrinkage=x), Regularization(shrinkage=y), ridge)


def oas_shrinkage(cov: np.ndarray, n_samples: int) -> float:
    """Oracle approximating shrinkage, in [0, 1], for Gaussian rows; 1 where nothing tells `cov` from a sphere.

    References
    ----------
    Chen, Wiesel, Eldar & Hero (2010), IEEE Trans. Signal Process. 58, 5016-5029, eq. 23.
    """
    p = len(cov)
    trace, square = float(np.trace(cov)), float(np.vdot(cov, cov))
    distance = square - trace**2 / p
    if distance <= 0:
        return 1.0
    return min(((1 - 2 / p) * square + trace**2) / ((n_samples + 1 - 2 / p) * distance), 1.0)


def ledoit_wolf_shrinkage(covs: Sequence[np.ndarray], counts: Sequence[int]) -> float:
    """Ledoit & Wolf's shrinkage, in [0, 1], from covariances of disjoint sets of rows.

    The optimal shrinkage is ``E|S - Σ|² / E|S - m I|²``. Ledoit & Wolf estimate the numerator from fourth moments of the
    rows; here it is the scatter of the sets' own covariances about their mean, weighed by degrees of freedom: an unbiased
    estimate for rows of any distribution that needs no second pass.

    References
    ----------
    Ledoit & Wolf (2004), J. Multivar. Anal. 88, 365-411.
    """
    degrees = np.array(counts, dtype=np.float64) - 1  # a set's covariance errs with variance V / degrees
    mean = np.einsum("k,kij->ij", degrees / degrees.sum(), np.stack(covs))
    scatter = sum(d * float(np.sum((cov - mean) ** 2)) for d, cov in zip(degrees, covs, strict=True))
    noise = scatter / (len(covs) - 1) / degrees.sum()
    m = float(np.trace(mean)) / len(mean)
    distance = float(np.sum((mean - m * np.eye(len(mean))) ** 2))
    return min(noise / distance, 1.0) if distance > 0 else 1.0


def _cross_validated(folds: Sequence[PairMoments], held_out: HeldOut, n_threads: int) -> float:
    """The ridge of least loss on rows left out, fold by fold; wide folds run side by side."""
    training: list[PooledMoments] = [pooled([*folds[:f], *folds[f + 1 :]]) for f in range(len(folds))]

    def sums(job: tuple[float, int]) -> np.ndarray:
        ridge, f = job
        return held_out.sums(training[f], folds[f], ridge)

    jobs = [(float(ridge), f) for ridge in GRID for f in range(len(folds))]
    if n_threads > 1 and min(training[0].cov_xy.shape) >= WIDE:
        with ThreadPoolExecutor(n_threads) as pool:
            found = list(pool.map(sums, jobs))
    else:
        found = [sums(job) for job in jobs]
    k = len(folds)
    losses = np.array([held_out.loss(np.sum(found[i * k : (i + 1) * k], axis=0)) for i in range(len(GRID))])
    if not np.isfinite(losses).any():
        raise np.linalg.LinAlgError(
            'ridge="cross_validation" found no ridge that works on every fold: a view may be constant on some of them. Pass a '
            "number."
        )
    return float(GRID[int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))])
