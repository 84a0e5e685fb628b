"""Where alignment and prediction recover signal: the phase diagram of chosen parameters, as numbers, picture, film and page."""

from crossphase.phase_diagram.diagram import PhaseDiagram
from crossphase.phase_diagram.parameters import Direction, Parameter
from crossphase.phase_diagram.points import LocatedPoint, PhasePoint
from crossphase.phase_diagram.sweep import ParameterSweep

__all__ = ["Direction", "LocatedPoint", "Parameter", "ParameterSweep", "PhaseDiagram", "PhasePoint"]
