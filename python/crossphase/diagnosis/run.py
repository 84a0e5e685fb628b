"""``diagnose``: from two sample matrices and labels to a verdict."""

from __future__ import annotations

import dataclasses
import logging
import os
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from crossphase import _core
from crossphase._scalars import check_choice, check_integer, check_number
from crossphase._seeds import Seed, seed_sequence
from crossphase._threads import resolve_n_threads
from crossphase.components import ComponentOptions
from crossphase.diagnosis.cautions import DiagnosisWarning, input_cautions
from crossphase.diagnosis.evidence import Evidence, evidence_from_components, evidence_from_subspace
from crossphase.diagnosis.requirements import (
    require_enough_rows,
    require_more_rows_than_features,
    require_several_groups,
)
from crossphase.diagnosis.result import Diagnosis
from crossphase.diagnosis.settings import DiagnosisSettings, Method
from crossphase.errors import InputTypeError, InputValueError, InputWarning
from crossphase.labels import LabelMatrix, encode_labels
from crossphase.matching import RowMatch, as_ids, match_rows
from crossphase.moments import CrossMoments
from crossphase.pair import PreparedPair, prepare_pair
from crossphase.proxy_labels import make_proxy_labels
from crossphase.readers import read_labels, read_samples
from crossphase.rehearsal import AtUse
from crossphase.row_blocks import check_groups
from crossphase.samples import Samples, as_samples, require_finite
from crossphase.signals import SignalRule
from crossphase.spectra import null_correlations

_LOG = logging.getLogger(__name__)
_CONFOUNDED = 0.1  # share of the labels' variance
_ROWS_PER_COMPONENT = 10  # that reduce="auto" leaves a principal component of a view with too many features


