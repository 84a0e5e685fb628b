"""For two paired embedding sets: align them, predict one from the other, or train no cross-modal model at all.

``crossphase.diagnose(X, Y, labels)`` is the main entry. Names are imported on first use, so ``import crossphase`` costs
next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossphase import (
        canonical_tests,
        canonical_theory,
        closed_forms,
        cross_alignment,
        cross_prediction,
        diagnosis,
        distributed,
        errors,
        fold_moments,
        folds,
        gain_theory,
        information,
        joint,
        label_tests,
        labels,
        matching,
        moments,
        multiview,
        pair_state,
        pairing,
        pairwise,
        phase_diagram,
        proxy_labels,
        reference,
        regimes,
        rehearsal,
        ridge_cv,
        row_sample,
        rus,
        shared_signal,
        signals,
        sources,
        spectra,
        spiked,
        summarize,
        tracy_widom,
        whitening,
    )
    from crossphase._core import __version__
    from crossphase.canonical_tests import CanonicalTests, canonical_tests_of
    from crossphase.canonical_theory import (
        VariateOverlaps,
        correlation_standard_error,
        pairs_needed,
        population_correlation,
        sample_correlation,
        smallest_detectable_correlation,
        variate_overlaps,
    )
    from crossphase.closed_forms import ClosedForms, align_and_predict
    from crossphase.cross_alignment import CrossAlignment
    from crossphase.cross_prediction import CrossPrediction
    from crossphase.diagnosis import (
        Diagnosis,
        DiagnosisWarning,
        RatioEstimate,
        Recommendation,
        diagnose,
    )
    from crossphase.errors import (
        BackendUnavailableError,
        InputTypeError,
        InputValueError,
        InputWarning,
        OutputError,
    )
    from crossphase.fold_moments import FoldMoments
    from crossphase.folds import assign_folds
    from crossphase.gain_theory import (
        largest_noise_gain,
        population_gain,
        sample_gain,
    )
    from crossphase.information import (
        InformationDecomposition,
        gaussian_information_bias,
        gaussian_information_decomposition,
        information_decomposition,
        mutual_information,
    )
    from crossphase.joint import JointObjective
    from crossphase.label_tests import (
        LabelRecoverability,
        label_recoverability,
        label_signal_rank,
    )
    from crossphase.labels import LabelEncoder, LabelEncoding, LabelMatrix, encode_labels, label_encoder
    from crossphase.matching import RowMatch, match_rows
    from crossphase.moments import CrossMoments, cross_moments
    from crossphase.multiview import MultiviewCrossAlignment
    from crossphase.multiview_moments import MultiviewMoments
    from crossphase.pair_state import PairedDataset, PairState
    from crossphase.pairing import (
        DuplicateRows,
        PairingAudit,
        PairingVerdict,
        SuspiciousRows,
        audit_pairing,
    )
    from crossphase.pairwise import PairwiseDiagnosis, diagnose_pairs
    from crossphase.phase_diagram import (
        ParameterSweep,
        PhaseDiagram,
        PhasePoint,
    )
    from crossphase.proxy_labels import (
        ProxyLabels,
        ViewClusters,
        make_proxy_labels,
    )
    from crossphase.regimes import (
        Regime,
        ca_boundary,
        classify,
        cp_boundary,
    )
    from crossphase.rehearsal import Rehearsal, rehearse
    from crossphase.ridge_cv import component_r2
    from crossphase.row_sample import RowSample
    from crossphase.rus import (
        FeatureTransforms,
        RUSInformation,
        RUSModel,
        RUSSample,
        RUSSplits,
    )
    from crossphase.shared_signal import SharedSignal, count_shared_directions
    from crossphase.sources import RowSource, open_rows
    from crossphase.spectra import (
        coherence,
        null_correlations,
        prediction_operator,
    )
    from crossphase.spiked import (
        MultiviewSample,
        MultiviewSpikedModel,
        SpikedModel,
        SpikedSample,
        hard_bottleneck,
        nuisance_covariance,
        soft_bottleneck,
    )
    from crossphase.summarize import summarize_pair
    from crossphase.tracy_widom import tracy_widom_survival
    from crossphase.whitening import WhiteningMatrix, whitening_matrix

_MODULES = (
    "canonical_tests",
    "canonical_theory",
    "closed_forms",
    "cross_alignment",
    "cross_prediction",
    "diagnosis",
    "distributed",
    "errors",
    "fold_moments",
    "folds",
    "gain_theory",
    "information",
    "joint",
    "label_tests",
    "labels",
    "matching",
    "moments",
    "multiview",
    "pair_state",
    "pairing",
    "pairwise",
    "phase_diagram",
    "proxy_labels",
    "reference",
    "regimes",
    "rehearsal",
    "ridge_cv",
    "row_sample",
    "rus",
    "shared_signal",
    "signals",
    "sources",
    "spectra",
    "spiked",
    "summarize",
    "tracy_widom",
    "whitening",
)
_HOME = {
    "BackendUnavailableError": "errors",
    "CanonicalTests": "canonical_tests",
    "ClosedForms": "closed_forms",
    "CrossAlignment": "cross_alignment",
    "CrossMoments": "moments",
    "CrossPrediction": "cross_prediction",
    "Diagnosis": "diagnosis",
    "DiagnosisWarning": "diagnosis",
    "DuplicateRows": "pairing",
    "FeatureTransforms": "rus",
    "FoldMoments": "fold_moments",
    "InformationDecomposition": "information",
    "InputTypeError": "errors",
    "InputValueError": "errors",
    "InputWarning": "errors",
    "JointObjective": "joint",
    "LabelEncoder": "labels",
    "LabelEncoding": "labels",
    "LabelMatrix": "labels",
    "LabelRecoverability": "label_tests",
    "MultiviewCrossAlignment": "multiview",
    "MultiviewMoments": "multiview_moments",
    "MultiviewSample": "spiked",
    "MultiviewSpikedModel": "spiked",
    "OutputError": "errors",
    "PairState": "pair_state",
    "PairedDataset": "pair_state",
    "PairingAudit": "pairing",
    "PairingVerdict": "pairing",
    "PairwiseDiagnosis": "pairwise",
    "ParameterSweep": "phase_diagram",
    "PhaseDiagram": "phase_diagram",
    "PhasePoint": "phase_diagram",
    "ProxyLabels": "proxy_labels",
    "RUSInformation": "rus",
    "RUSModel": "rus",
    "RUSSample": "rus",
    "RUSSplits": "rus",
    "RatioEstimate": "diagnosis",
    "Recommendation": "diagnosis",
    "Regime": "regimes",
    "Rehearsal": "rehearsal",
    "RowMatch": "matching",
    "RowSample": "row_sample",
    "RowSource": "sources",
    "SharedSignal": "shared_signal",
    "SpikedModel": "spiked",
    "SpikedSample": "spiked",
    "SuspiciousRows": "pairing",
    "VariateOverlaps": "canonical_theory",
    "ViewClusters": "proxy_labels",
    "WhiteningMatrix": "whitening",
    "__version__": "_core",
    "align_and_predict": "closed_forms",
    "assign_folds": "folds",
    "audit_pairing": "pairing",
    "ca_boundary": "regimes",
    "canonical_tests_of": "canonical_tests",
    "classify": "regimes",
    "coherence": "spectra",
    "component_r2": "ridge_cv",
    "correlation_standard_error": "canonical_theory",
    "count_shared_directions": "shared_signal",
    "cp_boundary": "regimes",
    "cross_moments": "moments",
    "diagnose": "diagnosis",
    "diagnose_pairs": "pairwise",
    "encode_labels": "labels",
    "gaussian_information_bias": "information",
    "gaussian_information_decomposition": "information",
    "hard_bottleneck": "spiked",
    "information_decomposition": "information",
    "label_encoder": "labels",
    "label_recoverability": "label_tests",
    "label_signal_rank": "label_tests",
    "largest_noise_gain": "gain_theory",
    "make_proxy_labels": "proxy_labels",
    "match_rows": "matching",
    "mutual_information": "information",
    "nuisance_covariance": "spiked",
    "null_correlations": "spectra",
    "open_rows": "sources",
    "pairs_needed": "canonical_theory",
    "population_correlation": "canonical_theory",
    "population_gain": "gain_theory",
    "prediction_operator": "spectra",
    "rehearse": "rehearsal",
    "sample_correlation": "canonical_theory",
    "sample_gain": "gain_theory",
    "smallest_detectable_correlation": "canonical_theory",
    "soft_bottleneck": "spiked",
    "summarize_pair": "summarize",
    "tracy_widom_survival": "tracy_widom",
    "variate_overlaps": "canonical_theory",
    "whitening_matrix": "whitening",
}
__all__ = [*_MODULES, *_HOME]  # noqa: PLE0604  (strings all the same)


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return importlib.import_module(f"crossphase.{name}")
    if name in _HOME:
        return getattr(importlib.import_module(f"crossphase.{_HOME[name]}"), name)
    raise AttributeError(f"module 'crossphase' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
