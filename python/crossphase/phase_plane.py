"""The (κ, ν) plane as a picture: its four regions, the two boundaries between them, and points on it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from crossphase.regimes import Regime

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe & Ito (2008): told apart by readers with any colour vision.
VERMILION, BLACK = "#D55E00", "#000000"
REGION_COLORS = {
    Regime.BOTH: "#A6DBC8",
    Regime.CA_ONLY: "#BBD7EE",
    Regime.CP_ONLY: "#FBE3A6",
    Regime.NEITHER: "#E9E9E9",
}
REGION_LABELS = {
    Regime.BOTH: "both",
    Regime.CA_ONLY: "align",
    Regime.CP_ONLY: "predict",
    Regime.NEITHER: "neither",
}
REGION_NAMES = {
    Regime.BOTH: "both recover",
    Regime.CA_ONLY: "only align recovers",
    Regime.CP_ONLY: "only predict recovers",
    Regime.NEITHER: "neither recovers",
}
KAPPA_LABEL, NU_LABEL = "signal strength κ", "nuisance correlation ν"
CA_LINE: dict[str, Any] = {"color": BLACK, "linewidth": 1.2, "label": "align below"}
CP_LINE: dict[str, Any] = {"color": BLACK, "linewidth": 1.2, "linestyle": "--", "label": "predict below"}
POINT: dict[str, Any] = {
    "color": VERMILION,
    "marker": "o",
    "linestyle": "none",
    "markeredgecolor": BLACK,
    "markersize": 10,
}


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of so many inches, or a sentence that says what to install."""
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise ImportError('plotting needs matplotlib: pip install "crossphase[report]"') from error
    return Figure(figsize=(width, height), layout="constrained")


def frame_plane(axis: Axes, kappa_max: float) -> None:
    """Limits and names of the two coordinates."""
    axis.set(xlabel=KAPPA_LABEL, ylabel=NU_LABEL, xlim=(0, kappa_max), ylim=(0, 1))


def draw_regions(
    axis: Axes, kappa: np.ndarray, nu_ca: np.ndarray, nu_cp: np.ndarray, taken: np.ndarray | None = None
) -> list[Artist]:
    """Fill the four regions, name those with room, and draw the boundaries; what was drawn, from the bottom up.

    Parameters
    ----------
    kappa, nu_ca, nu_cp : array, shape (n,)
        Signal strengths from 0 to the right edge, and where each objective stops recovering there.
    taken : array, shape (m, 4), optional
        Boxes ``left, bottom, right, top``, in fractions of the plane, that names of regions must leave free.
    """
    ca, cp = np.minimum(nu_ca, 1.0), np.minimum(nu_cp, 1.0)
    lower, upper = np.minimum(ca, cp), np.maximum(ca, cp)
    regions: list[tuple[Regime, np.ndarray, np.ndarray, Any]] = [
        (Regime.BOTH, np.zeros_like(kappa), lower, None),
        (Regime.CA_ONLY, lower, upper, ca >= cp),
        (Regime.CP_ONLY, lower, upper, cp >= ca),
        (Regime.NEITHER, upper, np.ones_like(kappa), None),
    ]
    drawn: list[Artist] = []
    names: list[Artist] = []
    for regime, bottom, top, where in regions:
        drawn.append(
            axis.fill_between(
                kappa, bottom, top, where=where, interpolate=True, color=REGION_COLORS[regime], linewidth=0
            )
        )
        if where is not None:
            bottom, top = np.where(where, bottom, 1.0), np.where(where, top, 0.0)  # noqa: PLW2901  (nothing to name there)
        names += _name_region(axis, REGION_LABELS[regime], kappa, bottom, top, taken)
    drawn += axis.plot(kappa, ca, **CA_LINE)
    drawn += axis.plot(kappa, cp, **CP_LINE)
    return [*drawn, *names]


def _name_region(
    axis: Axes, name: str, kappa: np.ndarray, bottom: np.ndarray, top: np.ndarray, taken: np.ndarray | None
) -> list[Artist]:
    """Write a region's name where it is tallest, clear of boundaries and of what is taken, if there is room."""
    height = top - bottom
    half_width, half_height = 0.06, 0.03  # of the longest name, in a plane five inches wide
    columns = int(half_width * len(kappa))
    ceiling = sliding_window_view(np.pad(top, columns, mode="edge"), 2 * columns + 1).min(axis=1)
    floor = sliding_window_view(np.pad(bottom, columns, mode="edge"), 2 * columns + 1).max(axis=1)
    middle = np.clip((bottom + top) / 2, floor + half_height, ceiling - half_height)
    has_room = (ceiling - floor > 2 * half_height) & (height > 0.08)
    if taken is not None:
        x, y = (kappa / kappa[-1])[:, None], middle[:, None]
        left, low, right, high = taken.T
        across = (x + half_width > left) & (x - half_width < right)
        has_room &= ~(across & (y + half_height > low) & (y - half_height < high)).any(axis=1)
    inner = slice(len(kappa) // 8, -len(kappa) // 8)  # not on the frame
    i = inner.start + int(np.where(has_room, height, 0.0)[inner].argmax())
    if not has_room[i]:
        return []
    return [axis.text(kappa[i], middle[i], name, ha="center", va="center", fontsize=10, color="#333333")]
