"""What a diagnosis concludes from, by either method."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crossphase._scalars import check_integer
from crossphase.components import ComponentAnalysis, ComponentOptions, Recovery, analyse_components, recover
from crossphase.composite import CompositeParameters, derive_composite
from crossphase.diagnosis.cautions import DiagnosisWarning, statistical_cautions, subspace_cautions
from crossphase.diagnosis.recommend import DECIDED, Recommendation, recommend, recommend_from_subspace
from crossphase.labels import LabelMatrix
from crossphase.objectives import Objective
from crossphase.pair import PreparedPair
from crossphase.pairing import PairingAudit, audit_pairing
from crossphase.phase_parameters import PhaseParameters
from crossphase.principal_scores import principal_scores
from crossphase.regimes import Regime
from crossphase.rehearsal import AtUse, Rehearsal, decide, rehearse_checked
from crossphase.shared_signal import SharedSignal, checked_options, count_in_scores
from crossphase.signals import SignalRule
from crossphase.spectra import null_correlations
from crossphase.subspace import OperatorAnalysis, SubspaceAnalysis, analyse_subspace

_LOG = logging.getLogger(__name__)
_REHEARSAL_FOLDS = 5
_LEAST_UNITS_TO_REHEARSE = 20  # labelled rows or groups
_TOO_NEAR = 0.02  # log ratio below which no number of pairs is worth naming


@dataclass(frozen=True, slots=True)
class RatioEstimate:
    """A separation ratio: above 1, every signal direction stands above every nuisance direction."""

    value: float  # >= 0; inf where nothing is nuisance
    low: float | None = None  # 95 % interval; None by the published procedure, and where labels show no direction
    high: float | None = None
    probability_above_one: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """The part of a `Diagnosis` that depends on the method; its fields are explained there."""

    delta_ca: RatioEstimate
    delta_cp: RatioEstimate
    delta_cp_reverse: RatioEstimate
    recovery_ca: Recovery
    recovery_cp: Recovery
    recovery_cp_reverse: Recovery
    phase_parameters: PhaseParameters
    recommendation: Recommendation
    cautions: tuple[DiagnosisWarning, ...]
    regime_probabilities: Mapping[Regime, float] | None = None
    regime_probabilities_reverse: Mapping[Regime, float] | None = None
    n_pairs_to_decide: int | None = None
    subspace: SubspaceAnalysis | None = None
    rehearsal: Rehearsal | None = None
    shared_signal: SharedSignal | None = None
    pairing: PairingAudit | None = None
    components: ComponentAnalysis | None = None
    composite: CompositeParameters | None = None


def evidence_from_components(
    pair: PreparedPair,
    labels: LabelMatrix,
    options: ComponentOptions,
    rule: SignalRule,
    n_threads: int,
    backend: str | None,
) -> Evidence:
    """By the published procedure."""
    _LOG.info("components, %d label columns, %d permutations", labels.n_columns, options.n_permutations)
    components = analyse_components(pair, labels.values, options, n_threads, backend)
    ca, cp, cp_reverse = (
        recover(decomposition.spectrum, decomposition.signals[rule])
        for decomposition in (components.cca, components.cp, components.cp_reverse)
    )
    recoveries = {Objective.ALIGN: ca, Objective.PREDICT_Y_FROM_X: cp, Objective.PREDICT_X_FROM_Y: cp_reverse}
    composite = derive_composite(components, rule)
    nulls = null_correlations(pair.x.samples.n_samples, pair.x.n_prepared, pair.y.n_prepared)
    return Evidence(
        delta_ca=RatioEstimate(ca.delta),
        delta_cp=RatioEstimate(cp.delta),
        delta_cp_reverse=RatioEstimate(cp_reverse.delta),
        recovery_ca=ca,
        recovery_cp=cp,
        recovery_cp_reverse=cp_reverse,
        phase_parameters=PhaseParameters(
            kappa=composite.kappa,
            nu=composite.nu,
            gamma_x=composite.gamma_x,
            gamma_y=composite.gamma_y,
            gamma_tilde_x=composite.gamma_tilde_x,
            gamma_tilde_y=composite.gamma_tilde_y,
        ),
        recommendation=recommend(recoveries, components),
        cautions=tuple(statistical_cautions(pair, options, components, recoveries, nulls.level_95)),
        components=components,
        composite=composite,
    )


def evidence_from_subspace(
    pair: PreparedPair,
    labels: LabelMatrix,
    groups: np.ndarray | None,
    *,
    at_use: AtUse,
    rehearse: bool,
    audit: bool,
    seed: np.random.SeedSequence,
    n_threads: int,
    backend: str | None,
) -> Evidence:
    """By the subspace that the labels define, with what else there is to know before training."""
    x, y = pair.x.samples, pair.y.samples
    _LOG.info("separation ratios, %d label columns", labels.n_columns)
    subspace = analyse_subspace(
        pair, labels.values, labels.is_labelled, groups, seed=seed, n_threads=n_threads, backend=backend
    )
    shared, pairing = None, None
    if audit:
        _LOG.info("pairing and shared signal")
        pairing = audit_pairing(x.array, y.array, groups=groups, rng=seed, n_threads=n_threads)
        options = checked_options("sign_flip", 0.05, 199)
        if groups is None or len(np.unique(groups)) >= 7:
            shared = count_in_scores(principal_scores(x), principal_scores(y), groups, options, seed, n_threads)
    rehearsal = None
    if rehearse and _can_rehearse(labels, groups):
        _LOG.info("rehearsal of the objectives")
        rehearsal = rehearse_checked(
            x, y, labels, at_use=at_use, groups=groups, n_folds=_REHEARSAL_FOLDS, seed=seed, n_threads=n_threads
        )
    decision = None if rehearsal is None else decide(rehearsal)
    is_missed = rehearse and rehearsal is None
    return Evidence(
        delta_ca=_as_ratio(subspace.alignment),
        delta_cp=_as_ratio(subspace.prediction),
        delta_cp_reverse=_as_ratio(subspace.prediction_reverse),
        recovery_ca=_as_recovery(subspace.alignment),
        recovery_cp=_as_recovery(subspace.prediction),
        recovery_cp_reverse=_as_recovery(subspace.prediction_reverse),
        phase_parameters=subspace.phase_parameters,
        recommendation=recommend_from_subspace(subspace, decision),
        cautions=tuple(
            subspace_cautions(
                pair,
                labels,
                subspace,
                shared,
                pairing,
                n_groups=None if groups is None else len(np.unique(groups)),
                is_rehearsed=not is_missed,
            )
        ),
        regime_probabilities=subspace.regime_probabilities if subspace.n_directions else None,
        regime_probabilities_reverse=subspace.regime_probabilities_reverse if subspace.n_directions else None,
        n_pairs_to_decide=_n_pairs_to_decide((subspace.alignment, subspace.prediction), x.n_samples),
        subspace=subspace,
        rehearsal=rehearsal,
        shared_signal=shared,
        pairing=pairing,
    )


def _can_rehearse(labels: LabelMatrix, groups: np.ndarray | None) -> bool:
    n_units = labels.n_labelled if groups is None else len(np.unique(groups[labels.is_labelled]))
    return n_units >= (_LEAST_UNITS_TO_REHEARSE if groups is None else _REHEARSAL_FOLDS)


def _as_ratio(operator: OperatorAnalysis) -> RatioEstimate:
    d = operator.delta
    if not operator.signal:
        return RatioEstimate(d.value)
    return RatioEstimate(d.value, d.low, d.high, operator.probability_above_one)


def _as_recovery(operator: OperatorAnalysis) -> Recovery:
    has_nuisance = len(operator.nuisance) > 0
    return Recovery(
        delta=operator.delta.value,
        n_recovered=operator.n_recovered,
        n_signal=len(operator.signal),
        floor=operator.largest_nuisance.value if has_nuisance else -math.inf,
        floor_index=0 if has_nuisance else -1,
        smallest_signal=operator.signal[-1].value if operator.signal else math.nan,
    )


def _n_pairs_to_decide(operators: tuple[OperatorAnalysis, ...], n_samples: int) -> int | None:
    """Pairs at which the widest undecided interval of a log ratio would exclude 0, its width falling as 1 / sqrt(n)."""
    needed = 0.0
    for operator in operators:
        probability, d = operator.probability_above_one, operator.delta
        if not operator.signal or 1 - DECIDED < probability < DECIDED:
            if not (d.low > 0 and math.isfinite(d.high)) or abs(math.log(d.value)) < _TOO_NEAR:
                return None
            half_width = (math.log(d.high) - math.log(d.low)) / 2
            needed = max(needed, n_samples * (half_width / abs(math.log(d.value))) ** 2)
    return check_integer(math.ceil(needed), "pairs", least=0) if needed > n_samples else None
