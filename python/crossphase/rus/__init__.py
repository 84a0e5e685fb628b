"""Pairs of binary views whose labels depend on redundant and on unique features, with exact informations."""

from __future__ import annotations

from crossphase.rus.model import RUSInformation, RUSModel
from crossphase.rus.samples import RUSSample, RUSSplits
from crossphase.rus.transforms import FeatureTransforms

__all__ = ["FeatureTransforms", "RUSInformation", "RUSModel", "RUSSample", "RUSSplits"]
