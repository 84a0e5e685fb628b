"""A phase diagram as plain objects and JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from crossphase import _core
from crossphase.diagnosis.serialize import plain
from crossphase.phase_diagram.parameters import WAYS, Parameter

if TYPE_CHECKING:
    from crossphase.phase_diagram.diagram import PhaseDiagram
    from crossphase.phase_diagram.points import LocatedPoint
    from crossphase.phase_diagram.sweep import ParameterSweep

SCHEMA_VERSION = 1  # a key added keeps it, a key changed or removed raises it


def to_dict(diagram: PhaseDiagram, sweep: ParameterSweep | None) -> dict[str, Any]:
    kappa = diagram.kappas()
    boundaries: dict[str, Any] = {"kappa": kappa, "nu_ca": diagram.nu_ca(kappa)}
    for way in WAYS:
        boundaries["nu_cp" + way.suffix] = diagram.nu_cp(kappa, way) if way in diagram.ways else None
    content: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "parameters": {name: getattr(diagram, name) for name in Parameter},
        "directions": diagram.ways,
        "boundaries": boundaries,
        "points": _located(diagram),
        "sweep": None,
        "version": _core.__version__,
    }
    if sweep is not None:
        content["sweep"] = {
            "parameter": sweep.parameter,
            "values": sweep.values,
            "points": [_located(frame) for frame in sweep.diagrams(diagram)],
        }
    return {name: plain(value) for name, value in content.items()}


def to_json(diagram: PhaseDiagram, sweep: ParameterSweep | None, *, indent: int | None) -> str:
    return json.dumps(to_dict(diagram, sweep), indent=indent, ensure_ascii=False, allow_nan=False)


def _located(diagram: PhaseDiagram) -> list[LocatedPoint]:
    return [diagram.locate(point) for point in diagram.points]
