"""The subspace method of `diagnose`: labels define the signal subspace, simulation removes the bias of its ratios."""

from crossphase.subspace.analysis import Estimate, OperatorAnalysis, SubspaceAnalysis, analyse_subspace

__all__ = ["Estimate", "OperatorAnalysis", "SubspaceAnalysis", "analyse_subspace"]
