"""A diagnosis as a table that a person reads."""

from __future__ import annotations

import math
import textwrap
from typing import TYPE_CHECKING

from crossphase.diagnosis.recommend import Objective
from crossphase.regimes import Regime

if TYPE_CHECKING:
    from crossphase.components import Recovery
    from crossphase.diagnosis.result import Diagnosis

WIDTH = 88

REGIME_NAMES = {
    Regime.BOTH: "both recover",
    Regime.CA_ONLY: "alignment only",
    Regime.CP_ONLY: "prediction only",
    Regime.NEITHER: "neither recovers",
}
ADVICE = {
    Objective.ALIGN: "align X and Y",
    Objective.PREDICT_Y_FROM_X: "predict Y from X",
    Objective.PREDICT_X_FROM_Y: "predict X from Y",
    Objective.SINGLE_MODALITY_X: "no cross-modal model; use X alone",
    Objective.SINGLE_MODALITY_Y: "no cross-modal model; use Y alone",
    Objective.UNDECIDED: "undecided",
}


def describe(diagnosis: Diagnosis) -> str:
    """The verdict first, then its evidence."""
    d = diagnosis
    lines = [
        f"What to train: {ADVICE[d.recommendation.objective]}",
        *_wrapped(d.recommendation.reason, "  "),
        "",
        f"  {'objective':<18}{'ratio Δ':>9}{'signal kept':>14}{'weakest signal':>17}{'top nuisance':>15}",
        _row("align (CA)", d.recovery_ca),
        _row("predict Y from X", d.recovery_cp),
        _row("predict X from Y", d.recovery_cp_reverse),
        "",
        f"  Regime: {REGIME_NAMES[d.regime]} (X → Y), {REGIME_NAMES[d.regime_reverse]} (Y → X).",
        *_wrapped(
            "Δ = weakest signal / top nuisance; above 1 the objective keeps every signal component. Alignment values are "
            "canonical correlations (independent data of this size would reach "
            f"{d.null_correlations.level_95:.3f} in 5 % of samples), prediction values are in units of the target.",
            "  ",
        ),
        *_wrapped(
            f"Phase plane: κ {d.composite.kappa:.3g}, ν {d.composite.nu:.3g} (composite parameters: "
            f"{REGIME_NAMES[d.composite.regime]}).",
            "  ",
        ),
        "",
        *_wrapped(_input(d), "  "),
    ]
    for warning in d.warnings:
        lines += _wrapped(f"[{warning.code}] {warning.message}", "  ! ")
    lines += _wrapped(
        "The published procedure, in-sample and without an interval: a ratio near 1 decides nothing.", "  "
    )
    return "\n".join(lines)


def number(value: float) -> str:
    """Three significant digits; infinity and absence as signs."""
    if math.isnan(value):
        return "–"
    return ("∞" if value > 0 else "–") if math.isinf(value) else f"{value:.3g}"


def _row(name: str, recovery: Recovery) -> str:
    kept = f"{recovery.n_recovered} of {recovery.n_signal}"
    mark = "✓" if recovery.delta > 1 else "✗"
    return (
        f"{mark} {name:<18}{number(recovery.delta):>9}{kept:>14}"
        f"{number(recovery.smallest_signal):>17}{number(recovery.floor):>15}"
    )


def _input(d: Diagnosis) -> str:
    steps = []
    if d.settings.standardize:
        steps.append("standardised")
    if (d.settings.reduce_x, d.settings.reduce_y) != (None, None):
        kept = [str(side) if side is not None else "all" for side in (d.settings.reduce_x, d.settings.reduce_y)]
        steps.append(f"reduced to {kept[0]} + {kept[1]} principal components")
    return (
        f"{d.n_samples} pairs, {d.n_features_x} + {d.n_features_y} features ({d.dtype_x}, {d.dtype_y}"
        f"{', ' + ', '.join(steps) if steps else ''}), {len(d.label_columns)} label columns; method "
        f"{d.settings.method}/{d.settings.signal_rule}, {d.settings.n_components} components, "
        f"{d.settings.n_permutations} permutations; crossphase {d.version}, backend {d.backend}."
    )


def _wrapped(sentence: str, prefix: str) -> list[str]:
    return textwrap.wrap(sentence, WIDTH, initial_indent=prefix, subsequent_indent=" " * len(prefix))
