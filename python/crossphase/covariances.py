"""The three covariances of a pair of views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np


class PairCovariances(Protocol):
    """Anything that holds the three covariances of a pair; `CrossMoments` does."""

    @property
    def cov_xx(self) -> np.ndarray: ...  # (n_features_x, n_features_x)
    @property
    def cov_yy(self) -> np.ndarray: ...  # (n_features_y, n_features_y)
    @property
    def cov_xy(self) -> np.ndarray: ...  # (n_features_x, n_features_y)


@dataclass(frozen=True, slots=True, eq=False)
class Covariances:
    """The three covariances of a pair, as arrays."""

    cov_xx: np.ndarray
    cov_yy: np.ndarray
    cov_xy: np.ndarray


def swapped(moments: PairCovariances) -> Covariances:
    """The same pair with X and Y in each other's place."""
    return Covariances(moments.cov_yy, moments.cov_xx, moments.cov_xy.T)
