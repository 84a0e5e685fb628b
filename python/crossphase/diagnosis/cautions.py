"""What the reader of a diagnosis should know about its input and its numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crossphase.canonical_theory import smallest_detectable_correlation
from crossphase.components import ComponentAnalysis, ComponentOptions, Recovery
from crossphase.diagnosis.recommend import CROSS_MODAL_NAMES, NEAR_ONE, predicts_labels
from crossphase.labels import LabelMatrix
from crossphase.objectives import Objective
from crossphase.pair import PreparedPair, PreparedView
from crossphase.pairing import PairingAudit
from crossphase.reference.moments import to_float64
from crossphase.shared_signal import SharedSignal
from crossphase.subspace import HEAVY, SubspaceAnalysis

_VALUES_AT_A_TIME = 1 << 17  # converted to float64 together: 1 MiB
_FEW_GROUPS = 20  # a variance estimated from fewer errs by a third and more
_MUCH_LEAKAGE = 0.1  # of the label directions' images
_OUTLIER_SHARE = 0.05  # of a view's variance in one row
_MISSING_BEYOND_CHANCE = 4.0  # standard errors of a sample's mean
_OUTLIER_FACTOR = 20.0  # and that many times an average row: with few rows a twentieth is nothing unusual


@dataclass(frozen=True, slots=True)
class DiagnosisWarning:
    """Something about the input or the result that the reader should know."""

    code: str  # stable, for programs
    message: str  # a sentence, for people


def input_cautions(pair: PreparedPair, labels: LabelMatrix, precision: str) -> list[DiagnosisWarning]:
    """What was left out or read in a particular way; `precision` is that of the sums."""
    as_far_as = "" if precision == "f64" else f", as far as sums in {precision} tell,"
    found = []
    for view in (pair.x, pair.y):
        if view.constant_columns:
            found.append(DiagnosisWarning("constant_columns", _dropped(view)))
        if view.n_prepared == view.rank < len(view.kept):  # not if principal components were asked for
            found.append(
                DiagnosisWarning(
                    "rank_deficient",
                    f"{view.samples.name}: {len(view.kept)} columns span only {view.rank} directions; the rest repeat "
                    f"others{as_far_as} and were left out.",
                )
            )
    return found + [DiagnosisWarning(code, message) for code, message in labels.notes]


def _dropped(view: PreparedView) -> str:
    columns = view.constant_columns
    shown = ", ".join(str(c) for c in columns[:10]) + (f" and {len(columns) - 10} more" if len(columns) > 10 else "")
    plural = "s" if len(columns) > 1 else ""
    return (
        f"{view.samples.name}: constant column{plural} {shown} dropped ({len(columns)} of {view.samples.n_features})."
    )


def statistical_cautions(
    pair: PreparedPair,
    options: ComponentOptions,
    components: ComponentAnalysis,
    recoveries: Mapping[Objective, Recovery],
    null_level: float,
) -> list[DiagnosisWarning]:
    """Why the numbers may mean less than they seem to."""
    found = [
        *_about_sizes(pair, recoveries[Objective.ALIGN].smallest_signal, null_level),
        *_about_ratios(components, recoveries),
    ]
    for view, cov in ((pair.x, pair.covariances.cov_xx), (pair.y, pair.covariances.cov_yy)):
        found += _about_scales(view, np.diag(cov), options)
        found += _about_outliers(view, pair.n_samples, None)
    return found


def subspace_cautions(
    pair: PreparedPair,
    labels: LabelMatrix,
    subspace: SubspaceAnalysis,
    shared: SharedSignal | None,
    pairing: PairingAudit | None,
    *,
    n_groups: int | None,
    is_rehearsed: bool,
    positions: np.ndarray | None,
) -> list[DiagnosisWarning]:
    """Why the numbers of the subspace method may mean less than they seem to, and what is wrong with the rows.

    `positions`: of the rows that the views hold, where these are a sample.
    """
    found: list[DiagnosisWarning] = []
    n, p, q = pair.n_samples, pair.x.n_prepared, pair.y.n_prepared
    if pairing is not None:
        if not pairing.is_intact:
            found.append(DiagnosisWarning(f"pairing_{pairing.verdict}", pairing.reason))
        found += [DiagnosisWarning(code, message) for code, message in pairing.warnings]
    if shared is not None and not shared.is_any:
        found.append(
            DiagnosisWarning(
                "no_shared_signal",
                f"The views correlate no more than chance (p = {shared.p_values[0]:.2g}); with {shared.n_samples} pairs a "
                f"correlation below about {shared.smallest_detectable:.2g} would not show.",
            )
        )
    if not subspace.n_directions:
        found.append(
            DiagnosisWarning(
                "labels_not_predicted",
                "Neither view predicts the labels better than chance, so there is no signal direction to separate from nuisance.",
            )
        )
    for view, features in ((pair.x, len(pair.x.kept)), (pair.y, len(pair.y.kept))):
        if view.n_prepared < min(view.rank, features):
            found.append(
                DiagnosisWarning(
                    "reduced",
                    f"{view.samples.name}: the separation ratios see {view.n_prepared} principal components of {view.rank} "
                    f"directions; signal of little variance may lie in the rest. {n} rows do not carry more.",
                )
            )
    if subspace.n_effective < 4 * (p + q):
        visible = smallest_detectable_correlation(max(round(subspace.n_effective), p + q + 2), p, q)
        found.append(
            DiagnosisWarning(
                "few_rows",
                f"{subspace.n_effective:.0f} effective rows for {p} + {q} features: nuisance correlations below about "
                f"{visible:.2g} cannot be seen, and the ratios' upper ends are uncertain.",
            )
        )
    if subspace.is_reweighted:
        found.append(
            DiagnosisWarning(
                "heavy_tails",
                f"Rows are so unequal that they count as {n / subspace.excess_noise:.0f} equal ones; outlying rows were given "
                "less weight.",
            )
        )
    elif subspace.excess_noise > HEAVY:
        found.append(
            DiagnosisWarning(
                "heavy_tails_not_reweighted",
                f"Rows are so unequal that they count as {n / subspace.excess_noise:.0f} equal ones: the intervals are that much "
                "wider. Outlying rows cannot be given less weight once all are summed; a diagnosis of so many rows as fit into "
                "memory does that.",
            )
        )
    if n_groups is not None and n_groups < _FEW_GROUPS:
        found.append(
            DiagnosisWarning(
                "few_groups",
                f"All rows are of {n_groups} groups: how far groups differ, and with it every interval, is uncertain.",
            )
        )
    found += _about_scaling(pair, subspace)
    mixed = [
        name
        for name, operator in zip(CROSS_MODAL_NAMES.values(), subspace.operators, strict=True)
        if operator.excess_leakage > max(_MUCH_LEAKAGE, 4 * operator.leakage_error)
    ]
    if mixed:
        most = max(operator.excess_leakage for operator in subspace.operators)
        found.append(
            DiagnosisWarning(
                "signal_and_nuisance_mixed",
                f"{', '.join(mixed)}: what one view's label directions have in common with the other view lies up to {most:.0%} "
                "outside that view's label directions, beyond chance; the model behind the ratios takes them for unrelated.",
            )
        )
    if not is_rehearsed:
        units = " in the sample" if pair.is_sampled else "" if n_groups is None else f" of {n_groups} groups"
        found.append(
            DiagnosisWarning(
                "not_rehearsed",
                f"{labels.n_labelled} labelled rows{units} are too few to try the objectives on held-out ones; the "
                "recommendation follows the separation ratios alone.",
            )
        )
    for view in (pair.x, pair.y):
        found += _about_unequal_scales(view)
        found += _about_outliers(view, pair.n_samples, positions)
    return found


def _about_scaling(pair: PreparedPair, subspace: SubspaceAnalysis) -> list[DiagnosisWarning]:
    """Whether dividing the target's columns by their deviations would change what prediction is thought of."""
    found = []
    for name, target, operator, standardized in (
        (CROSS_MODAL_NAMES[Objective.PREDICT_Y_FROM_X], pair.y, subspace.prediction, subspace.delta_cp_if_standardized),
        (
            CROSS_MODAL_NAMES[Objective.PREDICT_X_FROM_Y],
            pair.x,
            subspace.prediction_reverse,
            subspace.delta_cp_reverse_if_standardized,
        ),
    ):
        value = operator.delta.value
        if (
            operator.signal
            and target.axes is None
            and (value - 1) * (standardized - 1) < 0
            and abs(standardized - value) > NEAR_ONE
        ):
            found.append(
                DiagnosisWarning(
                    "scaling_decides",
                    f"{name}: Δ is {value:.2g} in the units given, but about {standardized:.2g} with the columns of "
                    f"{target.samples.name} divided by their standard deviations (standardize=True, --standardize); decide which "
                    "scale a model would be trained on.",
                )
            )
    return found


