"""The subspace method of `diagnose`: labels define the signal subspace, simulation removes the bias of its ratios."""

from crossphase.subspace.analysis import Estimate, OperatorAnalysis, SubspaceAnalysis, analyse_subspace
from crossphase.subspace.label_moments import LabelMoments
from crossphase.subspace.statistics import HEAVY

__all__ = ["HEAVY", "Estimate", "LabelMoments", "OperatorAnalysis", "SubspaceAnalysis", "analyse_subspace"]
