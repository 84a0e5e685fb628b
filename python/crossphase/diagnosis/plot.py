"""A diagnosis as a picture: the phase plane and the three spectra."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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
_LEAST_WIDTH = 6  # places for bars, or a single one fills the panel
SIGNAL, NUISANCE = VERMILION, "#9AA5B1"
_OBSERVED: dict[str, Any] = {
    "marker": "o",
    "linestyle": "",
    "markersize": 3.5,
    "markerfacecolor": "white",
    "markeredgecolor": BLACK,
    "markeredgewidth": 0.7,
}


def draw(diagnosis: Diagnosis) -> Figure:
    figure = new_figure(11, 8.5)
    axes = figure.subplots(2, 2)
    _draw_plane(axes[0, 0], diagnosis)
    d = diagnosis
    recoveries = (d.recovery_ca, d.recovery_cp, d.recovery_cp_reverse)
    for axis, objective, recovery in zip(axes.flat[1:], CROSS_MODAL_NAMES, recoveries, strict=True):
        interval = ""
        if d.components is not None and d.settings.signal_rule is not None:
            c = d.components
            decomposition = {Objective.ALIGN: c.cca, Objective.PREDICT_Y_FROM_X: c.cp}.get(objective, c.cp_reverse)
            _draw_spectrum(axis, decomposition, decomposition.signals[d.settings.signal_rule].is_signal, recovery)
        elif d.subspace is not None:
            s = d.subspace
            operator = {Objective.ALIGN: s.alignment, Objective.PREDICT_Y_FROM_X: s.prediction}.get(
                objective, s.prediction_reverse
            )
            _draw_operator(axis, operator)
            delta = operator.delta
            if operator.signal and np.isfinite(delta.value):
                interval = f" ({number(delta.low)} to {number(delta.high)})"
        axis.set(
            title=f"{CROSS_MODAL_NAMES[objective]}: Δ = {number(recovery.delta)}{interval}",
            xlabel="component" if d.subspace is None else "direction, those of the labels first",
            ylabel="canonical correlation" if objective is Objective.ALIGN else "gain",
        )
    level = d.null_correlations.level_95
    axes[0, 1].axhline(level, color=BLACK, linewidth=0.8, linestyle=":", label=f"independent data, 95 %: {level:.2f}")
    if axes[0, 1].get_yscale() == "linear":
        axes[0, 1].set_ylim(0, 1.02)
    for axis in axes.flat:
        if not axis.get_legend_handles_labels()[0]:
            continue
        n_columns = 2 if d.subspace is not None and axis is not axes[0, 0] else 3
        axis.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=n_columns, fontsize=8, frameon=False)
    figure.suptitle(f"What to train: {ADVICE[d.recommendation.objective]}", fontsize=14)
    return figure


def _draw_plane(axis: Axes, d: Diagnosis) -> None:
    if d.subspace is not None and not d.subspace.n_directions:
        axis.set(title="phase plane", xticks=[], yticks=[])
        axis.text(0.5, 0.5, "the labels show no signal direction:\nno place in the plane", ha="center", va="center")
        return
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


def _draw_spectrum(axis: Axes, decomposition: Decomposition, is_signal: np.ndarray, recovery: Recovery) -> None:
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
    """Values without the sample's inflation as bars, signal with intervals; those of the sample as circles."""
    r = len(operator.signal)
    n_nuisance = len(operator.nuisance)
    n_shown = min(n_nuisance, _MOST_NUISANCE)
    if r:
        values = np.array([e.value for e in operator.signal])
        errors = np.array([[e.value - e.low, e.high - e.value] for e in operator.signal]).T
        name = f"signal ({r}), 95 % interval"
        axis.bar(np.arange(1, r + 1), values, yerr=errors, color=SIGNAL, ecolor=BLACK, capsize=2, label=name)
    if n_shown:
        top = operator.largest_nuisance
        name = f"nuisance ({n_nuisance})" if n_shown == n_nuisance else f"nuisance (first {n_shown} of {n_nuisance})"
        axis.bar(np.arange(r + 1, r + 1 + n_shown), operator.nuisance[:n_shown], color=NUISANCE, label=name)
        axis.axhspan(top.low, top.high, color=NUISANCE, alpha=0.25, linewidth=0)
        axis.axhline(
            top.value, color=BLACK, linewidth=0.8, linestyle="--", label=f"top nuisance: {top.value:.3g}, 95 % band"
        )
    observed = np.concatenate([operator.in_sample_signal, operator.in_sample_nuisance[:n_shown]])
    axis.plot(np.arange(1, len(observed) + 1), observed, **_OBSERVED, label="in the sample, noise included")
    axis.set_xlim(0, max(len(observed), _LEAST_WIDTH) + 1)
    axis.set_ylim(bottom=0)
