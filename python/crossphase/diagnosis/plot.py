"""A diagnosis as a picture: the phase plane and the three spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from crossphase.components import Decomposition, Recovery
from crossphase.diagnosis.recommend import CROSS_MODAL_NAMES, Objective
from crossphase.diagnosis.text import ADVICE, number
from crossphase.regimes import Regime, ca_boundary, cp_boundary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from crossphase.diagnosis.result import Diagnosis

# Okabe & Ito (2008): told apart by readers with any colour vision.
SIGNAL, NUISANCE, POINT = "#D55E00", "#9AA5B1", "#000000"
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


def draw(diagnosis: Diagnosis) -> Figure:
    try:
        from matplotlib.figure import Figure  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise ImportError('plotting needs matplotlib: pip install "crossphase[report]"') from error

    figure = Figure(figsize=(11, 8.5), layout="constrained")
    axes = figure.subplots(2, 2)
    _draw_plane(axes[0, 0], diagnosis)
    d = diagnosis
    panels = (
        (axes[0, 1], CROSS_MODAL_NAMES[Objective.ALIGN], "canonical correlation", d.components.cca, d.recovery_ca),
        (axes[1, 0], CROSS_MODAL_NAMES[Objective.PREDICT_Y_FROM_X], "gain", d.components.cp, d.recovery_cp),
        (
            axes[1, 1],
            CROSS_MODAL_NAMES[Objective.PREDICT_X_FROM_Y],
            "gain",
            d.components.cp_reverse,
            d.recovery_cp_reverse,
        ),
    )
    for axis, title, quantity, decomposition, recovery in panels:
        _draw_spectrum(axis, decomposition, recovery, d)
        axis.set(title=f"{title}: Δ = {number(recovery.delta)}", xlabel="component", ylabel=quantity)
    level = d.null_correlations.level_95
    axes[0, 1].axhline(level, color=POINT, linewidth=0.8, linestyle=":", label=f"independent data, 95 %: {level:.2f}")
    if axes[0, 1].get_yscale() == "linear":
        axes[0, 1].set_ylim(0, 1.02)
    for axis in axes.flat:
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, fontsize=8, frameon=False)
    figure.suptitle(f"What to train: {ADVICE[d.recommendation.objective]}", fontsize=14)
    return figure


def _draw_plane(axis: Axes, d: Diagnosis) -> None:
    c = d.composite
    right = max(2.0 * c.kappa, 1.0)
    kappa = np.linspace(0.0, right, 400)
    ca = np.minimum(ca_boundary(kappa, c.gamma_x, c.gamma_y), 1.0)
    is_reverse = d.recommendation.objective is Objective.PREDICT_X_FROM_Y  # show the direction that is recommended
    gammas = (c.gamma_y, c.gamma_tilde_x) if is_reverse else (c.gamma_x, c.gamma_tilde_y)
    cp = np.minimum(cp_boundary(kappa, *gammas), 1.0)
    lower, upper = np.minimum(ca, cp), np.maximum(ca, cp)
    regions: list[tuple[Regime, np.ndarray, np.ndarray, Any]] = [
        (Regime.BOTH, np.zeros_like(kappa), lower, None),
        (Regime.CA_ONLY, lower, upper, ca >= cp),
        (Regime.CP_ONLY, lower, upper, cp >= ca),
        (Regime.NEITHER, upper, np.ones_like(kappa), None),
    ]
    for regime, bottom, top, where in regions:
        axis.fill_between(kappa, bottom, top, where=where, color=REGION_COLORS[regime], linewidth=0)
        _label_region(axis, REGION_LABELS[regime], kappa, bottom, top, where)
    axis.plot(kappa, ca, color=POINT, linewidth=1.2, label="align below")
    axis.plot(kappa, cp, color=POINT, linewidth=1.2, linestyle="--", label="predict below")
    axis.plot(
        [c.kappa],
        [c.nu],
        "o",
        color=SIGNAL,
        markeredgecolor=POINT,
        markersize=10,
        label="this pair (composite)",
        zorder=5,
    )
    axis.set(
        title=f"phase plane, {'Y → X' if is_reverse else 'X → Y'}: κ = {c.kappa:.2g}, ν = {c.nu:.2g} (composite)",
        xlabel="signal strength κ",
        ylabel="nuisance correlation ν",
        xlim=(0, right),
        ylim=(0, 1),
    )


def _label_region(
    axis: Axes, name: str, kappa: np.ndarray, bottom: np.ndarray, top: np.ndarray, where: np.ndarray | None
) -> None:
    """Write a region's name where it is tallest, if there is room."""
    height = (top - bottom) if where is None else np.where(where, top - bottom, 0.0)
    inner = slice(len(kappa) // 8, -len(kappa) // 8)  # not on the frame
    i = len(kappa) // 8 + int(height[inner].argmax())
    if height[i] > 0.08:
        axis.text(kappa[i], (bottom[i] + top[i]) / 2, name, ha="center", va="center", fontsize=10, color="#333333")


def _draw_spectrum(axis: Axes, decomposition: Decomposition, recovery: Recovery, d: Diagnosis) -> None:
    is_signal = decomposition.signals[d.settings.signal_rule].is_signal
    numbers = np.arange(1, len(is_signal) + 1)
    for mask, color, name in ((is_signal, SIGNAL, "signal"), (~is_signal, NUISANCE, "nuisance")):
        if mask.any():
            axis.bar(numbers[mask], decomposition.spectrum[mask], color=color, label=f"{name} ({int(mask.sum())})")
    if decomposition.spectrum[0] > 100 * decomposition.spectrum[-1] > 0:
        axis.set_yscale("log")  # or one bar hides the others
    if recovery.floor_index >= 0:
        axis.axhline(
            recovery.floor, color=POINT, linewidth=0.8, linestyle="--", label=f"top nuisance: {recovery.floor:.3g}"
        )
