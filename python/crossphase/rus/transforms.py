"""Random networks that disguise the bits of a view."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

import numpy as np

from crossphase._scalars import check_choice, check_integer
from crossphase._threads import single_threaded_blas

_BLOCK_ROWS = 4096  # of patterns at a time: hidden layers can be a thousand times wider than a view
_MOST_DEPTH = {"depth": 100, "width": 30}


class Heterogeneity(StrEnum):
    """Which views are transformed."""

    UNI = "uni"  # Y only
    MULTI = "multi"  # both, each by its own network


class NetworkShape(StrEnum):
    """What `depth` counts."""

    DEPTH = "depth"  # Linear, then depth times (activation, Linear), all as wide as the view
    WIDTH = "width"  # Linear, activation, Linear with max(width_of_view * depth², width_of_view) hidden units


class Activation(StrEnum):
    """The nonlinearity between linear layers."""

    TANH = "tanh"
    SIGMOID = "sigmoid"


@dataclass(frozen=True, slots=True)
class FeatureTransforms:
    """Untrained random networks applied to the bits of one view or both.

    Parameters
    ----------
    depth : int, 0 to 100, or to 30 where `shape` is "width"
        D_φ of Tjandrasuwita et al., 0 to 10 there; see `shape`. 0 is a single linear layer, in both shapes for depth, and the
        narrowest hidden layer for width.
    heterogeneity : {"uni", "multi"}
        Whether Y alone is transformed, or X as well, by a network of its own.
    shape : {"depth", "width"}
        Whether networks grow longer with `depth` or wider.
    activation : {"tanh", "sigmoid"}
        Published: tanh.
    seed : int, >= 0
        Networks of different seed, depth, shape or view are independent.

    Notes
    -----
    Weights and biases are uniform in ±1/sqrt(fan_in), the law of torch's default initialisation of a linear layer; they do not
    reproduce torch's random stream, so the published networks are matched in law only.
    """

    depth: int
    heterogeneity: str = "uni"
    shape: str = "depth"
    activation: str = "tanh"
    seed: int = 0

    def __post_init__(self) -> None:
        shape = check_choice(self.shape, "shape", NetworkShape)
        check_integer(self.depth, "depth", least=0, most=_MOST_DEPTH[shape])
        check_choice(self.heterogeneity, "heterogeneity", Heterogeneity)
        check_choice(self.activation, "activation", Activation)
        check_integer(self.seed, "seed", least=0)

    def transform_x(self, rows: np.ndarray) -> np.ndarray:
        """X after its network, rows of bits in, rows of the same width out; unchanged unless heterogeneity is "multi"."""
        return rows if self.heterogeneity == Heterogeneity.UNI else self._apply_network(rows, 0)

    def transform_y(self, rows: np.ndarray) -> np.ndarray:
        """Y after its network."""
        return self._apply_network(rows, 1)

    def _apply_network(self, rows: np.ndarray, view: int) -> np.ndarray:
        layers = self._layers(rows.shape[1], view)
        activation = np.tanh if self.activation == Activation.TANH else _sigmoid
        blocks = []
        with single_threaded_blas():
            for first in range(0, len(rows), _BLOCK_ROWS):
                (weights, bias), *rest = layers
                values = rows[first : first + _BLOCK_ROWS] @ weights + bias
                for weights, bias in rest:
                    values = activation(values) @ weights + bias
                blocks.append(values)
        return np.concatenate(blocks)

    def _layers(self, width: int, view: int) -> list[tuple[np.ndarray, np.ndarray]]:
        """Weights (fan_in, fan_out) and biases of every linear layer."""
        shape = NetworkShape(self.shape)
        if shape is NetworkShape.WIDTH:
            widths = [width, max(width * self.depth**2, width), width]
        else:
            widths = [width] * (self.depth + 2)
        rng = np.random.default_rng([self.seed, list(NetworkShape).index(shape), self.depth, view])
        layers = []
        for fan_in, fan_out in pairwise(widths):
            bound = 1 / np.sqrt(fan_in)
            layers.append((rng.uniform(-bound, bound, (fan_in, fan_out)), rng.uniform(-bound, bound, fan_out)))
        return layers


def _sigmoid(values: np.ndarray) -> np.ndarray:
    return np.asarray((1 + np.tanh(values / 2)) / 2)  # without the overflow of exp(-values)