def diagnose(
    X: Any,
    Y: Any = None,
    labels: Any = None,
    *,
    method: str = "subspace",
    nuisance_labels: Any = None,
    groups: Any = None,
    ids: Any = None,
    at_use: str = "both",
    rehearse: bool = True,
    audit: bool = True,
    standardize: bool = False,
    reduce: str | int | tuple[int | None, int | None] | None = "auto",
    rng: Seed = 0,
    signal_rule: str = "elbow",
    n_components: int = 50,
    n_folds: int = 5,
    n_permutations: int = 30,
    alpha: float = 1.0,
    ridge: float = 1e-6,
    n_threads: int | None = None,
    backend: str | None = None,
) -> Any:
    """Should two paired embedding sets be aligned, one be predicted from the other, both, or neither?

    Parameters
    ----------
    X, Y : array of shape (n_samples, n_features_x) and (n_samples, n_features_y), or path of a ``.npy`` file
        Row i of one belongs to row i of the other. float16, bfloat16, float32 or float64, any strides, memory maps
        included; never modified. Centred internally. More than two views: a mapping of names to views, followed by the
        labels (`crossphase.diagnose_pairs`).
    labels : array, list, mapping, pandas or polars frame, or path of a ``.npy`` or ``.csv`` file
        What the representation should keep. Strings, booleans and integers are classes, floats are measurements; several
        columns are allowed (`crossphase.encode_labels`). Rows may be unlabelled (None, NaN): their pairs still sharpen the
        covariances. None: k-means clusters stand in (`crossphase.make_proxy_labels`), with a warning.
    method : {"subspace", "components"}
        ``subspace``: the labels define the signal subspace of each view; what remains is nuisance. Population values with
        intervals. ``components``: the published procedure (Algorithm 1 of the reference), in-sample and without intervals.
    nuisance_labels : as `labels`, optional
        Batch, donor, instrument: what the representation should not keep. Signal directions are then those that predict what
        these do not tell of the labels; directions that predict the batch alone are nuisance.
    groups : array of shape (n_samples,), optional
        Subjects, donors, stars: rows of one group depend on each other. Widens the intervals, keeps groups whole in folds.
        One group a row of X, also where `ids` puts rows in another order. Only for ``subspace``.
    ids : pair or triple of sequences, optional
        Names of the rows of X, of Y, and of the labels if they come in an order of their own; rows are matched by them, those
        without a partner left out. Without names of their own, labels are of the rows of X.
    at_use : {"both", "x", "y"}
        Which views there will be when the representation is used.
    rehearse : bool, default True
        Try the objectives in closed form on held-out rows (`crossphase.rehearse`), and recommend by what that finds.
    audit : bool, default True
        Check the pairing of the rows (`crossphase.audit_pairing`), and test for any shared signal
        (`crossphase.count_shared_directions`).
    standardize : bool, default False
        Divide each column by its standard deviation first. Scaling is part of the question for prediction: gains are in
        units of the target.
    reduce : "auto", int, (int or None, int or None), or None
        Keep this many principal components of each view (of X, of Y). "auto": all, unless both views have more than half as
        many features as there are rows; then at most a tenth of the rows, chosen without a look at the other view or the labels.
        With ``components``, "auto" is None.
    rng : int, numpy.random.SeedSequence or numpy.random.Generator, default 0
        Of everything that is drawn. The published procedure has seeds of its own.
    signal_rule : {"elbow", "elbow_log", "permutation"}
        Only for ``components``, as all that follow: which of its three classifiers decides. All three are in the result.
    n_components : int, default 50
        Components examined in each decomposition.
    n_folds, n_permutations : int, default 5 and 30
        Of the cross-validated label regressions, and of the permutation classifier.
    alpha : float, default 1.0
        Ridge of the label regressions, in squared units of the component scores' sums.
    ridge : float, default 1e-6
        Added to every eigenvalue of both covariances (divided by n), in squared feature units: rescaling the data changes
        its meaning.
    n_threads : int, optional
        Default: ``CROSSPHASE_NUM_THREADS``, else one a core.
    backend : {"cpu", "reference"}, optional

    Returns
    -------
    Diagnosis, or PairwiseDiagnosis for a mapping of views

    Raises
    ------
    InputValueError, InputTypeError
        The sentence names the argument, what came, what is wanted, the first offending row and column, and the remedy.
    FileNotFoundError, IsADirectoryError
        For paths.

    Warns
    -----
    InputWarning
        Constant columns were dropped, or labels were read in a way worth knowing; also in ``Diagnosis.warnings``.

    Notes
    -----
    One pass over the rows for the moments, a few more for labels, leverages, tests and the rehearsal. Cost
    O(n (p + q)²) plus a hundred simulated covariances of O((p + q)³) each. docs/subspace_method.md tells how the numbers are
    made.

    References
    ----------
    Kamai, Van Assel, Regev, Perets & Balestriero (2026), "When to Align, When to Predict: A Phase Diagram for Multimodal
    Learning", arXiv:2606.11190.

    Examples
    --------
    >>> import crossphase, numpy as np
    >>> rng = np.random.default_rng(0)
    >>> shared = rng.normal(size=(500, 2))
    >>> X = np.hstack([shared + 0.5 * rng.normal(size=(500, 2)), rng.normal(size=(500, 6))])
    >>> Y = np.hstack([shared + 0.5 * rng.normal(size=(500, 2)), rng.normal(size=(500, 4))])
    >>> crossphase.diagnose(X, Y, labels=shared).regime
    <Regime.BOTH: 'both'>
    """
    chosen_method = check_choice(method, "method", Method)
    is_published = chosen_method is Method.COMPONENTS
    rule = check_choice(signal_rule, "signal_rule", SignalRule)
    options = ComponentOptions(
        n_components=check_integer(n_components, "n_components", least=1),
        n_folds=check_integer(n_folds, "n_folds", least=2),
        n_permutations=check_integer(n_permutations, "n_permutations", least=1),
        alpha=check_number(alpha, "alpha", above=0),
        ridge=check_number(ridge, "ridge", least=0),
    )
    use = check_choice(at_use, "at_use", AtUse)
    asked = _checked_reduce(reduce)
    for name, flag in (("standardize", standardize), ("rehearse", rehearse), ("audit", audit)):
        if not isinstance(flag, bool | np.bool_):
            raise InputTypeError(f"{name} must be True or False; got {flag!r}.")
    for name, given in (("groups", groups), ("nuisance_labels", nuisance_labels)):
        if is_published and given is not None:
            raise InputValueError(f'{name} need method="subspace"; the published procedure knows nothing of them.')
    threads = resolve_n_threads(n_threads)
    if isinstance(X, Mapping):
        from crossphase.pairwise import diagnose_pairs  # noqa: PLC0415  (stands above this module)

        if Y is not None and labels is not None:
            raise InputTypeError(
                "X is a mapping of views, so the labels come next; Y must not be given beside labels=."
            )
        if ids is not None:
            raise InputValueError(
                "ids are of two views; got a mapping. Put the views in common order first, with crossphase.match_rows."
            )

        given = {name: value for name, value in locals().items() if name in _OPTIONS}
        return diagnose_pairs(X, Y if labels is None else labels, **given)
    seed = seed_sequence(rng)

    x, y = (as_samples(_read(values, name), name) for values, name in ((X, "X"), (Y, "Y")))
    raw_labels = _read_labels(labels)
    rows: RowMatch | None = None
    n_rows_x = x.n_samples
    if ids is not None:
        groups = None if groups is None else check_groups(groups, x.n_samples)
        x, y, rows = _matched(x, y, ids)
        groups = None if groups is None else groups[rows.rows_x]
    if raw_labels is None:
        label_matrix = _proxies(x, y, seed, threads)
    else:
        label_matrix = encode_labels(raw_labels, allow_missing=not is_published)
        if rows is not None:
            label_matrix = _labels_in_order(label_matrix, rows, ids, n_rows_x)
    require_enough_rows(x, y, label_matrix, options.n_folds if is_published else 2)
    signal_labels, confounding = _beyond_nuisance(label_matrix, nuisance_labels, rows, n_rows_x)
    group_codes = None if groups is None else check_groups(groups, x.n_samples)
    if group_codes is not None:
        require_several_groups(group_codes)
    for samples in (x, y):
        require_finite(samples, threads)

    _LOG.info("moments of %d pairs, %d + %d features", x.n_samples, x.n_features, y.n_features)
    kept = (None, None) if is_published and isinstance(asked, str) else asked
    pair, used_backend = _prepared(x, y, kept, bool(standardize), threads, backend)
    _core.return_freed_memory()
    cautions = input_cautions(pair, label_matrix)
    for caution in cautions:
        warnings.warn(caution.message, InputWarning, stacklevel=2)
    cautions += _unmatched(rows) + confounding
    evidence = (
        evidence_from_components(pair, label_matrix, options, rule, threads, backend)
        if is_published
        else evidence_from_subspace(
            pair,
            label_matrix,
            signal_labels,
            group_codes,
            at_use=use,
            rehearse=bool(rehearse),
            audit=bool(audit),
            seed=seed,
            n_threads=threads,
            backend=backend,
        )
    )
    settings = DiagnosisSettings(
        method=chosen_method,
        standardize=bool(standardize),
        reduce_x=None if pair.x.axes is None or pair.x.n_prepared == pair.x.rank else pair.x.n_prepared,
        reduce_y=None if pair.y.axes is None or pair.y.n_prepared == pair.y.rank else pair.y.n_prepared,
        at_use=use,
        has_groups=groups is not None,
        has_nuisance_labels=nuisance_labels is not None,
        seed=f"{seed.entropy}{seed.spawn_key or ''}",
        signal_rule=rule if is_published else None,
        components=options if is_published else None,
    )
    return _assembled(pair, used_backend, label_matrix, evidence, cautions, settings)


