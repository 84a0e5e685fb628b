"""The phase diagram of chosen parameters: its boundaries, and the regime of every point."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from crossphase._scalars import check_choice, check_number
from crossphase.errors import InputTypeError, InputValueError
from crossphase.phase_diagram import serialize, text
from crossphase.phase_diagram.parameters import (
    KAPPA_RANGE,
    VARIANCE_RANGE,
    WAYS,
    Direction,
    Parameter,
    check_size,
)
from crossphase.phase_diagram.points import LocatedPoint, PhasePoint
from crossphase.regimes import ca_boundary, classify, cp_boundary

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from crossphase.diagnosis import Diagnosis
    from crossphase.phase_diagram.sweep import ParameterSweep


@dataclass(frozen=True, slots=True)
class PhaseDiagram:
    """The (κ, ν) plane of the homogeneous spiked model, cut into regions by which objectives recover signal of strength κ.

    ``print`` shows the boundaries and the regime of every point; the methods give numbers, a picture, a film and a page.

    Parameters
    ----------
    gamma_x, gamma_y : float, >= 0
        Noise variance on signal coordinates of X and of Y, in squared units of κ.
    gamma_tilde_y : float, >= 0, optional
        Variance of nuisance coordinates of Y, which predicting Y from X competes with. ``"x-to-y"`` needs it.
    gamma_tilde_x : float, >= 0, optional
        The same of X. ``"y-to-x"`` needs it.
    direction : {"x-to-y", "y-to-x", "both"}, optional
        Which way to predict; by default every way whose ``gamma_tilde`` is given.
    points : sequence of PhasePoint
        Pairs of views to show and to tell the regime of.
    kappa_max : float, > 0, optional
        Right edge of the plane; by default where every point and the bends of the boundaries are in sight.

    Raises
    ------
    InputValueError, InputTypeError
        A parameter is missing, or is not a finite number within its bounds.

    Notes
    -----
    Alignment recovers where ``ν < κ² / sqrt((κ² + γ_x)(κ² + γ_y))``, predicting Y from X where
    ``ν < κ² / sqrt((κ² + γ_x) γ̃_y)``, and predicting X from Y where ``ν < κ² / sqrt((κ² + γ_y) γ̃_x)``.

    References
    ----------
    Kamai et al. (2026), "When to Align, When to Predict", Prop. 3.1.

    Examples
    --------
    >>> diagram = PhaseDiagram(gamma_x=0.5, gamma_y=0.05, gamma_tilde_y=50.0)
    >>> diagram.locate(PhasePoint(kappa=1.5, nu=0.5)).regime
    <Regime.CA_ONLY: 'ca_only'>
    """

    gamma_x: float
    gamma_y: float
    gamma_tilde_y: float | None = None
    gamma_tilde_x: float | None = None
    direction: Direction | None = None
    points: Sequence[PhasePoint] = ()
    kappa_max: float | None = None

    def __post_init__(self) -> None:
        for name in Parameter:
            value = getattr(self, name)
            if value is not None or name in (Parameter.GAMMA_X, Parameter.GAMMA_Y):
                object.__setattr__(self, name, check_size(value, name, VARIANCE_RANGE))
        if self.kappa_max is not None:
            check_number(self.kappa_max, "kappa_max", above=0.0)
            object.__setattr__(self, "kappa_max", check_size(self.kappa_max, "kappa_max", KAPPA_RANGE))
        object.__setattr__(self, "points", _named(self.points))
        if self.direction is not None:
            object.__setattr__(self, "direction", check_choice(self.direction, "direction", Direction))
        for way in self.ways:
            self._gammas(way)  # or a sentence

    @classmethod
    def from_diagnosis(cls, diagnosis: Diagnosis | Mapping[str, Any], **changes: Any) -> PhaseDiagram:
        """The plane of a diagnosed pair, with the pair on it, by its phase parameters.

        Parameters
        ----------
        diagnosis : Diagnosis or mapping
            The result of `diagnose`, or what its `to_dict` or its JSON holds.
        **changes
            Parameters of the class to use instead; `points` come after the pair's own.
        """
        parameters = _phase_parameters(diagnosis)
        pair = PhasePoint(parameters["kappa"], parameters["nu"], "this pair")
        given: dict[str, Any] = {name: parameters[name] for name in Parameter}
        return cls(**{**given, **changes, "points": (pair, *changes.get("points", ()))})

    @property
    def ways(self) -> tuple[Direction, ...]:
        """The directions shown, one by one."""
        if self.direction is None:
            given = ((Direction.X_TO_Y, self.gamma_tilde_y), (Direction.Y_TO_X, self.gamma_tilde_x))
            ways = tuple(way for way, gamma_tilde in given if gamma_tilde is not None)
            if not ways:
                raise InputValueError(
                    "gamma_tilde_y (to predict Y from X) or gamma_tilde_x (to predict X from Y) must be given: the variance "
                    "of nuisance coordinates of the predicted view."
                )
            return ways
        return WAYS if self.direction is Direction.BOTH else (self.direction,)

    @property
    def right_edge(self) -> float:
        """The largest κ shown: `kappa_max`, or where both bends and every point are in sight."""
        if self.kappa_max is not None:
            return self.kappa_max
        bends = [
            _kappa_of_high_ca(self.gamma_x, self.gamma_y),
            *(_kappa_of_full_cp(*self._gammas(way)) for way in self.ways),
        ]
        positive = [bend for bend in bends if bend > 0]
        # The furthest bend, but never so far that the nearest one shrinks into the corner.
        telling = min(max(positive), 5.0 * min(positive)) if positive else 0.0
        return self.edge_beyond(telling)

    def edge_beyond(self, kappa: float) -> float:
        """A right edge that shows `kappa` and every point; two digits, rounded up."""
        furthest = max(kappa, *(1.25 * point.kappa for point in self.points), 0.0)
        return float(f"{1.05 * furthest:.1e}") or 1.0  # 5 % more: two digits round by at most that

    def kappas(self, n_kappas: int = 400) -> np.ndarray:
        """Signal strengths from 0 to the right edge."""
        return np.linspace(0.0, self.right_edge, n_kappas)

    def nu_ca(self, kappa: float | np.ndarray) -> np.ndarray:
        """Nuisance correlation below which alignment recovers signal of strength `kappa`."""
        return ca_boundary(_strengths(kappa), self.gamma_x, self.gamma_y)

    def nu_cp(self, kappa: float | np.ndarray, way: Direction = Direction.X_TO_Y) -> np.ndarray:
        """Nuisance correlation below which predicting that way recovers; above 1 where none does harm."""
        return cp_boundary(_strengths(kappa), *self._gammas(way))

    def locate(self, point: PhasePoint) -> LocatedPoint:
        """Thresholds, separation ratios and regimes of a point."""
        nu_ca = float(self.nu_ca(point.kappa))
        delta_ca = _ratio(nu_ca, point.nu)
        of_ways: dict[str, Any] = {}
        for way in WAYS:
            nu_cp = float(self.nu_cp(point.kappa, way)) if way in self.ways else None
            delta_cp = None if nu_cp is None else _ratio(nu_cp, point.nu)
            regime = None if delta_cp is None else classify(delta_ca, delta_cp)
            for name, value in (("nu_cp", nu_cp), ("delta_cp", delta_cp), ("regime", regime)):
                of_ways[name + way.suffix] = value
        return LocatedPoint(point.name, point.kappa, point.nu, nu_ca, delta_ca=delta_ca, **of_ways)

    def replace(self, **changes: Any) -> PhaseDiagram:
        """The same diagram with other parameters."""
        return replace(self, **changes)

    def __str__(self) -> str:
        return text.describe(self)

    def to_dict(self, sweep: ParameterSweep | None = None) -> dict[str, Any]:
        """Plain Python objects: what `to_json` writes. Infinity becomes ``"Infinity"``."""
        return serialize.to_dict(self, sweep)

    def to_json(self, sweep: ParameterSweep | None = None, *, indent: int | None = 2) -> str:
        """Parameters, boundaries and located points; for a sweep also the points located at each of its values."""
        return serialize.to_json(self, sweep, indent=indent)

    def plot(self) -> Figure:
        """The plane with its regions and points, one panel a direction.

        Returns
        -------
        matplotlib.figure.Figure
            Save it with ``.savefig(path)``. Needs matplotlib: ``pip install "crossphase[report]"``.
        """
        from crossphase.phase_diagram import plot  # noqa: PLC0415  (matplotlib is an extra)

        return plot.draw(self)

    def to_gif(self, sweep: ParameterSweep) -> bytes:
        """A film in which one parameter moves, as the bytes of a GIF. Needs matplotlib, as `plot` does."""
        from crossphase.phase_diagram import film  # noqa: PLC0415  (matplotlib is an extra)

        return film.to_gif(self, sweep)

    def to_html(self, sweep: ParameterSweep | None = None) -> str:
        """A page that works offline: a slider for every parameter, the points' regimes, and a button that plays the sweep."""
        from crossphase.phase_diagram import page  # noqa: PLC0415  (seldom wanted)

        return page.to_html(self, sweep)

    def _gammas(self, way: Direction) -> tuple[float, float]:
        """Noise of the view predicted from, variance of nuisance in the predicted view."""
        way = check_choice(way, "direction", Direction)
        if way is Direction.BOTH:
            raise InputValueError("a boundary belongs to one direction, x-to-y or y-to-x; got both.")
        gamma, gamma_tilde = (
            (self.gamma_x, self.gamma_tilde_y) if way is Direction.X_TO_Y else (self.gamma_y, self.gamma_tilde_x)
        )
        if gamma_tilde is None:
            side = way[-1]
            raise InputValueError(
                f"gamma_tilde_{side}, the variance of nuisance coordinates of {side.upper()}, must be given for direction {way}."
            )
        return gamma, gamma_tilde


