"""The figures of all experiments, in one style."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from linear_experiments.bottlenecks import HardBottleneck, ManyViews, SoftBottleneck
from linear_experiments.contrastive import FAILED_FROM, Contrastive
from linear_experiments.estimation import KAPPA_OF_SWEEP, NU_OF_SWEEP, Estimation
from linear_experiments.failure import Failure, ProbeErrors
from linear_experiments.interpolation import Interpolation
from linear_experiments.partial_recovery import OBJECTIVES, K, PartialRecovery
from linear_experiments.separation import Separation

CA, CP, TRUTH = "#0072b2", "#d55e00", "#555555"  # distinguishable with every kind of colour vision (Okabe & Ito)
OTHERS = ("#009e73", "#cc79a7", "#e69f00")
STYLE = {
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "lines.markersize": 3.5,
}
DOTS_PER_INCH = 110
PANEL = (3.3, 2.6)  # inches


@contextmanager
def style() -> Iterator[None]:
    """Inside, figures are drawn and saved in the common style."""
    with mpl.rc_context(STYLE):
        yield


def save(figure: Figure, path: Path) -> None:
    figure.savefig(
        path, dpi=DOTS_PER_INCH, metadata={"Software": None}
    )  # the same bytes with every matplotlib version's name


def panels(
    n_columns: int, n_rows: int = 1, *, size: tuple[float, float] = PANEL, share_axes: bool = False
) -> tuple[Figure, np.ndarray]:
    """A figure and its axes, (n_rows, n_columns); `size` is that of one of them."""
    figure = Figure(figsize=(size[0] * n_columns, size[1] * n_rows), layout="constrained")
    return figure, figure.subplots(n_rows, n_columns, squeeze=False, sharex=share_axes, sharey=share_axes)


def over_seeds(axes: Axes, x: np.ndarray, values: np.ndarray, label: str, colour: str) -> None:
    """Mean over seeds, in a band of one standard deviation either way."""
    mean, spread = values.mean(axis=0), values.std(axis=0)
    axes.plot(x, mean, color=colour, label=label)
    axes.fill_between(x, mean - spread, mean + spread, color=colour, alpha=0.2, linewidth=0)


def hard_bottleneck(result: HardBottleneck) -> Figure:
    figure, ((axes,),) = panels(1)
    for counts, expected, label, colour, shift in (
        (result.counts_shared, result.expected_shared, "shared rank limited", CA, -0.04),
        (result.counts_y, result.expected_y, "rank of Y limited", CP, 0.04),
    ):
        axes.plot(result.ranks, expected, "--", color=TRUTH, zorder=0)
        axes.plot(result.ranks + shift, counts, "o", color=colour, label=label)
    axes.set(xlabel="rank", ylabel="nonzero canonical correlations", xticks=result.ranks, yticks=result.ranks)
    axes.legend()
    return figure


def many_views(result: ManyViews) -> Figure:
    figure, ((left, right),) = panels(2)
    for n_views, counts, colour, shift in zip(
        result.n_views_single, result.counts_single, OTHERS, (-0.08, 0.0, 0.08), strict=True
    ):
        left.plot(result.ranks_single + shift, counts, "o", color=colour, label=f"N = {n_views}")
    left.plot(result.ranks_single, result.ranks_single, "--", color=TRUTH, zorder=0)
    left.set(title="(a) one view has a lower rank", xlabel="its rank", ylabel="least number of correlations")
    left.set(xticks=result.ranks_single, yticks=result.ranks_single)
    left.legend()
    views = result.n_views_progressive
    right.plot(views, result.ranks_single.max() + 2 - views, "--", color=TRUTH, label="k - N + 1")
    right.plot(views, result.counts_progressive, "o", color=CA, label="found")
    right.set(title="(b) view i has rank k - i", xlabel="number of views N", xticks=views, yticks=result.ranks_single)
    right.legend()
    return figure


def soft_bottleneck(result: SoftBottleneck) -> Figure:
    figure, ((axes,),) = panels(1)
    axes.loglog(result.weakest_correlations, result.bounds, "--", color=TRUTH, label=r"bound $2/\varphi_k$")
    axes.loglog(result.weakest_correlations, result.population_norms, "o", color=CA, label="optimum, population")
    over_seeds(axes, result.weakest_correlations, result.sample_norms, "optimum, samples", CP)
    axes.set(xlabel=r"weakest population correlation $\varphi_k$", ylabel="squared norm of the encoders")
    axes.legend()
    return figure


def separation(result: Separation) -> Figure:
    figure, ((axes,),) = panels(1)
    for theory, empirical, label, colour in (
        (result.theory_ca, result.empirical_ca, r"$\Delta_{CA}$", CA),
        (result.theory_cp, result.empirical_cp, r"$\Delta_{CP}$", CP),
    ):
        axes.plot(result.gamma_tilde_y, theory, "--", color=colour, label=f"{label}, theory")
        over_seeds(axes, result.gamma_tilde_y, empirical, f"{label}, samples", colour)
    axes.axhline(1, color=TRUTH, linewidth=0.6)
    axes.set(
        xscale="log",
        yscale="log",
        xlabel=r"nuisance variance of the target $\tilde\gamma_y$",
        ylabel="separation ratio",
    )
    axes.legend()
    return figure


def failure(result: Failure) -> Figure:
    figure, ((axes,),) = panels(1)
    for distances, population, threshold, label, colour in (
        (result.distance_ca, result.population_distance_ca, result.threshold_ca, "CA", CA),
        (result.distance_cp, result.population_distance_cp, result.threshold_cp, "CP", CP),
    ):
        over_seeds(axes, result.nu, distances, f"{label}, samples", colour)
        axes.plot(result.nu, population, ":", color=colour, label=f"{label}, population")
        axes.axvline(threshold, color=colour, linewidth=0.6)
    axes.set(xlabel=r"nuisance correlation $\nu$", ylabel="subspace distance")
    axes.legend()
    return figure


def probe_errors(result: ProbeErrors) -> Figure:
    figure, axes_of = panels(2)
    for axes, title, curves in zip(
        axes_of[0],
        ("error of all of Y", "error against the signal in Y"),
        (
            (result.total_ca, result.population_total_ca, result.total_cp, result.population_total_cp),
            (result.signal_ca, result.population_signal_ca, result.signal_cp, result.population_signal_cp),
        ),
        strict=True,
    ):
        for samples, population, label, colour in ((*curves[:2], "CA + probe", CA), (*curves[2:], "CP", CP)):
            over_seeds(axes, result.nu, samples, label, colour)
            axes.plot(result.nu, population, ":", color=colour)
        axes.set(title=title, xlabel=r"nuisance correlation $\nu$", ylabel="mean squared error")
        axes.legend()
    return figure


def interpolation(result: Interpolation) -> Figure:
    figure, ((axes,),) = panels(1)
    for distances, label, colour in (
        (result.to_cp, "from CP", CP),
        (result.to_ca, "from CA", CA),
        (result.to_truth, "from the signal", TRUTH),
    ):
        over_seeds(axes, result.weights, distances, label, colour)
    axes.set_xscale("symlog", linthresh=0.01)
    axes.set(xlabel=r"alignment weight $\lambda$", ylabel="subspace distance", xlim=(0, None))
    axes.legend()
    return figure


def partial_recovery(result: PartialRecovery) -> Figure:
    n_decays = len(result.decays)
    figure, axes_of = panels(n_decays, 2, size=(1.9, 1.6), share_axes=True)
    for o, objective in enumerate(OBJECTIVES):
        for d, decay in enumerate(result.decays):
            axes: Axes = axes_of[o, d]
            plane = (result.kappas, result.nus)
            image = axes.pcolormesh(*plane, result.mean_counts[o, d].T, vmin=0, vmax=K, shading="nearest")
            axes.contour(*plane, result.theory[o, d].T, levels=np.arange(K) + 0.5, colors="white", linewidths=0.7)
            axes.set_title(f"{objective}, b = {decay:g}")
            if o == 1:
                axes.set_xlabel(r"$\bar\kappa$")
        axes_of[o, 0].set_ylabel(r"$\nu$")
    figure.colorbar(image, ax=axes_of, label="recovered directions (lines: theory)", shrink=0.7)
    return figure


def estimation(result: Estimation) -> Figure:
    figure, ((left, right), (below_left, below_right)) = panels(2, 2)
    left.plot(result.kappas, result.kappas**2, "--", color=TRUTH, label=r"$\kappa^2$")
    over_seeds(left, result.kappas, result.kappa_sweep, r"$\hat\kappa$", CA)
    left.set(title=rf"$\nu$ = {NU_OF_SWEEP:g}", xlabel=r"$\kappa$")
    right.plot(result.nus, result.nus, "--", color=TRUTH, label=r"$\nu$")
    over_seeds(right, result.nus, result.nu_sweep, r"$\hat\nu$", CP)
    right.set(title=rf"$\kappa$ = {KAPPA_OF_SWEEP:g}", xlabel=r"$\nu$")
    for axes in (left, right):
        axes.legend()
    for axes, errors, label in (
        (below_left, result.kappa_errors, r"$\hat\kappa / \kappa^2 - 1$"),
        (below_right, result.nu_errors, r"$\hat\nu - \nu$"),
    ):
        limit = np.abs(errors).max()
        image = axes.pcolormesh(
            result.kappas, result.nus, errors.T, vmin=-limit, vmax=limit, cmap="RdBu_r", shading="nearest"
        )
        axes.set(xlabel=r"$\kappa$", ylabel=r"$\nu$")
        figure.colorbar(image, ax=axes, label=label)
    return figure


def contrastive(result: Contrastive) -> Figure:
    figure, ((axes,),) = panels(1)
    for temperature, distances, colour in zip(result.temperatures, result.distance_info_nce, OTHERS, strict=True):
        over_seeds(axes, result.nu, distances, f"InfoNCE, temperature {temperature:g}", colour)
    over_seeds(axes, result.nu, result.distance_ca, "CA", CA)
    over_seeds(axes, result.nu, result.distance_cp, "CP", CP)
    axes.axhline(FAILED_FROM, color=TRUTH, linewidth=0.6)
    axes.set(xlabel=r"nuisance correlation $\nu$", ylabel="subspace distance")
    axes.legend()
    return figure