_OPTIONS = {  # passed on for every pair of several views
    *("method", "nuisance_labels", "groups", "at_use", "rehearse", "audit", "standardize", "reduce", "rng"),
    *("signal_rule", "n_components", "n_folds", "n_permutations", "alpha", "ridge", "n_threads", "backend"),
}


def _assembled(
    pair: PreparedPair,
    backend: str,
    labels: LabelMatrix,
    evidence: Evidence,
    cautions: list[DiagnosisWarning],
    settings: DiagnosisSettings,
) -> Diagnosis:
    x, y = pair.x.samples, pair.y.samples
    return Diagnosis(
        **{f.name: getattr(evidence, f.name) for f in dataclasses.fields(evidence) if f.name != "cautions"},
        null_correlations=null_correlations(x.n_samples, pair.x.n_prepared, pair.y.n_prepared),
        warnings=(*cautions, *evidence.cautions),
        settings=settings,
        n_samples=x.n_samples,
        n_labelled=labels.n_labelled,
        n_features_x=x.n_features,
        n_features_y=y.n_features,
        dtype_x=x.dtype_name,
        dtype_y=y.dtype_name,
        constant_columns_x=pair.x.constant_columns,
        constant_columns_y=pair.y.constant_columns,
        label_columns=labels.column_names,
        n_classes=labels.n_classes,
        backend=backend,
        version=_core.__version__,
    )


