"""From a rehearsal to advice: the objective of least expected regret."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from crossphase.objectives import Objective
from crossphase.rehearsal.candidates import AtUse, Candidate
from crossphase.rehearsal.result import BudgetRehearsal, Estimate, Rehearsal

_CANDIDATES = {
    AtUse.X: {
        Objective.SINGLE_MODALITY_X: Candidate.X,
        Objective.PREDICT_Y_FROM_X: Candidate.CP,
        Objective.ALIGN: Candidate.CA_X,
        Objective.JOINT: Candidate.JOINT,
    },
    AtUse.Y: {
        Objective.SINGLE_MODALITY_Y: Candidate.Y,
        Objective.PREDICT_X_FROM_Y: Candidate.CP_REVERSE,
        Objective.ALIGN: Candidate.CA_Y,
    },
    AtUse.BOTH: {
        Objective.CONCATENATE: Candidate.CONCAT,
        Objective.SINGLE_MODALITY_X: Candidate.X,
        Objective.SINGLE_MODALITY_Y: Candidate.Y,
        Objective.PREDICT_Y_FROM_X: Candidate.CP,
        Objective.PREDICT_X_FROM_Y: Candidate.CP_REVERSE,
        Objective.ALIGN: Candidate.CA,
        Objective.JOINT: Candidate.JOINT,
    },
}

# What is known before the rehearsal, in balanced accuracy. Measured with trained heads on other data: pairs of views cut from
# scikit-learn's digits, breast cancer and wine, and simulated ones, two splits each, at 100 labels, 300 and all
# (benchmarks/accuracy/head_priors.py; rounded). A head of one view regains a share of what the other view adds to it, which
# falls with the number m of labels; the rest is the pair's own. Of two standard deviations, the first is constant and the
# second is over sqrt(m); their squares add.
_VIEW = (-0.09, 0.11)  # a view against both side by side: mean, standard deviation
_REGAINED = 3.5  # share of what the other view adds, over sqrt(m)
_PREDICTION = (0.0, 0.025, 0.25)  # what comes besides: mean, and standard deviations
_ALIGNMENT = (-0.025, 0.055, 0.45)
_ALIGNMENT_OF_BOTH = (-0.035, 0.055, 0.6)  # both projections against both views
# How far closed forms are from trained heads of their kind: standard deviations, and for prediction a mean over sqrt(m).
_PREDICTION_ERROR = 0.03
_PREDICTION_SHORTFALL = 0.25
_ALIGNMENT_ERROR = 0.05
_BEST_SCORE = 1.0
_LEVEL = 10.0  # scores' common level is free

MOST_RISK = 0.25  # probability of losing against the frozen views above which no cross-modal training is advised
LEAST_GAIN = 0.01  # what training must be expected to gain over no training


def candidate_of(objective: Objective, at_use: AtUse) -> Candidate:
    """The representation that an objective leads to, with these views at use."""
    return _CANDIDATES[at_use][objective]


@dataclass(frozen=True, slots=True)
class Decision:
    """Advice with what it is expected to gain."""

    objective: Objective
    gain_over_best_single: Estimate  # posterior mean, 95 % interval
    gain_over_concat: Estimate | None  # None unless both views are there at use
    risk: float  # probability that the better single view would have done better
    reason: str
    label_budget: int | None


def decide(rehearsal: Rehearsal, label_budget: int | None = None, *, most_risk: float = MOST_RISK) -> Decision:
    """The plan of highest expected score, given the rehearsal and what is known of such pairs in general.

    Scores of few labels are noisy and closed forms only stand in for trained heads, so that the highest score rehearsed is
    mostly luck. Here the true scores have a Gaussian prior (both views usually beat one, a head resembles what it is fed), the
    rehearsal is a Gaussian observation with its own covariance and the closed forms' error, and the plan of highest posterior
    mean has the least expected regret. A cross-modal plan must also be unlikely to lose against the better single view.

    Parameters
    ----------
    rehearsal : Rehearsal
    label_budget : int or None
        One of the rehearsal's; None is "all labels".
    most_risk : float, default 0.25
        Largest probability of losing against the better single view that a cross-modal plan may have.
    """
    part = rehearsal.at(label_budget)
    if not np.isfinite(part.scores).all():
        nothing = Estimate.normal(0.0, math.inf)
        return Decision(
            Objective.UNDECIDED,
            nothing,
            None,
            1.0,
            "A label variable is the same in all rows that were held out and judged, so nothing can be said of it; leave it out.",
            label_budget,
        )
    plans = _CANDIDATES[rehearsal.at_use]
    mean, covariance = posterior(part)
    mean = np.minimum(mean, _BEST_SCORE)  # a perfect view cannot be improved on
    place = {candidate: i for i, candidate in enumerate(part.candidates)}

    def gain(of: Candidate, over: Candidate) -> Estimate:
        weights = np.zeros(len(mean))
        weights[place[of]] += 1.0
        weights[place[over]] -= 1.0
        return Estimate.normal(float(weights @ mean), math.sqrt(max(float(weights @ covariance @ weights), 0.0)))

    singles = [c for c in (Candidate.X, Candidate.Y) if c in plans.values()]
    single = max(singles, key=lambda c: float(mean[place[c]]))
    allowed = {
        plan: candidate
        for plan, candidate in plans.items()
        if not plan.is_cross_modal or _risk(gain(candidate, single)) <= most_risk
    }
    best = max(allowed, key=lambda plan: float(mean[place[allowed[plan]]]) - LEAST_GAIN * plan.is_cross_modal)
    chosen = allowed[best]
    over_single = gain(chosen, single)
    over_concat = gain(chosen, Candidate.CONCAT) if rehearsal.at_use is AtUse.BOTH else None
    # Any candidate counts, at use or not: what a missing view knows, a head may bring over.
    if all(part.score(c).low <= rehearsal.chance for c in part.candidates):
        return Decision(
            Objective.UNDECIDED,
            over_single,
            over_concat,
            _risk(over_single),
            f"No representation predicts the held-out labels better than chance ({rehearsal.chance:.2g}) beyond its error; "
            "more labels, or other labels, are needed.",
            label_budget,
        )
    return Decision(
        best,
        over_single,
        over_concat,
        _risk(over_single),
        _reason(best, single, over_single, over_concat, part),
        label_budget,
    )


def posterior(part: BudgetRehearsal) -> tuple[np.ndarray, np.ndarray]:
    """Mean (n_candidates,) and covariance of the true scores, from the prior and the rehearsal."""
    root = math.sqrt(max(part.n_train_labels, 1.0))
    prior_mean, prior = _prior(part, root)
    shortfall, errors = np.zeros(len(prior_mean)), np.zeros(len(prior_mean))
    for i, candidate in enumerate(part.candidates):
        if candidate in (Candidate.CP, Candidate.CP_REVERSE):
            shortfall[i], errors[i] = _PREDICTION_SHORTFALL / root, _PREDICTION_ERROR
        elif candidate not in (Candidate.X, Candidate.Y, Candidate.CONCAT):
            errors[i] = _ALIGNMENT_ERROR
    observed = part.scores + shortfall
    gain = np.linalg.solve(prior + part.covariance + np.diag(errors**2 + 1e-12), prior).T
    return prior_mean + gain @ (observed - prior_mean), prior - gain @ prior


def _prior(part: BudgetRehearsal, root: float) -> tuple[np.ndarray, np.ndarray]:
    """Every score as a sum of independent parts: the level of both views together, what a view lacks, what a head adds."""
    regained = min(_REGAINED / root, 0.5)
    parts: dict[Candidate, dict[str, float]] = {
        Candidate.X: {"level": 1.0, "x": 1.0},
        Candidate.Y: {"level": 1.0, "y": 1.0},
        Candidate.CONCAT: {"level": 1.0},
    }
    mean = {"level": float(part.scores.max()), "x": _VIEW[0], "y": _VIEW[0]}
    spread = {"level": _LEVEL, "x": _VIEW[1], "y": _VIEW[1]}
    for head, source, (constant, always, by_labels) in (
        (Candidate.CP, "x", _PREDICTION),
        (Candidate.CP_REVERSE, "y", _PREDICTION),
        (Candidate.CA_X, "x", _ALIGNMENT),
        (Candidate.CA_Y, "y", _ALIGNMENT),
        (Candidate.JOINT, "x", _ALIGNMENT),
        (Candidate.CA, None, _ALIGNMENT_OF_BOTH),
    ):
        mean[head], spread[head] = constant, math.hypot(always, by_labels / root)
        parts[head] = {"level": 1.0, head: 1.0} | ({source: 1 - regained} if source else {})
    names = list(mean)
    design = np.array([[parts[c].get(name, 0.0) for name in names] for c in part.candidates])
    loadings = design * np.array([spread[name] for name in names])
    return design @ np.array([mean[name] for name in names]), loadings @ loadings.T


def _risk(gain: Estimate) -> float:
    """Probability that a gain is negative."""
    if gain.standard_error == 0:
        return 0.0 if gain.value >= 0 else 1.0
    return 0.5 * math.erfc(gain.value / gain.standard_error / math.sqrt(2))


_TEXT = {
    Objective.ALIGN: "aligning the two views",
    Objective.PREDICT_Y_FROM_X: "training X to predict Y",
    Objective.PREDICT_X_FROM_Y: "training Y to predict X",
    Objective.JOINT: "aligning and predicting at once",
    Objective.CONCATENATE: "putting both frozen views side by side, without cross-modal training,",
}


def _reason(
    chosen: Objective,
    single: Candidate,
    over_single: Estimate,
    over_concat: Estimate | None,
    part: BudgetRehearsal,
) -> str:
    def points(gain: Estimate) -> str:
        return f"{100 * gain.value:+.1f} points ({100 * gain.low:+.1f} to {100 * gain.high:+.1f})"

    name = single.upper()
    labels = f"With {part.n_train_labels:.0f} labels"
    if chosen in (Objective.SINGLE_MODALITY_X, Objective.SINGLE_MODALITY_Y):
        if over_concat is None:
            return f"{labels}, no cross-modal training is likely enough to improve on frozen {name}."
        return (
            f"{labels}, frozen {name} alone is expected to score {points(over_concat)} against both views side by side."
        )
    rival = f"frozen {name}" if over_concat is None else f"the better single view, {name},"
    sentence = f"{labels}, {_TEXT[chosen]} is expected to score {points(over_single)} against {rival}".rstrip(",")
    if chosen.is_cross_modal and over_concat is not None:
        sentence += f", and {points(over_concat)} against both views side by side"
    return sentence + "."
