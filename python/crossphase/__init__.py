"""For two paired embedding sets: align them, predict one from the other, or train no cross-modal model at all.

``crossphase.diagnose(X, Y, labels)`` is the main entry. Names are imported on first use, so ``import crossphase`` costs
next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossphase import (
        diagnosis,
        errors,
        information,
        labels,
        moments,
        reference,
        regimes,
        ridge_cv,
        rus,
        signals,
        spectra,
        whitening,
    )
    from crossphase._core import __version__
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
    from crossphase.information import (
        InformationDecomposition,
        gaussian_information_bias,
        gaussian_information_decomposition,
        information_decomposition,
        mutual_information,
    )
    from crossphase.labels import LabelMatrix, encode_labels
    from crossphase.moments import CrossMoments, cross_moments
    from crossphase.regimes import Regime, classify
    from crossphase.ridge_cv import component_r2
    from crossphase.rus import FeatureTransforms, RUSInformation, RUSModel, RUSSample, RUSSplits
    from crossphase.spectra import coherence, null_correlations, prediction_operator
    from crossphase.whitening import WhiteningMatrix, whitening_matrix

_MODULES = (
    "diagnosis",
    "errors",
    "information",
    "labels",
    "moments",
    "reference",
    "regimes",
    "ridge_cv",
    "rus",
    "signals",
    "spectra",
    "whitening",
)
_HOME = {
    "BackendUnavailableError": "errors",
    "CrossMoments": "moments",
    "Diagnosis": "diagnosis",
    "DiagnosisWarning": "diagnosis",
    "FeatureTransforms": "rus",
    "InformationDecomposition": "information",
    "InputTypeError": "errors",
    "InputValueError": "errors",
    "InputWarning": "errors",
    "LabelMatrix": "labels",
    "RUSInformation": "rus",
    "RUSModel": "rus",
    "RUSSample": "rus",
    "RUSSplits": "rus",
    "RatioEstimate": "diagnosis",
    "Recommendation": "diagnosis",
    "Regime": "regimes",
    "WhiteningMatrix": "whitening",
    "__version__": "_core",
    "classify": "regimes",
    "coherence": "spectra",
    "component_r2": "ridge_cv",
    "cross_moments": "moments",
    "diagnose": "diagnosis",
    "encode_labels": "labels",
    "gaussian_information_bias": "information",
    "gaussian_information_decomposition": "information",
    "information_decomposition": "information",
    "mutual_information": "information",
    "null_correlations": "spectra",
    "prediction_operator": "spectra",
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
