"""What a diagnosis concludes from, by either method."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase import _core
from crossphase._scalars import check_integer
from crossphase._threads import single_threaded_blas
from crossphase.components import ComponentAnalysis, ComponentOptions, Recovery, analyse_components, recover
from crossphase.composite import CompositeParameters, derive_composite
from crossphase.diagnosis.cautions import DiagnosisWarning, statistical_cautions, subspace_cautions
from crossphase.diagnosis.recommend import DECIDED, Recommendation, recommend, recommend_from_subspace
from crossphase.labels import LabelMatrix
from crossphase.objectives import Objective
from crossphase.pair import PreparedPair
from crossphase.pairing import PairingAudit, PairingVerdict, audit_pairing
from crossphase.pairing.audit import at_positions
from crossphase.phase_parameters import PhaseParameters
from crossphase.principal_scores import principal_scores
from crossphase.regimes import Regime, classify
from crossphase.rehearsal import AtUse, Rehearsal, decide, rehearse_checked
from crossphase.samples import Samples
from crossphase.shared_signal import SharedSignal, checked_options, count_in_scores
from crossphase.signals import SignalRule
from crossphase.spectra import null_correlations
from crossphase.subspace import LabelMoments, OperatorAnalysis, SubspaceAnalysis, analyse_subspace

_LOG = logging.getLogger(__name__)
_LABEL_BUDGETS = (100, 300)
_LARGEST_BUDGET = 0.7  # of the labelled rows: beyond, it is nearly all of them
_WIDE = 400  # features of both views
_N_PARTS = 4  # of the evidence, side by side
_N_SIGN_FLIPS = 99  # the smallest p-value is then 1 %
_LEAST_GROUPS_TO_TEST = 7  # fewer sign flips than 1 / .05 otherwise
_LEAST_UNITS_TO_REHEARSE = 20  # labelled rows
_LEAST_GROUPS_TO_REHEARSE = 5
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

    regime: Regime
    regime_reverse: Regime
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
    nulls = null_correlations(pair.n_samples, pair.x.n_prepared, pair.y.n_prepared)
    return Evidence(
        regime=classify(ca.delta, cp.delta),
        regime_reverse=classify(ca.delta, cp_reverse.delta),
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
    signal_labels: LabelMatrix,
    groups: np.ndarray | None,
    *,
    label_moments: LabelMoments | None,
    positions: np.ndarray | None,
    at_use: AtUse,
    rehearse: bool,
    audit: bool,
    seed: np.random.SeedSequence,
    n_threads: int,
    backend: str | None,
) -> Evidence:
    """By the subspace that the labels define, with what else there is to know before training.

    Rows are those that the pair's views hold; `positions` are theirs among all, where these are a sample, and `label_moments`
    those of all.
    """
    x, y = pair.x.samples, pair.y.samples
    _LOG.info("separation ratios, pairing, rehearsal; %d label columns", labels.n_columns)
    # Side by side, since each has stretches that one core must do alone; wide views one after the other, for their memory.
    n_at_once = n_threads if pair.x.n_prepared + pair.y.n_prepared <= _WIDE else 1
    share = n_threads if n_at_once == 1 else max(1, n_threads // _N_PARTS)
    is_tested = audit and (groups is None or len(np.unique(groups)) >= _LEAST_GROUPS_TO_TEST)
    # Held to one thread from here: a limit that a worker sets does not always take where the caller has set another.
    with single_threaded_blas(), ThreadPoolExecutor(n_at_once) as pool:

        def submit(task: Callable[..., Any], *arguments: Any, **options: Any) -> Future[Any]:
            return pool.submit(_then_return_memory, task, *arguments, **options)

        rehearsed = None
        if rehearse and _can_rehearse(labels, groups):
            budgets = tuple(b for b in _LABEL_BUDGETS if b < _LARGEST_BUDGET * labels.n_labelled)
            rehearsed = submit(
                rehearse_checked,
                x,
                y,
                labels,
                label_budgets=(*budgets, None),
                at_use=at_use,
                groups=groups,
                seed=seed,
                n_threads=share,
            )
        analysed = submit(
            analyse_subspace,
            pair,
            signal_labels.values,
            signal_labels.is_labelled,
            groups,
            label_moments=label_moments,
            seed=seed,
            n_threads=share,
            backend=backend,
        )
        tested = submit(_test_shared_signal, x, y, groups, seed, share) if is_tested else None
        audited = submit(_audit, x, y, groups, positions, seed, share) if audit else None
        subspace = analysed.result()
        shared = None if tested is None else tested.result()
        pairing = None if audited is None else audited.result()
        rehearsal = None if rehearsed is None else rehearsed.result()
    decision = None if rehearsal is None else decide(rehearsal)
    ca, cp, cp_reverse = subspace.alignment, subspace.prediction, subspace.prediction_reverse
    is_rehearsed = rehearsal is not None or not rehearse
    return Evidence(
        regime=subspace.regime if subspace.n_directions else Regime.NEITHER,
        regime_reverse=subspace.regime_reverse if subspace.n_directions else Regime.NEITHER,
        delta_ca=_as_ratio(ca),
        delta_cp=_as_ratio(cp),
        delta_cp_reverse=_as_ratio(cp_reverse),
        recovery_ca=_as_recovery(ca),
        recovery_cp=_as_recovery(cp),
        recovery_cp_reverse=_as_recovery(cp_reverse),
        phase_parameters=subspace.phase_parameters,
        recommendation=recommend_from_subspace(
            subspace, decision, is_unpaired=pairing is not None and pairing.verdict is PairingVerdict.UNPAIRED
        ),
        cautions=tuple(
            subspace_cautions(
                pair,
                labels,
                subspace,
                shared,
                pairing,
                n_groups=None if groups is None else len(np.unique(groups)),
                is_rehearsed=is_rehearsed,
                positions=positions,
            )
        ),
        regime_probabilities=subspace.regime_probabilities if subspace.n_directions else None,
        regime_probabilities_reverse=subspace.regime_probabilities_reverse if subspace.n_directions else None,
        n_pairs_to_decide=_n_pairs_to_decide((ca, cp), pair.n_samples),
        subspace=subspace,
        rehearsal=rehearsal,
        shared_signal=shared,
        pairing=pairing,
    )


def _then_return_memory(task: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    try:
        return task(*arguments, **options)
    finally:
        _core.return_freed_memory()


def _audit(
    x: Samples,
    y: Samples,
    groups: np.ndarray | None,
    positions: np.ndarray | None,
    seed: np.random.SeedSequence,
    n_threads: int,
) -> PairingAudit:
    if positions is None:
        return audit_pairing(x.array, y.array, groups=groups, rng=seed, n_threads=n_threads)
    # Rows side by side in a sample are not side by side in the data: what is shifted there does not show here.
    audited = audit_pairing(x.array, y.array, groups=groups, max_shift=0, rng=seed, n_threads=n_threads)
    return at_positions(audited, positions)


def _test_shared_signal(
    x: Samples, y: Samples, groups: np.ndarray | None, seed: np.random.SeedSequence, n_threads: int
) -> SharedSignal:
    options = checked_options("sign_flip", 0.05, _N_SIGN_FLIPS)
    return count_in_scores(principal_scores(x), principal_scores(y), groups, options, seed, n_threads)


def _can_rehearse(labels: LabelMatrix, groups: np.ndarray | None) -> bool:
    n_units = labels.n_labelled if groups is None else len(np.unique(groups[labels.is_labelled]))
    return n_units >= (_LEAST_UNITS_TO_REHEARSE if groups is None else _LEAST_GROUPS_TO_REHEARSE)


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
        if 1 - DECIDED < probability < DECIDED:
            if not (d.low > 0 and math.isfinite(d.high)) or abs(math.log(d.value)) < _TOO_NEAR:
                return None
            half_width = (math.log(d.high) - math.log(d.low)) / 2
            needed = max(needed, n_samples * (half_width / abs(math.log(d.value))) ** 2)
    return check_integer(math.ceil(needed), "pairs", least=0) if needed > n_samples else None