def _read(values: Any, name: str) -> Any:
    return read_samples(values, name) if isinstance(values, str | os.PathLike) else values


def _read_labels(labels: Any) -> Any:
    return read_labels(labels) if isinstance(labels, str | os.PathLike) else labels


def _checked_reduce(reduce: Any) -> str | tuple[int | None, int | None]:
    if isinstance(reduce, str):
        if reduce != "auto":
            raise InputValueError(f'reduce must be "auto", an integer, a pair of integers or None; got {reduce!r}.')
        return reduce
    sides = tuple(reduce) if isinstance(reduce, tuple | list) else (reduce, reduce)
    if len(sides) != 2:
        raise InputValueError(f'reduce must be "auto", an integer, a pair of integers or None; got {reduce!r}.')
    for side in sides:
        if side is not None:
            check_integer(side, "reduce (principal components kept of each view)", least=1)
    return sides


def _beyond_nuisance(
    labels: LabelMatrix, nuisance_labels: Any, rows: RowMatch | None, n_rows_x: int
) -> tuple[LabelMatrix, list[DiagnosisWarning]]:
    """Labels without what nuisance labels tell of them, and a caution where that is much."""
    if nuisance_labels is None:
        return labels, []
    nuisance = encode_labels(_read_labels(nuisance_labels), allow_missing=True)
    if nuisance.n_samples != n_rows_x:
        raise InputValueError(
            f"nuisance_labels must have one value for each of the {n_rows_x} rows of X; got {nuisance.n_samples}."
        )
    if rows is not None:
        nuisance = nuisance.take(rows.rows_x)
    left, share = labels.beyond(nuisance)
    if share < _CONFOUNDED:
        return left, []
    sentence = (
        f"nuisance_labels tell {share:.0%} of the labels' variance; the separation ratios are about the rest, the rehearsal "
        "about the labels as they are."
    )
    return left, [DiagnosisWarning("labels_confounded", sentence)]


def _unmatched(rows: RowMatch | None) -> list[DiagnosisWarning]:
    if rows is None or not (rows.n_dropped_x or rows.n_dropped_y):
        return []
    return [DiagnosisWarning("rows_unmatched", str(rows))]


def _prepared(
    x: Samples,
    y: Samples,
    asked: str | tuple[int | None, int | None],
    standardize: bool,
    n_threads: int,
    backend: str | None,
) -> tuple[PreparedPair, str]:
    """The prepared pair, and the backend that summed it.

    Where it was left to us and rows are few, of so many principal components as they can carry.
    """
    moments = CrossMoments(x.n_features, y.n_features, precision="f64", n_threads=n_threads, backend=backend)
    moments._update_checked([x, y])
    if not isinstance(asked, str):
        pair = prepare_pair(x, y, moments, standardize=standardize, reduce=asked)
        require_more_rows_than_features(pair, asked)
        return pair, moments.backend
    pair = prepare_pair(x, y, moments, standardize=standardize, reduce=(None, None))
    if 2 * (pair.x.n_prepared + pair.y.n_prepared) > x.n_samples:
        most = max(1, x.n_samples // _ROWS_PER_COMPONENT)
        pair = prepare_pair(x, y, moments, standardize=standardize, reduce=(most, most))
    return pair, moments.backend


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


def _proxies(x: Samples, y: Samples, seed: np.random.SeedSequence, n_threads: int) -> LabelMatrix:
    """Clusters for labels, with what is to be known of them among the notes."""
    found = make_proxy_labels(x.array, y.array, rng=seed, n_threads=n_threads)
    labels = encode_labels(found.labels)
    return dataclasses.replace(labels, notes=(*labels.notes, *found.warnings))


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
