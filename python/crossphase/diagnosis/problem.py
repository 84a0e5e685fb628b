"""What a diagnosis starts from, wherever the rows are, and the way from there to its result."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from crossphase import _core
from crossphase.diagnosis.cautions import DiagnosisWarning
from crossphase.diagnosis.evidence import evidence_from_components, evidence_from_subspace
from crossphase.diagnosis.requirements import require_more_rows_than_features
from crossphase.diagnosis.result import Diagnosis
from crossphase.diagnosis.settings import DiagnosisOptions, DiagnosisSettings, Source
from crossphase.labels import LabelMatrix, encode_labels
from crossphase.moments import CrossMoments
from crossphase.pair import PreparedPair, PreparedView, prepare_pair
from crossphase.proxy_labels import make_proxy_labels
from crossphase.samples import Samples
from crossphase.spectra import null_correlations
from crossphase.subspace import LabelMoments

_ROWS_PER_COMPONENT = 10  # that reduce="auto" leaves a principal component of a view with too many features


@dataclass(frozen=True, slots=True, eq=False)
class DiagnosisProblem:
    """A prepared pair with its labels. Rows are those at hand: all, or a sample of those that were summed."""

    pair: PreparedPair
    labels: LabelMatrix  # of the rows at hand, as the next two
    signal_labels: LabelMatrix  # without what nuisance labels tell of them
    groups: np.ndarray | None
    label_moments: LabelMoments | None  # of all labelled rows, where they are more than those at hand
    positions: np.ndarray | None  # of the rows at hand among those summed; None: all, in order
    input_cautions: tuple[DiagnosisWarning, ...]  # those that are warned of
    cautions: tuple[DiagnosisWarning, ...]
    source: Source
    precision: str
    has_nuisance_labels: bool
    backend: str  # that summed the moments

    @property
    def n_labelled(self) -> int:
        """Rows with a label, of all."""
        return self.labels.n_labelled if self.label_moments is None else self.label_moments.n_labelled


def prepare(x: Samples, y: Samples, moments: CrossMoments, options: DiagnosisOptions) -> PreparedPair:
    """The prepared pair; where it was left to us and rows are few, of so many principal components as they can carry."""
    if not isinstance(options.reduce, str):
        pair = prepare_pair(x, y, moments, standardize=options.standardize, reduce=options.reduce)
        require_more_rows_than_features(pair, options.reduce)
        return pair
    pair = prepare_pair(x, y, moments, standardize=options.standardize, reduce=(None, None))
    if 2 * (pair.x.n_prepared + pair.y.n_prepared) > pair.n_samples:
        most = max(1, pair.n_samples // _ROWS_PER_COMPONENT)
        pair = prepare_pair(x, y, moments, standardize=options.standardize, reduce=(most, most))
    return pair


def proxy_label_matrix(x: Samples, y: Samples, options: DiagnosisOptions) -> LabelMatrix:
    """Clusters for labels, with what is to be known of them among the notes."""
    found = make_proxy_labels(x.array, y.array, rng=options.seed, n_threads=options.n_threads)
    labels = encode_labels(found.labels)
    return dataclasses.replace(labels, notes=(*labels.notes, *found.warnings))


def conclude(problem: DiagnosisProblem, options: DiagnosisOptions) -> Diagnosis:
    """The evidence that the problem holds, by the method asked for, and what follows from it."""
    pair, labels = problem.pair, problem.labels
    evidence = (
        evidence_from_components(
            pair, labels, options.components, options.signal_rule, options.n_threads, options.backend
        )
        if options.is_published
        else evidence_from_subspace(
            pair,
            labels,
            problem.signal_labels,
            problem.groups,
            label_moments=problem.label_moments,
            positions=problem.positions,
            at_use=options.at_use,
            rehearse=options.rehearse,
            audit=options.audit,
            seed=options.seed,
            n_threads=options.n_threads,
            backend=options.backend,
        )
    )
    settings = DiagnosisSettings(
        method=options.method,
        source=problem.source,
        precision=problem.precision,
        n_sample_rows=pair.x.samples.n_samples if pair.is_sampled else None,
        standardize=options.standardize,
        reduce_x=_reduced_to(pair.x),
        reduce_y=_reduced_to(pair.y),
        at_use=options.at_use,
        has_groups=problem.groups is not None,
        has_nuisance_labels=problem.has_nuisance_labels,
        seed=f"{options.seed.entropy}{options.seed.spawn_key or ''}",
        signal_rule=options.signal_rule if options.is_published else None,
        components=options.components if options.is_published else None,
    )
    x, y = pair.x.samples, pair.y.samples
    return Diagnosis(
        **{f.name: getattr(evidence, f.name) for f in dataclasses.fields(evidence) if f.name != "cautions"},
        null_correlations=null_correlations(pair.n_samples, pair.x.n_prepared, pair.y.n_prepared),
        warnings=(*problem.input_cautions, *problem.cautions, *evidence.cautions),
        settings=settings,
        n_samples=pair.n_samples,
        n_labelled=problem.n_labelled,
        n_features_x=x.n_features,
        n_features_y=y.n_features,
        dtype_x=x.dtype_name,
        dtype_y=y.dtype_name,
        constant_columns_x=pair.x.constant_columns,
        constant_columns_y=pair.y.constant_columns,
        label_columns=labels.column_names,
        n_classes=labels.n_classes,
        backend=problem.backend,
        version=_core.__version__,
    )


def _reduced_to(view: PreparedView) -> int | None:
    return None if view.axes is None or view.n_prepared == view.rank else view.n_prepared
