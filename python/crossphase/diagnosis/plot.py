"""A diagnosis as a picture: the phase plane and the three spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from crossphase.components import Decomposition, Recovery
from crossphase.diagnosis.recommend import CROSS_MODAL_NAMES
from crossphase.diagnosis.text import ADVICE, number
from crossphase.objectives import Objective
from crossphase.phase_plane import BLACK, POINT, VERMILION, draw_regions, frame_plane, new_figure
from crossphase.regimes import ca_boundary, cp_boundary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from crossphase.diagnosis.result import Diagnosis
    from crossphase.subspace import OperatorAnalysis

_MOST_NUISANCE = 60  # bars
SIGNAL, NUISANCE = VERMILION, "#9AA5B1"


def draw(diagnosis: Diagnosis) -> Figure:
    figure = new_figure(11, 8.5)
    axes = figure.subplots(2, 2)
    _draw_plane(axes[0, 0], diagnosis)
    d = diagnosis
    c, s = d.components, d.subspace
    panels = (
        (axes[0, 1], Objective.ALIGN, d.recovery_ca, c and c.cca, s and s.alignment),
        (axes[1, 0], Objective.PREDICT_Y_FROM_X, d.recovery_cp, c and c.cp, s and s.prediction),
        (axes[1, 1], Objective.PREDICT_X_FROM_Y, d.recovery_cp_reverse, c and c.cp_reverse, s and s.prediction_reverse),
    )
    for axis, objective, recovery, decomposition, operator in panels:
        if decomposition is not None:
            _draw_spectrum(axis, decomposition, recovery, d)
        elif operator is not None:
            _draw_operator(axis, operator)
        axis.set(
            title=f"{CROSS_MODAL_NAMES[objective]}: Δ = {number(recovery.delta)}",
            xlabel="component" if operator is None else "direction, signal first",
            ylabel="canonical correlation" if objective is Objective.ALIGN else "gain",
        )
    level = d.null_correlations.level_95
    axes[0, 1].axhline(level, color=BLACK, linewidth=0.8, linestyle=":", label=f"independent data, 95 %: {level:.2f}")
    if axes[0, 1].get_yscale() == "linear":
        axes[0, 1].set_ylim(0, 1.02)
    for axis in axes.flat:
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, fontsize=8, frameon=False)
    figure.suptitle(f"What to train: {ADVICE[d.recommendation.objective]}", fontsize=14)
    return figure


def _draw_plane(axis: Axes, d: Diagnosis) -> None:
    c = d.phase_parameters
    source = "composite" if d.subspace is None else "mean of label directions"
    right = max(2.0 * c.kappa, 1.0)
    kappa = np.linspace(0.0, right, 400)
    is_reverse = d.recommendation.objective is Objective.PREDICT_X_FROM_Y  # show the direction that is recommended
    gammas = (c.gamma_y, c.gamma_tilde_x) if is_reverse else (c.gamma_x, c.gamma_tilde_y)
    draw_regions(axis, kappa, ca_boundary(kappa, c.gamma_x, c.gamma_y), cp_boundary(kappa, *gammas))
    axis.plot([c.kappa], [c.nu], **POINT, label=f"this pair ({source})", zorder=5)
    frame_plane(axis, right)
    axis.set_title(f"phase plane, {'Y → X' if is_reverse else 'X → Y'}: κ = {c.kappa:.2g}, ν = {c.nu:.2g}")


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


def _draw_operator(axis: Axes, operator: OperatorAnalysis) -> None:
    """Fitted values with their intervals as bars, the sample's inflated ones as dots."""
    r = len(operator.signal)
    n_shown = min(len(operator.nuisance), _MOST_NUISANCE)
    values = np.array([e.value for e in operator.signal])
    numbers = np.arange(1, r + 1)
    if r:
        errors = np.array([[e.value - e.low, e.high - e.value] for e in operator.signal]).T
        axis.bar(numbers, values, yerr=errors, color=SIGNAL, ecolor=BLACK, capsize=2, label=f"signal ({r})")
        axis.plot(numbers, operator.in_sample_signal, ".", color=BLACK, markersize=4)
    if n_shown:
        top = operator.largest_nuisance
        numbers = np.arange(r + 1, r + 1 + n_shown)
        axis.bar(numbers, operator.nuisance[:n_shown], color=NUISANCE, label=f"nuisance ({len(operator.nuisance)})")
        axis.plot(numbers, operator.in_sample_nuisance[:n_shown], ".", color=BLACK, markersize=4, label="in the sample")
        axis.axhspan(top.low, top.high, color=NUISANCE, alpha=0.2, linewidth=0)
        axis.axhline(top.value, color=BLACK, linewidth=0.8, linestyle="--", label=f"top nuisance: {top.value:.3g}")
