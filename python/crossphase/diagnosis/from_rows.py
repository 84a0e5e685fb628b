"""A diagnosis whose rows are all at hand: matched by ids, freed of nuisance labels, summed."""

from __future__ import annotations

import logging
import os
from typing import Any

from crossphase import _core
from crossphase.diagnosis.cautions import DiagnosisWarning, input_cautions
from crossphase.diagnosis.problem import DiagnosisProblem, prepare, proxy_label_matrix
from crossphase.diagnosis.requirements import require_enough_rows, require_several_groups
from crossphase.diagnosis.settings import DiagnosisOptions, Source
from crossphase.errors import InputValueError
from crossphase.labels import LabelMatrix, encode_labels
from crossphase.matching import RowMatch, as_ids, match_rows
from crossphase.moments import CrossMoments
from crossphase.readers import read_labels
from crossphase.row_blocks import check_groups
from crossphase.samples import Samples, as_samples, require_finite

_LOG = logging.getLogger("crossphase.diagnosis")
_CONFOUNDED = 0.1  # share of the labels' variance


def problem_of_arrays(
    X: Any, Y: Any, labels: Any, *, nuisance_labels: Any, groups: Any, ids: Any, options: DiagnosisOptions
) -> DiagnosisProblem:
    """From arrays and raw labels as `crossphase.diagnose` takes them."""
    x, y = as_samples(X, "X"), as_samples(Y, "Y")
    raw_labels = _read_labels(labels)
    rows: RowMatch | None = None
    n_rows_x = x.n_samples
    if ids is not None:
        groups = None if groups is None else check_groups(groups, x.n_samples)
        x, y, rows = _matched(x, y, ids)
        groups = None if groups is None else groups[rows.rows_x]
    if raw_labels is None:
        label_matrix = proxy_label_matrix(x, y, options)
    else:
        label_matrix = encode_labels(raw_labels, allow_missing=not options.is_published)
        if rows is not None:
            label_matrix = _labels_in_order(label_matrix, rows, ids, n_rows_x)
    return problem_of_samples(
        x,
        y,
        label_matrix,
        nuisance=_nuisance(nuisance_labels, rows, n_rows_x),
        groups=groups,
        cautions=_unmatched(rows),
        options=options,
    )


def problem_of_samples(
    x: Samples,
    y: Samples,
    labels: LabelMatrix,
    *,
    nuisance: LabelMatrix | None = None,
    groups: Any = None,
    cautions: tuple[DiagnosisWarning, ...] = (),
    options: DiagnosisOptions,
) -> DiagnosisProblem:
    """From rows in common order, with numeric labels."""
    require_enough_rows(x, y, labels, options.components.n_folds if options.is_published else 2)
    signal_labels, confounding = _beyond_nuisance(labels, nuisance)
    group_codes = None if groups is None else check_groups(groups, x.n_samples)
    if group_codes is not None:
        require_several_groups(group_codes)
    for samples in (x, y):
        require_finite(samples, options.n_threads)

    _LOG.info("moments of %d pairs, %d + %d features", x.n_samples, x.n_features, y.n_features)
    moments = CrossMoments(
        x.n_features, y.n_features, precision="f64", n_threads=options.n_threads, backend=options.backend
    )
    moments._update_checked([x, y])
    pair, backend, precision = prepare(x, y, moments, options), moments.backend, moments.precision
    del moments
    _core.return_freed_memory()
    return DiagnosisProblem(
        pair=pair,
        labels=labels,
        signal_labels=signal_labels,
        groups=group_codes,
        label_moments=None,
        positions=None,
        input_cautions=tuple(input_cautions(pair, labels, precision)),
        cautions=cautions + confounding,
        source=Source.MEMORY,
        precision=precision,
        has_nuisance_labels=nuisance is not None,
        backend=backend,
    )


def _read_labels(labels: Any) -> Any:
    return read_labels(labels) if isinstance(labels, str | os.PathLike) else labels


def _nuisance(nuisance_labels: Any, rows: RowMatch | None, n_rows_x: int) -> LabelMatrix | None:
    """Nuisance labels of the rows of X, in the order of the match."""
    if nuisance_labels is None:
        return None
    nuisance = encode_labels(_read_labels(nuisance_labels), allow_missing=True)
    if nuisance.n_samples != n_rows_x:
        raise InputValueError(
            f"nuisance_labels must have one value for each of the {n_rows_x} rows of X; got {nuisance.n_samples}."
        )
    return nuisance if rows is None else nuisance.take(rows.rows_x)


def _beyond_nuisance(
    labels: LabelMatrix, nuisance: LabelMatrix | None
) -> tuple[LabelMatrix, tuple[DiagnosisWarning, ...]]:
    """Labels without what nuisance labels tell of them, and a caution where that is much."""
    if nuisance is None:
        return labels, ()
    left, share = labels.beyond(nuisance)
    if share < _CONFOUNDED:
        return left, ()
    sentence = (
        f"nuisance_labels tell {share:.0%} of the labels' variance; the separation ratios are about the rest, the rehearsal "
        "about the labels as they are."
    )
    return left, (DiagnosisWarning("labels_confounded", sentence),)


def _unmatched(rows: RowMatch | None) -> tuple[DiagnosisWarning, ...]:
    if rows is None or not (rows.n_dropped_x or rows.n_dropped_y):
        return ()
    return (DiagnosisWarning("rows_unmatched", str(rows)),)


def _matched(x: Samples, y: Samples, ids: Any) -> tuple[Samples, Samples, RowMatch]:
    """Rows of both views in the common order of their ids."""
    if not isinstance(ids, tuple | list) or len(ids) not in (2, 3):
        raise InputValueError(
            "ids must be (ids_x, ids_y) or (ids_x, ids_y, ids_labels): the names of the rows of each."
        )
    for samples, name, given in ((x, "ids_x", ids[0]), (y, "ids_y", ids[1])):
        as_ids(given, name, samples.n_samples)
    found = match_rows(*ids)
    return Samples(x.values[found.rows_x], x.name), Samples(y.values[found.rows_y], y.name), found


def _labels_in_order(labels: LabelMatrix, rows: RowMatch, ids: Any, n_rows_x: int) -> LabelMatrix:
    """Labels of the matched rows, by their own ids or as those of the rows of X."""
    if rows.rows_labels is not None:
        as_ids(ids[2], "ids_labels", labels.n_samples)
        return labels.take(rows.rows_labels)
    if labels.n_samples != n_rows_x:
        raise InputValueError(
            f"labels without ids of their own are of the rows of X, {n_rows_x}; got {labels.n_samples}. Pass "
            "ids=(ids_x, ids_y, ids_labels)."
        )
    return labels.take(rows.rows_x)
