"""A phase diagram as a picture."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np

from crossphase.phase_diagram.parameters import Direction, Parameter
from crossphase.phase_plane import (
    CA_LINE,
    CP_LINE,
    POINT,
    REGION_COLORS,
    REGION_NAMES,
    draw_regions,
    frame_plane,
    new_figure,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from crossphase.phase_diagram.diagram import PhaseDiagram
    from crossphase.phase_diagram.points import PhasePoint

# A plane is about so many inches; boxes of text are placed in fractions of it.
PLANE_WIDTH, PLANE_HEIGHT = 5.4, 4.2
NAME_SIZE = 9.0  # points
SYMBOLS = {  # as mathtext: plain text would set the tilde beside its letter
    Parameter.GAMMA_X: r"$\gamma_x$",
    Parameter.GAMMA_Y: r"$\gamma_y$",
    Parameter.GAMMA_TILDE_X: r"$\tilde{\gamma}_x$",
    Parameter.GAMMA_TILDE_Y: r"$\tilde{\gamma}_y$",
}


def draw(diagram: PhaseDiagram) -> Figure:
    figure, axes = lay_out(diagram)
    for axis, way in zip(axes, diagram.ways, strict=True):
        draw_plane(axis, diagram, way)
    return figure


def lay_out(diagram: PhaseDiagram) -> tuple[Figure, Sequence[Axes]]:
    """Everything but what the parameters shape: frames, titles, legend."""
    n_planes = len(diagram.ways)
    figure = new_figure(0.9 + PLANE_WIDTH * n_planes, 1.7 + PLANE_HEIGHT)  # or a sentence, if matplotlib is missing
    from matplotlib.lines import Line2D  # noqa: PLC0415
    from matplotlib.patches import Patch  # noqa: PLC0415

    axes = list(figure.subplots(1, n_planes, squeeze=False)[0])
    for axis, way in zip(axes, diagram.ways, strict=True):
        frame_plane(axis, diagram.right_edge)
        axis.set_title(f"{way.arrow}: align, or {way.task}?", fontsize=11)
    handles: list[Artist] = [Line2D([], [], **CA_LINE), Line2D([], [], **CP_LINE)]
    handles += [Patch(color=color, label=REGION_NAMES[regime]) for regime, color in REGION_COLORS.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, fontsize=9, frameon=False)
    figure.suptitle(caption(diagram), fontsize=12)
    return figure, axes


def caption(diagram: PhaseDiagram) -> str:
    """The parameters that shape the boundaries shown."""
    shown = [Parameter.GAMMA_X, Parameter.GAMMA_Y]
    if Direction.Y_TO_X in diagram.ways:
        shown.append(Parameter.GAMMA_TILDE_X)
    if Direction.X_TO_Y in diagram.ways:
        shown.append(Parameter.GAMMA_TILDE_Y)
    return ",   ".join(f"{SYMBOLS[name]} = {getattr(diagram, name):.3g}" for name in shown)


def draw_plane(axis: Axes, diagram: PhaseDiagram, way: Direction) -> list[Artist]:
    """Regions, boundaries and the points in sight; what was drawn, from the bottom up."""
    from matplotlib.patheffects import withStroke  # noqa: PLC0415  (an extra)

    points = [point for point in diagram.points if point.kappa <= diagram.right_edge]
    marks = [_box(point.kappa / diagram.right_edge, point.nu, 0.0, 0.0) for point in points]
    boxes = _place_names(points, marks)
    taken = np.reshape([*marks, *boxes], (-1, 4))
    kappa = diagram.kappas()
    drawn = draw_regions(axis, kappa, diagram.nu_ca(kappa), diagram.nu_cp(kappa, way), taken)
    for point, box in zip(points, boxes, strict=True):
        drawn += axis.plot([point.kappa], [point.nu], **POINT, clip_on=False, zorder=5)
        left, bottom, right, top = box
        x = point.kappa / diagram.right_edge
        side, edge = ("left", left) if left > x else ("right", right) if right < x else ("center", (left + right) / 2)
        drawn.append(
            axis.text(
                edge,
                (bottom + top) / 2,
                point.name,
                transform=axis.transAxes,
                ha=side,
                va="center",
                fontsize=NAME_SIZE,
                path_effects=[withStroke(linewidth=2.5, foreground="#FFFFFFCC")],  # legible across a boundary
                parse_math=False,  # a name is a name, also with dollars in it
                zorder=6,
            )
        )
    return drawn


_Box = tuple[float, float, float, float]  # left, bottom, right, top in fractions of the plane


def _box(x: float, y: float, width: float, height: float) -> _Box:
    """Around a centre, with the marker's own size at the least."""
    half_width = max(width, POINT["markersize"] / 72 / PLANE_WIDTH) / 2
    half_height = max(height, POINT["markersize"] / 72 / PLANE_HEIGHT) / 2
    return x - half_width, y - half_height, x + half_width, y + half_height


def _place_names(points: Sequence[PhasePoint], marks: Sequence[_Box]) -> list[_Box]:
    """Where each point's name goes: beside its mark, on the first side that is free and in the plane."""
    placed: list[_Box] = []
    for point, (left, bottom, right, top) in zip(points, marks, strict=True):
        width = 0.62 * NAME_SIZE * len(point.name) / 72 / PLANE_WIDTH  # mean advance of the font, rounded up
        height = 1.3 * NAME_SIZE / 72 / PLANE_HEIGHT
        x, y, gap = (left + right) / 2, (bottom + top) / 2, 0.01
        beside, above = (right - left + width) / 2 + gap, (top - bottom + height) / 2
        sides = [(beside, 0.0), (-beside, 0.0), (0.0, above), (0.0, -above)]
        sides += list(itertools.product((beside, -beside), (above, -above)))
        candidates = [_box(x + dx, y + dy, width, height) for dx, dy in sides]
        others = [*marks, *placed]
        free = [box for box in candidates if _is_inside(box) and not any(_overlap(box, other) for other in others)]
        placed.append((free or candidates)[0])
    return placed


def _is_inside(box: _Box) -> bool:
    return min(box[:2]) >= 0 and max(box[2:]) <= 1


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
