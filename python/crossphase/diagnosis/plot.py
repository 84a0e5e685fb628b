"""A diagnosis as a picture: the phase plane and the three spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crossphase.components import Decomposition, Recovery
from crossphase.diagnosis.recommend import CROSS_MODAL_NAMES, Objective
from crossphase.diagnosis.text import ADVICE, number
from crossphase.phase_plane import BLACK, POINT, VERMILION, draw_regions, frame_plane, new_figure
from crossphase.regimes import ca_boundary, cp_boundary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from crossphase.diagnosis.result import Diagnosis

SIGNAL, NUISANCE = VERMILION, "#9AA5B1"


def draw(diagnosis: Diagnosis) -> Figure:
    figure = new_figure(11, 8.5)
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
    axes[0, 1].axhline(level, color=BLACK, linewidth=0.8, linestyle=":", label=f"independent data, 95 %: {level:.2f}")
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
    is_reverse = d.recommendation.objective is Objective.PREDICT_X_FROM_Y  # show the direction that is recommended
    gammas = (c.gamma_y, c.gamma_tilde_x) if is_reverse else (c.gamma_x, c.gamma_tilde_y)
    draw_regions(axis, kappa, ca_boundary(kappa, c.gamma_x, c.gamma_y), cp_boundary(kappa, *gammas))
    axis.plot([c.kappa], [c.nu], **POINT, label="this pair (composite)", zorder=5)
    frame_plane(axis, right)
    axis.set_title(f"phase plane, {'Y → X' if is_reverse else 'X → Y'}: κ = {c.kappa:.2g}, ν = {c.nu:.2g} (composite)")


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
            recovery.floor, color=BLACK, linewidth=0.8, linestyle="--", label=f"top nuisance: {recovery.floor:.3g}"
        )
