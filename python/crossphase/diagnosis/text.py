"""A diagnosis as a table that a person reads."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from crossphase.diagnosis.recommend import CROSS_MODAL_NAMES, DECIDED, NEAR_ONE
from crossphase.objectives import Objective
from crossphase.regimes import Regime
from crossphase.rehearsal import decide

if TYPE_CHECKING:
    from crossphase.components import Recovery
    from crossphase.composite import CompositeParameters
    from crossphase.diagnosis.result import Diagnosis
    from crossphase.rehearsal import Rehearsal
    from crossphase.shared_signal import SharedSignal
    from crossphase.subspace import Estimate, OperatorAnalysis, SubspaceAnalysis

WIDTH = 80
_MOST_LOST = 3  # labels named for each objective
_MOSTLY_KEPT = 0.9

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
    Objective.JOINT: "align X and Y and predict Y from X at once",
    Objective.CONCATENATE: "no cross-modal model; X and Y side by side",
    Objective.SINGLE_MODALITY_X: "no cross-modal model; X alone",
    Objective.SINGLE_MODALITY_Y: "no cross-modal model; Y alone",
    Objective.UNDECIDED: "undecided",
}


def describe(diagnosis: Diagnosis) -> str:
    """The verdict first, then its evidence."""
    d = diagnosis
    lines = [
        f"What to train: {ADVICE[d.recommendation.objective]}",
        *_wrapped(d.recommendation.reason, "  "),
        "",
        *([] if d.composite is None else _published_evidence(d, d.composite)),
        *([] if d.subspace is None else _subspace_evidence(d, d.subspace)),
        "",
        *_wrapped(_input(d), "  "),
    ]
    for warning in d.warnings:
        lines += _wrapped(f"[{warning.code}] {warning.message}", "  ! ")
    return "\n".join(lines)


def _published_evidence(d: Diagnosis, composite: CompositeParameters) -> list[str]:
    return [
        *_wrapped("(Published procedure: in-sample, no interval. A ratio near 1 decides nothing.)", "  "),
        "",
        f"  {'objective':<18}{'ratio Δ':>9}{'signal kept':>13}{'weakest signal':>16}{'top nuisance':>14}",
        _row(CROSS_MODAL_NAMES[Objective.ALIGN], d.recovery_ca),
        _row(CROSS_MODAL_NAMES[Objective.PREDICT_Y_FROM_X], d.recovery_cp),
        _row(CROSS_MODAL_NAMES[Objective.PREDICT_X_FROM_Y], d.recovery_cp_reverse),
        "",
        f"  Regime: {REGIME_NAMES[d.regime]} (X → Y), {REGIME_NAMES[d.regime_reverse]} (Y → X).",
        *_wrapped(
            "Δ = weakest signal / top nuisance; above 1 (✓) the objective keeps every signal component, and each has "
            "components of its own. Alignment: canonical correlations, which in independent Gaussian data of this size stay "
            f"below {d.null_correlations.level_95:.3g} in 95 % of samples. Prediction: gains in units of the target.",
            "  ",
        ),
        *_wrapped(
            f"Phase plane: κ {composite.kappa:.3g}, ν {composite.nu:.3g}. These composite estimates imply "
            f"{REGIME_NAMES[composite.regime]} (X → Y), {REGIME_NAMES[composite.regime_reverse]} (Y → X); the verdict "
            "uses the ratios above.",
            "  ",
        ),
    ]


def _subspace_evidence(d: Diagnosis, subspace: SubspaceAnalysis) -> list[str]:
    lines = [
        f"  {'objective':<18}{'ratio Δ':>9}{'95 % interval':>21}{'P(Δ > 1)':>10}{'directions kept':>17}",
        *(
            _row_with_interval(CROSS_MODAL_NAMES[objective], operator)
            for objective, operator in (
                (Objective.ALIGN, subspace.alignment),
                (Objective.PREDICT_Y_FROM_X, subspace.prediction),
                (Objective.PREDICT_X_FROM_Y, subspace.prediction_reverse),
            )
        ),
        "",
        *(_wrapped(_regimes(d, subspace), "  ") if subspace.n_directions else []),
        *_wrapped(_values(d, subspace), "  "),
        *(_wrapped(_labels_lost(d, subspace), "  ") if subspace.n_directions else []),
    ]
    if d.rehearsal is not None:
        lines += ["", *_rehearsal_table(d.rehearsal)]
    if d.shared_signal is not None:
        lines += ["", *_wrapped(_shared(d.shared_signal), "  ")]
    if d.pairing is not None and d.pairing.is_intact:
        lines += _wrapped(
            f"Pairing of the rows: intact (shuffled rows agree as well with p = {d.pairing.p_value:.2g}).", "  "
        )
    return lines


def _row_with_interval(name: str, operator: OperatorAnalysis) -> str:
    probability, delta, n_signal = operator.probability_above_one, operator.delta, len(operator.signal)
    if not n_signal:
        return f"– {name:<18}{'–':>9}{'–':>21}{'–':>10}{'–':>17}"
    mark = "✓" if probability >= DECIDED else "✗" if probability <= 1 - DECIDED else "≈"
    interval = f"{number(delta.low)} to {number(delta.high)}"
    kept = f"{operator.n_recovered} of {n_signal}"
    return f"{mark} {name:<18}{number(delta.value):>9}{interval:>21}{_percent(probability):>10}{kept:>17}"


def _percent(probability: float) -> str:
    return (
        "< 1 %" if probability < 0.01 else "> 99 %" if probability > 0.99 else f"{probability:.0%}".replace("%", " %")
    )


def _regimes(d: Diagnosis, subspace: SubspaceAnalysis) -> str:
    def of(regime: Regime, probabilities: Mapping[Regime, float]) -> str:
        return f"{REGIME_NAMES[regime]} ({_percent(probabilities[regime])})"

    forward, reverse = subspace.regime_probabilities, subspace.regime_probabilities_reverse
    sentence = f"Regime: {of(d.regime, forward)} for X → Y, {of(d.regime_reverse, reverse)} for Y → X."
    if not d.is_decided and d.n_pairs_to_decide is not None:
        sentence += f" Undecided; about {d.n_pairs_to_decide:,} pairs would decide it.".replace(",", " ")
    elif not d.is_decided:
        sentence += " Undecided."
    return sentence


def _values(d: Diagnosis, subspace: SubspaceAnalysis) -> str:
    a = subspace.alignment
    if not a.signal:
        return "Δ = weakest label direction / top nuisance; the labels show no direction, so there is no ratio and no regime."
    weakest, top = a.signal[-1], a.largest_nuisance
    return (
        "Δ = weakest label direction / top nuisance, of canonical correlations for alignment and of gains, in units of the "
        f"target, for prediction; ✓ surely above 1, ✗ surely below. Weakest label correlation {_interval(weakest)}, top nuisance "
        f"correlation {_interval(top)}; in the sample {a.in_sample_signal[-1]:.2f} and "
        f"{a.in_sample_nuisance[0] if len(a.in_sample_nuisance) else 0:.2f}, where independent data of this size would show "
        f"{d.null_correlations.level_95:.2f}."
    )


def _labels_lost(d: Diagnosis, subspace: SubspaceAnalysis) -> str:
    """Which labels alignment and prediction lose most of."""
    parts = []
    for name, operator in zip(("aligning", "X → Y", "Y → X"), subspace.operators, strict=True):
        order = np.argsort(operator.label_recovery, kind="stable")[:_MOST_LOST]
        lost = [
            f"{d.label_columns[i]} {_percent(float(operator.label_recovery[i]))}"
            for i in order
            if operator.label_recovery[i] < _MOSTLY_KEPT
        ]
        parts.append(f"{name}: {', '.join(lost) if lost else 'none'}")
    return f"Labels that rank lowest (share of what a view knows of them above all nuisance): {'; '.join(parts)}."


def _interval(estimate: Estimate) -> str:
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


_CANDIDATE_NAMES = {
    "x": "X as it is",
    "y": "Y as it is",
    "concat": "X and Y side by side",
    "ca": "aligned, both",
    "ca_x": "aligned, X alone",
    "ca_y": "aligned, Y alone",
    "cp": "X trained to predict Y",
    "cp_reverse": "Y trained to predict X",
    "joint": "X aligned and predicting",
}


def _rehearsal_table(rehearsal: Rehearsal) -> list[str]:
    metric = {"balanced_accuracy": "balanced accuracy", "r2": "R²", "mean_of_both": "accuracy and R²"}[rehearsal.metric]
    heads = [f"{b.n_train_labels:.0f} labels" for b in rehearsal.budgets]
    lines = [f"  {f'Rehearsal, {metric}':<26}" + "".join(f"{head:>16}" for head in heads)]
    for candidate in rehearsal.budgets[0].candidates:
        scores = [b.score(candidate) for b in rehearsal.budgets]
        cells = "".join(f"{f'{s.value:.3f} ± {1.96 * s.standard_error:.3f}':>16}" for s in scores)
        lines.append(f"  {_CANDIDATE_NAMES[candidate]:<26}{cells}")
    advice = [decide(rehearsal, b.label_budget).objective for b in rehearsal.budgets]
    lines.append(f"  {'(chance)':<26}" + "".join(f"{rehearsal.chance:>16.3f}" for _ in heads))
    told = ", ".join(f"{head}: {ADVICE[objective]}" for head, objective in zip(heads, advice, strict=True))
    return lines + _wrapped(
        f"Linear heads in closed form on standardized columns, logistic and ridge probes, held-out rows; ± is half a 95 % "
        f"interval. Best expected with {told}.",
        "  ",
    )


def _shared(shared: SharedSignal) -> str:
    n = shared.n_directions
    if not n:
        return f"Shared signal: none beyond chance (p = {shared.p_values[0]:.2g})."
    return (
        f"Shared signal: {n} direction{'s' if n > 1 else ''} beyond chance at the 5 % level "
        f"(first p = {shared.p_values[0]:.2g}); a correlation below {shared.smallest_detectable:.2f} would not show."
    )


def number(value: float) -> str:
    """Three significant digits; infinity and absence as signs."""
    if math.isnan(value):
        return "–"
    return ("∞" if value > 0 else "–") if math.isinf(value) else f"{value:.3g}"


def _row(name: str, recovery: Recovery) -> str:
    kept = f"{recovery.n_recovered} of {recovery.n_signal}"
    mark = "≈" if abs(recovery.delta - 1) < NEAR_ONE else "✓" if recovery.delta > 1 else "✗"
    return (
        f"{mark} {name:<18}{number(recovery.delta):>9}{kept:>13}"
        f"{number(recovery.smallest_signal):>16}{number(recovery.floor):>14}"
    )


def _input(d: Diagnosis) -> str:
    steps = []
    if d.settings.standardize:
        steps.append("standardised")
    if (d.settings.reduce_x, d.settings.reduce_y) != (None, None):
        kept = [str(side) if side is not None else "all" for side in (d.settings.reduce_x, d.settings.reduce_y)]
        steps.append(f"reduced to {kept[0]} + {kept[1]} principal components")
    how = f"method {d.settings.method}"
    if d.settings.n_sample_rows is not None:
        how += f", summed in one pass ({d.settings.precision}), with a sample of {d.settings.n_sample_rows} rows"
    if d.settings.components is not None and d.components is not None:
        options = d.settings.components
        how += f"/{d.settings.signal_rule}, {len(d.components.cca.spectrum)} components, {options.n_permutations} permutations"
    return (
        f"{d.n_samples} pairs, {d.n_features_x} + {d.n_features_y} features ({d.dtype_x}, {d.dtype_y}"
        f"{', ' + ', '.join(steps) if steps else ''}), {_labels(d)}; {how}; crossphase {d.version}, backend {d.backend}."
    )


def _labels(d: Diagnosis) -> str:
    n_measurements = len(d.label_columns) - d.n_classes
    kinds = [f"{d.n_classes} classes"] if d.n_classes else []
    if n_measurements:
        kinds.append(f"{n_measurements} label column{'s' if n_measurements > 1 else ''}")
    return " and ".join(kinds)


def _wrapped(sentence: str, prefix: str) -> list[str]:
    return textwrap.wrap(sentence, WIDTH, initial_indent=prefix, subsequent_indent=" " * len(prefix))
