"""Points of the phase plane, before and after a diagram has told their regimes."""

from __future__ import annotations

from dataclasses import dataclass

from crossphase._scalars import check_number
from crossphase.errors import InputTypeError, InputValueError
from crossphase.phase_diagram.parameters import KAPPA_RANGE, check_size
from crossphase.regimes import Regime


@dataclass(frozen=True, slots=True)
class PhasePoint:
    """A pair of views, as the phase plane sees it."""

    kappa: float  # signal strength: standard deviation of the shared signal, >= 0
    nu: float  # nuisance correlation, in [0, 1]
    name: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "kappa", check_size(self.kappa, "kappa of a point", KAPPA_RANGE))
        object.__setattr__(self, "nu", check_number(self.nu, "nu of a point", least=0.0))
        if self.nu > 1:
            raise InputValueError(f"nu of a point must be a correlation in [0, 1]; got {self.nu}.")
        if not isinstance(self.name, str):
            raise InputTypeError(f"name of a point must be a string; got {self.name!r}.")
        if not self.name.isprintable():
            raise InputValueError(f"name of a point must be printable and on one line; got {self.name!r}.")


@dataclass(frozen=True, slots=True)
class LocatedPoint:
    """A point with the nuisance correlation below which each objective recovers its signal, and what follows from it.

    What belongs to a direction that the diagram does not show is None.
    """

    name: str
    kappa: float
    nu: float
    nu_ca: float  # alignment recovers below it
    nu_cp: float | None  # predicting Y from X; may exceed 1: then no nuisance correlation does harm
    nu_cp_reverse: float | None  # predicting X from Y
    delta_ca: float  # separation ratio nu_ca / nu; inf where no nuisance is shared
    delta_cp: float | None
    delta_cp_reverse: float | None
    regime: Regime | None  # of alignment and X -> Y
    regime_reverse: Regime | None  # of alignment and Y -> X