def _about_sizes(pair: PreparedPair, smallest_signal: float, null_level: float) -> list[DiagnosisWarning]:
    found = []
    n, n_prepared = pair.n_samples, pair.x.n_prepared + pair.y.n_prepared
    if n < 10 * n_prepared:
        found.append(
            DiagnosisWarning(
                "few_rows",
                f"{n} rows for {n_prepared} features: below ten rows a feature, in-sample correlations are inflated and "
                f"the ratios pulled towards 1; reduce={max(1, n // 20)} (--reduce) would leave ten.",
            )
        )
    if smallest_signal < null_level:
        found.append(
            DiagnosisWarning(
                "signal_within_noise",
                f"The weakest signal correlation, {smallest_signal:.3g}, is one that independent data of this size could "
                f"show (95 % level {null_level:.3g}).",
            )
        )
    return found


def _about_ratios(components: ComponentAnalysis, recoveries: Mapping[Objective, Recovery]) -> list[DiagnosisWarning]:
    found = []
    near = [
        CROSS_MODAL_NAMES[objective] for objective, recovery in recoveries.items() if abs(recovery.delta - 1) < NEAR_ONE
    ]
    if near:
        found.append(
            DiagnosisWarning("ratio_near_one", f"{', '.join(near)}: within 10 % of 1, so it decides neither way.")
        )
    if not predicts_labels(components):
        found.append(
            DiagnosisWarning(
                "labels_not_predicted",
                "No shared component predicts the labels better than shuffled labels; whatever is called signal may be chance.",
            )
        )
    n_components = len(components.cca.spectrum)
    if n_components <= 4:
        found.append(
            DiagnosisWarning(
                "few_components",
                f"With {n_components} shared component{'s' if n_components > 1 else ''} the elbow's count of signal components "
                "is fixed by arithmetic; compare with the permutation rule.",
            )
        )
    return found


