"""The diagnosis of a pair: which objective keeps the labels' directions above the nuisance."""

from crossphase.diagnosis.cautions import DiagnosisWarning
from crossphase.diagnosis.evidence import RatioEstimate
from crossphase.diagnosis.recommend import Recommendation
from crossphase.diagnosis.result import Diagnosis
from crossphase.diagnosis.run import diagnose
from crossphase.diagnosis.settings import DiagnosisSettings
from crossphase.objectives import Objective

__all__ = [
    "Diagnosis",
    "DiagnosisSettings",
    "DiagnosisWarning",
    "Objective",
    "RatioEstimate",
    "Recommendation",
    "diagnose",
]
