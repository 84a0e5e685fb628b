"""From separation ratios to something to do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from crossphase.components import ComponentAnalysis, Decomposition, Recovery
from crossphase.objectives import Objective
from crossphase.rehearsal.decision import Decision
from crossphase.rehearsal.result import Estimate
from crossphase.signals import SignalRule
from crossphase.subspace import OperatorAnalysis, SubspaceAnalysis

NEAR_ONE = 0.1  # a ratio within 10 % of 1 decides nothing: in-sample ratios have no interval that would
_TOO_LITTLE = 0.01  # share of the labels' variance below which a view does not know the labels
_AS_GOOD = 0.02  # difference of shares below which two views are equally informative


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to train and why."""

    objective: Objective
    reason: str  # a sentence or two
    confidence: float | None = None  # probability, where the method gives one; the published procedure does not
    gain_over_best_single: Estimate | None = None  # expected, of the probe's score; None: not rehearsed
    gain_over_concat: Estimate | None = None


CROSS_MODAL_NAMES = {
    Objective.ALIGN: "align (CA)",
    Objective.PREDICT_Y_FROM_X: "predict Y from X",
    Objective.PREDICT_X_FROM_Y: "predict X from Y",
}
DECIDED = 0.95  # probability from which something counts as known


def recommend_from_subspace(
    subspace: SubspaceAnalysis, decision: Decision | None, *, is_unpaired: bool = False
) -> Recommendation:
    """What the rehearsal expects most of; without one, what the separation ratios say.

    Views that show no sign of belonging together, row by row, are nothing to train across: then only one view is advised, or
    nothing.

    The ratios tell which cross-modal objective keeps the signal, not whether any of them beats the frozen views; the rehearsal
    tells that. Where it prefers a cross-modal objective, the reason says what the ratios think of it.
    """
    if is_unpaired and (
        decision is None or decision.objective not in (Objective.SINGLE_MODALITY_X, Objective.SINGLE_MODALITY_Y)
    ):
        return Recommendation(
            Objective.UNDECIDED,
            "The rows of X and Y do not seem to belong together: the views agree no more than with their rows shuffled. Check "
            "their order, or match them by name (ids=, crossphase.match_rows); if it is right, the views share nothing linear.",
        )
    if decision is None:
        return _from_ratios(subspace)
    reason = decision.reason
    if decision.objective in _OPERATORS:
        reason += " " + _what_it_keeps(_OPERATORS[decision.objective](subspace))
    return Recommendation(
        decision.objective, reason, 1 - decision.risk, decision.gain_over_best_single, decision.gain_over_concat
    )


_OPERATORS: dict[Objective, Callable[[SubspaceAnalysis], OperatorAnalysis]] = {
    Objective.ALIGN: lambda s: s.alignment,
    Objective.PREDICT_Y_FROM_X: lambda s: s.prediction,
    Objective.PREDICT_X_FROM_Y: lambda s: s.prediction_reverse,
}


def _what_it_keeps(operator: OperatorAnalysis) -> str:
    r = len(operator.signal)
    if not r:
        return "The separation ratios cannot tell what it keeps: neither view is seen to predict the labels."
    return (
        f"It keeps {operator.n_recovered} of {r} label direction{'s' if r > 1 else ''} above the nuisance "
        f"(Δ {_span(operator)})."
    )


def _span(operator: OperatorAnalysis) -> str:
    d = operator.delta
    return f"{d.value:.2f}, 95 % from {d.low:.2f} to {'any height' if math.isinf(d.high) else f'{d.high:.2f}'}"


