"""A phase diagram as a table that a person reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crossphase.diagnosis.text import REGIME_NAMES, number
from crossphase.phase_diagram.parameters import Parameter

if TYPE_CHECKING:
    from crossphase.phase_diagram.diagram import PhaseDiagram
    from crossphase.phase_diagram.points import LocatedPoint

N_STRENGTHS = 5


def describe(diagram: PhaseDiagram) -> str:
    """The boundaries at a few strengths, then every point."""
    given = [(name, getattr(diagram, name)) for name in Parameter]
    parameters = ", ".join(f"{name.symbol} = {value:g}" for name, value in given if value is not None)
    tasks = "".join(f"{way.task:>20}" for way in diagram.ways)
    lines = [
        f"Phase diagram: {parameters}",
        "  Signal of strength κ is recovered while the nuisance correlation ν stays below",
        "",
        f"  {'κ':>8}{'align (CA)':>14}{tasks}",
    ]
    for kappa in np.linspace(0.0, diagram.right_edge, N_STRENGTHS + 1)[1:]:
        thresholds = "".join(f"{number(float(diagram.nu_cp(kappa, way))):>20}" for way in diagram.ways)
        lines.append(f"  {kappa:>8.3g}{number(float(diagram.nu_ca(kappa))):>14}{thresholds}")
    for point in diagram.points:
        lines += ["", *_describe_point(diagram, diagram.locate(point))]
    return "\n".join(lines)


def _describe_point(diagram: PhaseDiagram, point: LocatedPoint) -> list[str]:
    """Verdicts, then how far ν may rise (+) or must fall (-) before each objective's changes."""
    lines = [f"  {point.name}: κ {point.kappa:.3g}, ν {point.nu:.3g}"]
    thresholds = [("align (CA)", point.nu_ca, point.delta_ca)]
    for way in diagram.ways:
        lines.append(f"    {way.arrow}: {REGIME_NAMES[getattr(point, f'regime{way.suffix}')]}")
        thresholds.append((way.task, getattr(point, f"nu_cp{way.suffix}"), getattr(point, f"delta_cp{way.suffix}")))
    for objective, threshold, delta in thresholds:
        mark = "✓" if delta > 1 else "✗"
        lines.append(
            f"    {mark} {objective:<18} Δ {number(delta):<8} recovers below ν = {number(threshold)}, "
            f"margin {threshold - point.nu:+.3g}"
        )
    return lines
