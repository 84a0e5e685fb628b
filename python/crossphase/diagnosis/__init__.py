"""The diagnosis of a pair: which objective keeps the labels' directions above the nuisance."""

from crossphase.diagnosis.cautions import DiagnosisWarning
from crossphase.diagnosis.recommend import Objective, Recommendation
from crossphase.diagnosis.result import Diagnosis, DiagnosisSettings, RatioEstimate
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