def _about_scales(view: PreparedView, variances: np.ndarray, options: ComponentOptions) -> list[DiagnosisWarning]:
    found = []
    name, n = view.samples.name, view.samples.n_samples
    n_shrunk = int((variances < 100 * options.ridge).sum())
    if n_shrunk:
        found.append(
            DiagnosisWarning(
                "ridge_dominates",
                f"ridge={options.ridge:g} is more than 1 % of the variance of {n_shrunk} of {view.n_prepared} features of "
                f"{name} and shrinks their correlations; rescale {name} or pass a smaller ridge.",
            )
        )
    if options.alpha > 0.01 * n * variances.mean():
        found.append(
            DiagnosisWarning(
                "alpha_dominates",
                f"alpha={options.alpha:g} is not small against n times the mean variance of {name} ({n * variances.mean():.3g}): "
                f"R² of its components is shrunk; rescale {name} or pass a smaller alpha.",
            )
        )
    return found + _about_unequal_scales(view)


def _about_unequal_scales(view: PreparedView) -> list[DiagnosisWarning]:
    variances = np.square(view.deviations * view.scale)
    if variances.max() <= 1e6 * variances.min() or view.axes is not None:
        return []
    return [
        DiagnosisWarning(
            "unequal_scales",
            f"Column variances of {view.samples.name} differ by a factor of {variances.max() / variances.min():.1g}: gains "
            "follow the largest columns; consider standardize=True (--standardize).",
        )
    ]


def _about_outliers(view: PreparedView, n_samples: int, positions: np.ndarray | None) -> list[DiagnosisWarning]:
    """One row that carries much of a view's variance decides its correlations alone; so do rows that a sample missed."""
    largest, row = 0.0, 0
    total = float((n_samples - 1) * len(view.kept))  # of all rows, each column having unit variance
    energies = np.empty(view.samples.n_samples)
    n_rows = max(1, _VALUES_AT_A_TIME // view.samples.n_features)
    for start in range(0, view.samples.n_samples, n_rows):
        part = to_float64(view.samples.values[start : start + n_rows])[:, view.kept]
        energy = np.square((part - view.mean[view.kept]) / view.deviations).sum(axis=1)
        energies[start : start + n_rows] = energy
        if energy.max() > largest:
            largest, row = float(energy.max()), start + int(energy.argmax())
    found = [] if positions is None else _about_rows_not_sampled(view.samples.name, energies, total / n_samples)
    if largest < _OUTLIER_SHARE * total or largest < _OUTLIER_FACTOR * total / n_samples:
        return found
    position = row if positions is None else positions[row]
    return [
        DiagnosisWarning(
            "outlying_row",
            f"{view.samples.name}: row {position} alone carries {largest / total:.0%} of the variance (columns scaled to unit "
            "variance); check it, correlations follow it.",
        ),
        *found,
    ]


def _about_rows_not_sampled(name: str, energies: np.ndarray, mean_of_all: float) -> list[DiagnosisWarning]:
    """The sample falls short of the variance that all rows have, beyond chance: what is missing lies in rows outside it."""
    missing = 1.0 - float(energies.mean()) / mean_of_all
    chance = float(energies.std()) / len(energies) ** 0.5 / mean_of_all
    if missing < max(_OUTLIER_SHARE, _MISSING_BEYOND_CHANCE * chance):
        return []
    return [
        DiagnosisWarning(
            "outlying_rows_unsampled",
            f"{name}: {missing:.0%} of the variance (columns scaled to unit variance) is of outlying rows that the sample did "
            "not catch: the ratios follow them, and the intervals do not know of them. Look for rows of extreme values.",
        )
    ]