def _named(points: Sequence[PhasePoint]) -> tuple[PhasePoint, ...]:
    """The points, those without a name numbered."""
    if isinstance(points, PhasePoint):
        raise InputTypeError(f"points must be a sequence of PhasePoint objects; got one: write [{points!r}].")
    named = []
    for i, point in enumerate(points):
        if not isinstance(point, PhasePoint):
            raise InputTypeError(f"points must be a sequence of PhasePoint objects; got {point!r} at position {i}.")
        named.append(point if point.name else replace(point, name=f"point {i + 1}"))
    return tuple(named)


def _strengths(kappa: float | np.ndarray) -> np.ndarray:
    strengths = np.asarray(kappa, dtype=np.float64)
    least, largest = (
        KAPPA_RANGE[0] ** 2,
        KAPPA_RANGE[1],
    )  # a grid from 0 goes below any point; fourth powers are still numbers
    is_right = (strengths == 0) | ((strengths >= least) & (strengths < largest))
    if not is_right.all():
        raise InputValueError(
            f"kappa must be 0, or >= {least:g} and < {largest:g}; got {strengths[~is_right].flat[0]}."
        )
    return strengths


def _ratio(threshold: float, nu: float) -> float:
    if nu > 0:
        return threshold / nu
    return math.inf if threshold > 0 else 0.0  # no nuisance is shared; but no signal is no recovery


