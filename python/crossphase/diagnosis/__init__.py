"""The diagnosis of a pair: which objective keeps the labels' directions above the nuisance."""

from crossphase.diagnosis.recommend import Objective, Recommendation
from crossphase.diagnosis.result import Diagnosis, DiagnosisSettings, DiagnosisWarning, RatioEstimate
from crossphase.diagnosis.run import diagnose

__all__ = [
    "Diagnosis",
    "DiagnosisSettings",
    "DiagnosisWarning",
    "Objective",
    "RatioEstimate",
    "Recommendation",
    "diagnose",
]
