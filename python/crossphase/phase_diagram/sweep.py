"""One parameter of a phase diagram that moves."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from crossphase._scalars import check_choice, check_integer
from crossphase.errors import InputValueError
from crossphase.phase_diagram.diagram import PhaseDiagram
from crossphase.phase_diagram.parameters import VARIANCE_RANGE, Direction, Parameter, check_size

MOST_VALUES = 1000  # a GIF of more takes minutes to write and to load
MILLISECONDS = 80  # a value, in motion


@dataclass(frozen=True, slots=True)
class ParameterSweep:
    """The values that one parameter takes, one after the other."""

    parameter: Parameter
    values: Sequence[float]  # >= 0, at least two

    def __post_init__(self) -> None:
        object.__setattr__(self, "parameter", check_choice(self.parameter, "parameter of a sweep", Parameter))
        values = tuple(check_size(value, "value of a sweep", VARIANCE_RANGE) for value in self.values)
        check_integer(len(values), "number of values of a sweep", least=2, most=MOST_VALUES)
        object.__setattr__(self, "values", values)

    @classmethod
    def between(cls, parameter: Parameter, start: float, stop: float, n_values: int = 60) -> ParameterSweep:
        """From `start` to `stop`, in equal ratios if one is ten times the other or more, else in equal steps."""
        check_integer(n_values, "number of values of a sweep", least=2, most=MOST_VALUES)
        for name, value in (("start", start), ("stop", stop)):
            check_size(value, f"{name} of a sweep", VARIANCE_RANGE)
        if start == stop:
            raise InputValueError(f"a sweep must move: start and stop are both {start:g}.")
        low, high = sorted((start, stop))
        spaced = np.geomspace if low > 0 and high >= 10 * low else np.linspace
        return cls(parameter, [float(value) for value in spaced(start, stop, n_values)])

    def diagrams(self, diagram: PhaseDiagram) -> Iterator[PhaseDiagram]:
        """`diagram` with each value in turn, all in one frame: a right edge that suits the middle of the sweep."""
        self.check_moves(diagram)
        frames = [diagram.replace(**{self.parameter: value}) for value in self.values]
        typical = math.exp(np.mean([math.log(frame.right_edge) for frame in frames]))
        return (frame.replace(kappa_max=diagram.kappa_max or diagram.edge_beyond(typical)) for frame in frames)

    def check_moves(self, diagram: PhaseDiagram) -> None:
        """Refuse to sweep what the directions shown do not depend on."""
        for parameter, way in (
            (Parameter.GAMMA_TILDE_Y, Direction.X_TO_Y),
            (Parameter.GAMMA_TILDE_X, Direction.Y_TO_X),
        ):
            if self.parameter is parameter and way not in diagram.ways:
                raise InputValueError(
                    f"sweeping {parameter} moves nothing in direction {diagram.ways[0]}; choose {way} or both."
                )
