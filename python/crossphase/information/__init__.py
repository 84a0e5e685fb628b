"""Information that two views hold about labels: mutual informations and their partial information decomposition, in nats."""

from __future__ import annotations

from crossphase.information.decomposition import InformationDecomposition
from crossphase.information.discrete import information_decomposition, mutual_information
from crossphase.information.gaussian import gaussian_information_bias, gaussian_information_decomposition

__all__ = [
    "InformationDecomposition",
    "gaussian_information_bias",
    "gaussian_information_decomposition",
    "information_decomposition",
    "mutual_information",
]