def _kappa_of_high_ca(gamma_x: float, gamma_y: float) -> float:
    """The κ at which alignment recovers up to ν = 0.9: κ⁴ = 0.81 (κ² + γ_x)(κ² + γ_y)."""
    a, b, c = 1 - 0.81, 0.81 * (gamma_x + gamma_y), 0.81 * gamma_x * gamma_y
    return math.sqrt((b + math.sqrt(b * b + 4 * a * c)) / (2 * a))


def _kappa_of_full_cp(gamma: float, gamma_tilde: float) -> float:
    """The κ at which prediction recovers up to ν = 1: κ⁴ = (κ² + γ) γ̃."""
    return math.sqrt((gamma_tilde + math.sqrt(gamma_tilde * gamma_tilde + 4 * gamma_tilde * gamma)) / 2)


def _phase_parameters(diagnosis: Diagnosis | Mapping[str, Any]) -> dict[str, float]:
    """κ, ν and the four variances of a diagnosis, or a sentence."""
    if isinstance(diagnosis, Mapping):
        found = diagnosis.get("phase_parameters")
        fields = dict(found) if isinstance(found, Mapping) else {}
    else:
        found = getattr(diagnosis, "phase_parameters", None)
        fields = dataclasses.asdict(found) if found is not None else {}
    wanted = ("kappa", "nu", *Parameter)
    missing = [name for name in wanted if name not in fields]
    if missing:
        raise InputValueError(
            f"this is not a diagnosis: its phase parameters lack {', '.join(missing)}. "
            "Make one with crossphase.diagnose, or with crossphase diagnose ... --json result.json."
        )
    return {name: check_number(fields[name], f"phase_parameters.{name} of the diagnosis") for name in wanted}
