"""How strongly to regularize covariances: by number or by rule, from moments alone."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import Any, Protocol

import numpy as np

from crossphase._scalars import check_number
from crossphase._threads import single_threaded_blas
from crossphase.cholesky_factor import Regularization
from crossphase.covariances import PairMoments, PooledMoments, pooled
from crossphase.errors import InputValueError

N_FOLDS = 5
GRID = np.logspace(
    -6, 2, 17
)  # relative to the mean variance: from rounding noise to "directions of the cross-covariance"


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


class HeldOutLoss(Protocol):
    """What a ridge costs on rows it was not fitted to."""

    def __call__(self, training: PairMoments, held_out: PairMoments, ridge: float) -> float: ...


def check_ridge(ridge: Any) -> float | RidgeRule:
    """`ridge` as a number >= 0 or a rule, or a sentence that lists both."""
    if isinstance(ridge, str):
        if ridge not in list(RidgeRule):
            raise InputValueError(f"ridge must be a number >= 0 or one of {', '.join(RidgeRule)}; got {ridge!r}.")
        return RidgeRule(ridge)
    return check_number(ridge, "ridge", least=0)


def choose_regularization(
    ridge: float | RidgeRule, folds: Sequence[PairMoments], held_out_loss: HeldOutLoss, *, n_threads: int
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
        best = Regularization(_cross_validated(folds, held_out_loss, n_threads))
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
    return min(noise / distance, 1.0) if distance > 0 else 1.0


def _cross_validated(folds: Sequence[PairMoments], held_out_loss: HeldOutLoss, n_threads: int) -> float:
    """The ridge of least mean loss on the fold that was left out; folds run side by side."""
    training: list[PooledMoments] = [pooled([*folds[:f], *folds[f + 1 :]]) for f in range(len(folds))]
    weights = np.array([fold.n_samples for fold in folds], dtype=np.float64)
    with single_threaded_blas(), ThreadPoolExecutor(n_threads) as pool:
        losses = [
            np.average(list(pool.map(partial(held_out_loss, ridge=ridge), training, folds)), weights=weights)
            for ridge in GRID
        ]
    return float(GRID[int(np.argmin(losses))])
