"""Means and covariances of a pair of views: what the closed forms need, from wherever it comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from crossphase._scalars import check_integer
from crossphase.errors import InputTypeError, InputValueError
from crossphase.precision import NULL_VARIANCE, precision_of


class PairCovariances(Protocol):
    """Anything that holds the three covariances of a pair; `CrossMoments` does."""

    @property
    def cov_xx(self) -> np.ndarray: ...  # (n_features_x, n_features_x)
    @property
    def cov_yy(self) -> np.ndarray: ...  # (n_features_y, n_features_y)
    @property
    def cov_xy(self) -> np.ndarray: ...  # (n_features_x, n_features_y)


class PairMoments(PairCovariances, Protocol):
    """Covariances with the means they are about and the number of rows they come from; `CrossMoments` holds them."""

    @property
    def n_samples(self) -> int: ...
    @property
    def mean_x(self) -> np.ndarray: ...  # (n_features_x,)
    @property
    def mean_y(self) -> np.ndarray: ...  # (n_features_y,)


@dataclass(frozen=True, slots=True, eq=False)
class Covariances:
    """The three covariances of a pair, as arrays."""

    cov_xx: np.ndarray
    cov_yy: np.ndarray
    cov_xy: np.ndarray
    precision: str = "f64"  # of the sums of products that they come from


@dataclass(frozen=True, slots=True, eq=False)
class PooledMoments:
    """Moments as arrays: of several sets of rows together, of a population, of a pair with its roles exchanged."""

    n_samples: int
    mean_x: np.ndarray
    mean_y: np.ndarray
    cov_xx: np.ndarray
    cov_yy: np.ndarray
    cov_xy: np.ndarray
    precision: str = "f64"  # of the sums of products that they come from: of the least precise


def require_covariances(moments: Any, for_rows: str) -> None:
    """Raise InputTypeError unless `moments` has the three covariances; `for_rows` says what to do with rows instead."""
    # The type is asked first: properties of a state that is still empty raise.
    if not all(hasattr(type(moments), name) or hasattr(moments, name) for name in ("cov_xx", "cov_yy", "cov_xy")):
        raise InputTypeError(
            f"moments must hold cov_xx, cov_yy and cov_xy, as CrossMoments does; got {type(moments).__name__}. "
            f"For rows, {for_rows}."
        )


def n_components_of(moments: PairCovariances, n_components: int | None) -> int:
    """How many components to take: as asked, or as many as there are; raises InputValueError beyond that."""
    p, q = (int(size) for size in moments.cov_xy.shape)
    if n_components is None:
        return min(p, q)
    k = check_integer(n_components, "n_components", least=1)
    if k > min(p, q):
        raise InputValueError(
            f"n_components must be at most {min(p, q)}, the smaller number of features (X has {p}, Y has {q}); got {k}."
            + (" Y is the other view; labels belong to the probe behind." if q == 1 else "")
        )
    return k


def unit_scales(variances: np.ndarray) -> np.ndarray:
    """Powers of two that divide columns to about unit variance, exactly; 1 for a column without variance."""
    return np.asarray(np.exp2(np.round(np.log2(np.where(variances > 0, variances, 1.0)) / 2)))


def swapped(moments: PairCovariances) -> Covariances:
    """The same pair with X and Y in each other's place."""
    return Covariances(moments.cov_yy, moments.cov_xx, moments.cov_xy.T, precision_of(moments))


def pooled(states: Sequence[PairMoments]) -> PooledMoments:
    """Moments of the rows of all `states` together; no row may be in two of them.

    Scatter within the states plus scatter of their means about the common one: Chan, Golub & LeVeque (1983).
    """
    counts = np.array([state.n_samples for state in states], dtype=np.float64)
    n_samples = int(counts.sum())
    mean_x, mean_y = (
        np.average([getattr(s, name) for s in states], axis=0, weights=counts) for name in ("mean_x", "mean_y")
    )
    steps_x = np.array([s.mean_x for s in states]) - mean_x
    steps_y = np.array([s.mean_y for s in states]) - mean_y

    def cov(name: str, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        scatter = (left * counts[:, None]).T @ right
        for state, count in zip(states, counts, strict=True):
            if count > 1:  # a single row has a mean and no covariance
                scatter += getattr(state, name) * (count - 1)
        return np.asarray(scatter / (n_samples - 1))

    return PooledMoments(
        n_samples,
        mean_x,
        mean_y,
        cov("cov_xx", steps_x, steps_x),
        cov("cov_yy", steps_y, steps_y),
        cov("cov_xy", steps_x, steps_y),
        max((precision_of(state) for state in states), key=lambda precision: NULL_VARIANCE[precision]),
    )
