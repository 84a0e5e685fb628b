"""Where the optimum on population covariances first loses a signal direction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from crossphase import SpikedModel
from crossphase.covariances import PairCovariances
from linear_experiments.subspaces import subspace_distance

ACCURACY = 1e-6  # of the bisection


class Fitted(Protocol):
    """What an estimator found; `coef_` for E5."""

    @property
    def weights_x_(self) -> np.ndarray: ...
    @property
    def coef_(self) -> np.ndarray: ...


Fit = Callable[[PairCovariances], Fitted]


def distance_from_signal(fit: Fit, moments: PairCovariances, model: SpikedModel) -> float:
    """Of the subspace of X that `fit` finds in the moments, from the model's signal directions."""
    return float(subspace_distance(fit(moments).weights_x_, model.signal_basis_x))


def population_threshold(fit: Fit, model_at: Callable[[float], SpikedModel], highest: float) -> float:
    """The parameter between 0 and `highest` at which the population's distance jumps from 0 to 1 / k or more."""
    low, high = 0.0, highest
    while high - low > ACCURACY:
        middle = (low + high) / 2
        model = model_at(middle)
        is_recovered = distance_from_signal(fit, model, model) < 0.5 / model.n_signals
        low, high = (middle, high) if is_recovered else (low, middle)
    return (low + high) / 2
