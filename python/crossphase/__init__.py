"""For two paired embedding sets: align them, predict one from the other, or train no cross-modal model at all.

``crossphase.diagnose(X, Y, labels)`` is the main entry. Names are imported on first use, so ``import crossphase`` costs
next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossphase import (
        closed_forms,
        cross_alignment,
        cross_prediction,
        diagnosis,
        errors,
        fold_moments,
        folds,
        information,
        joint,
        labels,
        moments,
        multiview,
        phase_diagram,
        reference,
        regimes,
        rehearsal,
        ridge_cv,
        rus,
        signals,
        spectra,
        spiked,
        whitening,
    )
    from crossphase._core import __version__
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
    )
    from crossphase.fold_moments import FoldMoments
    from crossphase.folds import assign_folds
    from crossphase.information import (
        InformationDecomposition,
        gaussian_information_bias,
        gaussian_information_decomposition,
        information_decomposition,
        mutual_information,
    )
    from crossphase.joint import JointObjective
    from crossphase.labels import LabelMatrix, encode_labels
    from crossphase.moments import CrossMoments, cross_moments
    from crossphase.multiview import MultiviewCrossAlignment
    from crossphase.multiview_moments import MultiviewMoments
    from crossphase.phase_diagram import (
        ParameterSweep,
        PhaseDiagram,
        PhasePoint,
    )
    from crossphase.regimes import (
        Regime,
        ca_boundary,
        classify,
        cp_boundary,
    )
    from crossphase.rehearsal import Rehearsal, rehearse
    from crossphase.ridge_cv import component_r2
    from crossphase.rus import (
        FeatureTransforms,
        RUSInformation,
        RUSModel,
        RUSSample,
        RUSSplits,
    )
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
    from crossphase.whitening import WhiteningMatrix, whitening_matrix

_MODULES = (
    "closed_forms",
    "cross_alignment",
    "cross_prediction",
    "diagnosis",
    "errors",
    "fold_moments",
    "folds",
    "information",
    "joint",
    "labels",
    "moments",
    "multiview",
    "phase_diagram",
    "reference",
    "regimes",
    "rehearsal",
    "ridge_cv",
    "rus",
    "signals",
    "spectra",
    "spiked",
    "whitening",
)
_HOME = {
    "BackendUnavailableError": "errors",
    "ClosedForms": "closed_forms",
    "CrossAlignment": "cross_alignment",
    "CrossMoments": "moments",
    "CrossPrediction": "cross_prediction",
    "Diagnosis": "diagnosis",
    "DiagnosisWarning": "diagnosis",
    "FeatureTransforms": "rus",
    "FoldMoments": "fold_moments",
    "InformationDecomposition": "information",
    "InputTypeError": "errors",
    "InputValueError": "errors",
    "InputWarning": "errors",
    "JointObjective": "joint",
    "LabelMatrix": "labels",
    "MultiviewCrossAlignment": "multiview",
    "MultiviewMoments": "multiview_moments",
    "MultiviewSample": "spiked",
    "MultiviewSpikedModel": "spiked",
    "ParameterSweep": "phase_diagram",
    "PhaseDiagram": "phase_diagram",
    "PhasePoint": "phase_diagram",
    "RUSInformation": "rus",
    "RUSModel": "rus",
    "RUSSample": "rus",
    "RUSSplits": "rus",
    "RatioEstimate": "diagnosis",
    "Recommendation": "diagnosis",
    "Regime": "regimes",
    "Rehearsal": "rehearsal",
    "SpikedModel": "spiked",
    "SpikedSample": "spiked",
    "WhiteningMatrix": "whitening",
    "__version__": "_core",
    "align_and_predict": "closed_forms",
    "assign_folds": "folds",
    "ca_boundary": "regimes",
    "classify": "regimes",
    "coherence": "spectra",
    "component_r2": "ridge_cv",
    "cp_boundary": "regimes",
    "cross_moments": "moments",
    "diagnose": "diagnosis",
    "encode_labels": "labels",
    "gaussian_information_bias": "information",
    "gaussian_information_decomposition": "information",
    "hard_bottleneck": "spiked",
    "information_decomposition": "information",
    "mutual_information": "information",
    "nuisance_covariance": "spiked",
    "null_correlations": "spectra",
    "prediction_operator": "spectra",
    "rehearse": "rehearsal",
    "soft_bottleneck": "spiked",
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