def _from_ratios(subspace: SubspaceAnalysis) -> Recommendation:
    if not subspace.n_directions:
        return Recommendation(
            Objective.UNDECIDED,
            "Neither view predicts the labels better than chance, so they cannot tell signal from nuisance; try other labels or "
            "label more pairs.",
        )
    operators = {objective: find(subspace) for objective, find in _OPERATORS.items()}
    best = max(operators, key=lambda o: (operators[o].probability_above_one, operators[o].delta.value))
    probability, span = operators[best].probability_above_one, _span(operators[best])
    if probability >= DECIDED:
        reason = (
            "By the separation ratios alone: of the cross-modal objectives this one is surest to keep every label direction "
            f"(Δ {span})."
        )
        return Recommendation(best, reason, probability)
    if probability <= 1 - DECIDED:
        reason = (
            "By the separation ratios alone: no cross-modal objective keeps every label direction above the nuisance; both "
            "frozen views side by side do."
        )
        return Recommendation(Objective.CONCATENATE, reason, 1 - probability)
    name = CROSS_MODAL_NAMES[best]
    reason = (
        f"By the separation ratios alone: the likeliest cross-modal objective, {name}, may or may not keep every label direction "
        f"(Δ {span})."
    )
    return Recommendation(Objective.UNDECIDED, reason, probability)


def recommend(recoveries: Mapping[Objective, Recovery], components: ComponentAnalysis) -> Recommendation:
    """The objective whose signal stands furthest above its nuisance; a single view if none does; or no decision.

    The regimes say which objectives recover every signal component. Among those that do, the largest separation ratio has
    the most room; where none does, the paper's advice is the better single view, judged here by how much of the labels'
    variance its principal components explain. Nothing is recommended where shuffled labels do as well, or where no
    component is nuisance and there is nothing to separate from.
    """
    if not predicts_labels(components):
        return Recommendation(
            Objective.UNDECIDED,
            "No shared component predicts the labels better than it predicts shuffled labels, so they cannot tell signal from "
            "nuisance; try other labels or more pairs.",
        )
    recovering = {o: r for o, r in recoveries.items() if r.delta > 1 and r.n_signal}
    finite = {o: r for o, r in recovering.items() if math.isfinite(r.delta)}
    if recovering and not finite:
        return Recommendation(
            Objective.UNDECIDED,
            "Every shared component is called signal: there is no nuisance to separate it from, and nothing to choose by.",
        )
    if finite:
        best = max(finite, key=lambda objective: finite[objective].delta)
        return Recommendation(best, _why_best(finite[best].delta, len(finite)))
    return _better_view(components)


def predicts_labels(components: ComponentAnalysis) -> bool:
    """Whether any shared component exceeds the 95 % level of shuffled labels."""
    shared = (components.cca, components.cp, components.cp_reverse)
    return any(_exceeds(decomposition) for decomposition in shared)


def _exceeds(decomposition: Decomposition) -> bool:
    return bool(decomposition.signals[SignalRule.PERMUTATION].n_signal) and bool(decomposition.r2.any())


def _why_best(delta: float, n_recovering: int) -> str:
    ratio = f"(separation ratio {delta:.3g})"
    if n_recovering == 1:
        why = f"Of the three objectives only this one keeps every signal component above the nuisance {ratio}."
    else:
        why = (
            f"{'Two' if n_recovering == 2 else 'All three'} objectives keep every signal component above the nuisance; this "
            f"one does so by the widest margin {ratio}."
        )
    return why + (" That is within 10 % of 1: weak evidence." if delta < 1 + NEAR_ONE else "")


def _better_view(components: ComponentAnalysis) -> Recommendation:
    x, y = components.explained_x, components.explained_y
    none = "No cross-modal objective keeps every signal component above the nuisance"
    shares = f"({max(x, y):.0%} of their variance against {min(x, y):.0%})"
    if max(x, y) < _TOO_LITTLE:
        return Recommendation(Objective.UNDECIDED, f"{none}, and neither view alone knows the labels {shares}.")
    better = Objective.SINGLE_MODALITY_X if x >= y else Objective.SINGLE_MODALITY_Y
    if abs(x - y) < _AS_GOOD:
        return Recommendation(better, f"{none}; either view alone knows the labels about as well {shares}.")
    name = "X" if x > y else "Y"
    return Recommendation(better, f"{none}; {name} alone knows more of the labels {shares}.")
