"""From separation ratios to something to do."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crossphase.components import ComponentAnalysis, Recovery


class Objective(StrEnum):
    """What to train."""

    ALIGN = "align"
    PREDICT_Y_FROM_X = "predict_y_from_x"
    PREDICT_X_FROM_Y = "predict_x_from_y"
    SINGLE_MODALITY_X = "single_modality_x"
    SINGLE_MODALITY_Y = "single_modality_y"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to train and why."""

    objective: Objective
    reason: str  # one sentence
    confidence: float | None = None  # probability, where the method gives one; the published procedure does not


def recommend(
    recovery_ca: Recovery, recovery_cp: Recovery, recovery_cp_reverse: Recovery, components: ComponentAnalysis
) -> Recommendation:
    """The objective whose signal stands furthest above its nuisance; a single modality if none does.

    The regimes say which objectives recover every signal direction. Among those that do, the largest separation ratio has
    the most room; where none does, the paper's advice is the better single view, judged here by how much of the labels'
    variance its components explain.
    """
    by_objective = {
        Objective.ALIGN: recovery_ca,
        Objective.PREDICT_Y_FROM_X: recovery_cp,
        Objective.PREDICT_X_FROM_Y: recovery_cp_reverse,
    }
    if not any(recovery.n_signal for recovery in by_objective.values()):
        return Recommendation(
            Objective.UNDECIDED,
            "No shared component predicts the labels, so they cannot tell signal from nuisance; try other labels or more "
            "pairs.",
        )
    best = max(by_objective, key=lambda objective: by_objective[objective].delta)
    delta = by_objective[best].delta
    if delta > 1:
        n_kept = sum(recovery.delta > 1 for recovery in by_objective.values())
        others = {1: "the only objective", 2: "the better of two objectives", 3: "the best of all three objectives"}[
            n_kept
        ]
        return Recommendation(
            best,
            f"It is {others} that keep{'s' if n_kept == 1 else ''} every signal component above the nuisance "
            f"(separation ratio {delta:.2f}).",
        )
    explained_x = float(components.svd_x.r2.sum(axis=0).mean())
    explained_y = float(components.svd_y.r2.sum(axis=0).mean())
    x_is_better = explained_x >= explained_y
    return Recommendation(
        Objective.SINGLE_MODALITY_X if x_is_better else Objective.SINGLE_MODALITY_Y,
        "No cross-modal objective keeps every signal component above the nuisance, and components of "
        f"{'X' if x_is_better else 'Y'} explain more of the labels ({max(explained_x, explained_y):.0%} of their variance "
        f"against {min(explained_x, explained_y):.0%}).",
    )
