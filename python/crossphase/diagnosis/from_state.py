"""A diagnosis of rows that were summed in one pass: from their moments, and a sample of them."""

from __future__ import annotations

import dataclasses
import logging
from typing import Any

from crossphase.diagnosis.cautions import DiagnosisWarning, input_cautions
from crossphase.diagnosis.from_rows import problem_of_samples
from crossphase.diagnosis.problem import DiagnosisProblem, prepare, proxy_label_matrix
from crossphase.diagnosis.settings import DiagnosisOptions, Source
from crossphase.errors import InputValueError
from crossphase.labels import LabelEncoding, LabelMatrix
from crossphase.pair_state import PairState
from crossphase.row_sample import RowSample
from crossphase.samples import Samples
from crossphase.subspace import LabelMoments

_LOG = logging.getLogger("crossphase.diagnosis")


def require_one_pass_will_do(nuisance_labels: Any, groups: Any, options: DiagnosisOptions, instead: str) -> None:
    """Raise InputValueError for what needs more than sums and a sample of the rows; `instead` tells what to do."""
    if options.is_published:
        raise InputValueError(f'method="components" goes over the rows many times, not once: {instead}')
    if groups is not None:
        raise InputValueError(f"groups need the rows of each together, which sums over all rows do not keep: {instead}")
    if nuisance_labels is not None:
        raise InputValueError(
            f"nuisance_labels are taken out of the labels before rows are summed, which one pass does not do: {instead}"
        )


def problem_of_state(state: PairState, options: DiagnosisOptions) -> DiagnosisProblem:
    """From what one pass kept. Where its sample holds every row, these are diagnosed as rows in memory are."""
    sample, moments = state.sample, state.moments
    x, y = Samples(sample.X, "X"), Samples(sample.Y, "Y")
    about_rows = _about_rows(state)
    labels = (
        proxy_label_matrix(x, y, options)
        if state.label_encoding is None
        else _labels_of_sample(state.label_encoding, sample)
    )
    if sample.n_rows == state.n_samples:
        _require_labelled(labels.n_labelled, state)
        problem = problem_of_samples(x, y, labels, options=options)
        return dataclasses.replace(problem, input_cautions=(*about_rows, *problem.input_cautions))
    _LOG.info("sums of %d pairs, and a sample of %d of them", state.n_samples, sample.n_rows)
    pair = prepare(x, y, moments, options)
    label_moments = None
    if state.label_encoding is None:
        labels = dataclasses.replace(labels, notes=(*labels.notes, _about_proxies(state)))
    else:
        n_labelled = (
            round(state.n_samples * float(moments.mean_labels[-1])) if state.has_unlabelled else state.n_samples
        )
        _require_labelled(n_labelled, state)
        label_moments = LabelMoments.from_moments(pair, moments, state.n_label_columns)
    return DiagnosisProblem(
        pair=pair,
        labels=labels,
        signal_labels=labels,
        groups=None,
        label_moments=label_moments,
        positions=sample.positions,
        input_cautions=(*about_rows, *input_cautions(pair, labels, state.precision)),
        cautions=(_about_sample(state, options),),
        source=Source.READ_ONCE,
        precision=state.precision,
        has_nuisance_labels=False,
        backend=moments.backend,
    )


def _labels_of_sample(encoding: LabelEncoding, sample: RowSample) -> LabelMatrix:
    return LabelMatrix(
        values=sample.labels,
        column_names=encoding.column_names,
        n_classes=encoding.n_classes,
        notes=encoding.notes,
        is_labelled=sample.is_labelled,
        variables=encoding.variables,
    )


def _require_labelled(n_labelled: int, state: PairState) -> None:
    if not n_labelled:
        raise InputValueError(
            f"none of the state's {state.n_samples} rows has a label; {state.dataset.n_labelled} of the data set's "
            f"{state.dataset.n_samples} have one. Merge it with states of those rows."
        )


def _about_rows(state: PairState) -> list[DiagnosisWarning]:
    """What of the data set is not in the state."""
    unmatched, missing = state.dataset.unmatched, state.missing_ranges
    told = [] if unmatched is None else [DiagnosisWarning("rows_unmatched", unmatched)]
    if not missing:
        return told
    shown = ", ".join(f"{first} to {stop - 1}" for first, stop in missing[:3])
    more = f" and {len(missing) - 3} more such ranges" if len(missing) > 3 else ""
    sentence = (
        f"The state holds {state.n_samples} of the {state.dataset.n_samples} rows of its data set; rows {shown}{more} are "
        "missing. Merge it with states of those."
    )
    return [*told, DiagnosisWarning("rows_missing", sentence)]


def _about_proxies(state: PairState) -> tuple[str, str]:
    n, n_rows = state.n_samples, state.sample.n_rows
    return "unlabelled_rows", f"{n - n_rows} of {n} rows have no label: only those in the sample were clustered."


def _about_sample(state: PairState, options: DiagnosisOptions) -> DiagnosisWarning:
    parts = ["the noise of unequal rows"]
    parts += ["rehearsal"] if options.rehearse else []
    parts += ["pairing audit", "test for shared signal"] if options.audit else []
    listed = parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
    verb = "is" if len(parts) == 1 else "are"
    sentence = (
        f"{listed[0].upper()}{listed[1:]} {verb} from a sample of {state.sample.n_rows} of the {state.n_samples} rows, the "
        "separation ratios from all."
    )
    if options.audit:
        sentence += " In a sample, rows that are shifted against each other look like rows that were shuffled."
    return DiagnosisWarning("rehearsed_on_sample", sentence)
