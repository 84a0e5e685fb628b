"""The spiked model: population theory and samples of two or more views that share signal and nuisance."""

from crossphase.spiked.bottlenecks import hard_bottleneck, soft_bottleneck
from crossphase.spiked.model import SpikedModel, SpikedSample, nuisance_covariance
from crossphase.spiked.multiview import MultiviewSample, MultiviewSpikedModel

__all__ = [
    "MultiviewSample",
    "MultiviewSpikedModel",
    "SpikedModel",
    "SpikedSample",
    "hard_bottleneck",
    "nuisance_covariance",
    "soft_bottleneck",
]
