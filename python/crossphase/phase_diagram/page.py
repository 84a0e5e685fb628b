"""A phase diagram as one HTML page with sliders: page.html, page.js and the diagram's numbers in one file."""

from __future__ import annotations

import importlib.resources
import json
from typing import TYPE_CHECKING, Any

from crossphase.phase_diagram.parameters import Direction, Parameter
from crossphase.phase_diagram.sweep import MILLISECONDS
from crossphase.phase_plane import REGION_COLORS, REGION_LABELS, REGION_NAMES, VERMILION

if TYPE_CHECKING:
    from crossphase.phase_diagram.diagram import PhaseDiagram
    from crossphase.phase_diagram.sweep import ParameterSweep

MEANINGS = {
    Parameter.GAMMA_X: ", noise on the signal of X",
    Parameter.GAMMA_Y: ", noise on the signal of Y",
    Parameter.GAMMA_TILDE_X: ", nuisance of X",
    Parameter.GAMMA_TILDE_Y: ", nuisance of Y",
}


def to_html(diagram: PhaseDiagram, sweep: ParameterSweep | None) -> str:
    files = importlib.resources.files(__package__)
    template, script = (files.joinpath(name).read_text(encoding="utf-8") for name in ("page.html", "page.js"))
    # The text of users comes last, so that nothing in it is taken for a place to fill, and without any <, so that it
    # cannot end the script element that holds it.
    content = json.dumps(_content(diagram, sweep), allow_nan=False).replace("<", r"\u003c")
    return template.replace("@SCRIPT@", script).replace("@DIAGRAM@", content)


def _content(diagram: PhaseDiagram, sweep: ParameterSweep | None) -> dict[str, Any]:
    kappa_max = diagram.right_edge if sweep is None else next(sweep.diagrams(diagram)).right_edge
    tildes = [value for value in (diagram.gamma_tilde_x, diagram.gamma_tilde_y) if value is not None]
    variances = {name: getattr(diagram, name) for name in Parameter}
    variances = {name: tildes[0] if value is None else value for name, value in variances.items()}
    moving = {name: [value] for name, value in variances.items()}
    if sweep is not None:
        moving[sweep.parameter] += sweep.values
    direction = Direction.BOTH if len(diagram.ways) > 1 else diagram.ways[0]
    return {
        "state": {**variances, "kappa_max": kappa_max, "direction": direction},
        "ranges": {
            **{name: _slider_range(values) for name, values in moving.items()},
            "kappa_max": (kappa_max / 20, kappa_max * 20),
        },
        "points": [{"kappa": point.kappa, "nu": point.nu, "name": point.name} for point in diagram.points],
        "sweep": None if sweep is None else {"parameter": sweep.parameter, "values": sweep.values},
        "milliseconds": MILLISECONDS,
        "symbols": {
            name: {"symbol": name.symbol[:-2], "index": name[-1], "meaning": meaning}
            for name, meaning in MEANINGS.items()
        },
        "labels": REGION_LABELS,
        "descriptions": REGION_NAMES,
        "colors": REGION_COLORS,
        "point_color": VERMILION,
    }


def _slider_range(values: list[float]) -> tuple[float, float]:
    """Three decades either way of 1, and further if the values go there."""
    positive = [value for value in values if value > 0]
    return min([1e-3, *positive]), max([1e3, *positive])
