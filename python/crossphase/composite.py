"""Composite parameters of the published procedure: the point in the (κ, ν) plane, put together from three decompositions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase.components import ComponentAnalysis
from crossphase.regimes import Regime, classify
from crossphase.signals import SignalRule


@dataclass(frozen=True, slots=True)
class CompositeParameters:
    """Spiked-model parameters read off the decompositions under one signal rule, and the ratios they imply.

    They place a point in the phase plane; the verdict uses the direct ratios.
    """

    kappa: float  # signal strength, root of the mean cross-covariance singular value of signal components
    nu: float  # nuisance correlation: second largest (largest of fewer than 3) canonical correlation of nuisance
    gamma_x: float  # noise variance on signal coordinates
    gamma_y: float
    gamma_tilde_x: float  # variance of nuisance coordinates
    gamma_tilde_y: float
    delta_ca: float
    delta_cp: float
    delta_cp_reverse: float
    regime: Regime
    regime_reverse: Regime
    variance_alignment_x: float  # Q: variance of the signal components / of as many leading components
    variance_alignment_y: float
    overlap_svd_pls_x: float  # share of component numbers called signal in both decompositions
    overlap_svd_pls_y: float
    overlap_pls_cca: float


def derive_composite(analysis: ComponentAnalysis, rule: SignalRule) -> CompositeParameters:
    """Parameters as the published code derives them (``_derive_params`` and what it calls)."""
    signal_x = analysis.svd_x.signals[rule].is_signal
    signal_y = analysis.svd_y.signals[rule].is_signal
    signal_pls = analysis.pls.signals[rule].is_signal
    signal_cca = analysis.cca.signals[rule].is_signal
    kappa2 = _mean_or_zero(analysis.pls.spectrum[signal_pls])
    nu = _trimmed_max(analysis.cca.spectrum[~signal_cca])
    gamma_x = max(_mean_or_zero(analysis.variances_x[signal_x]) - kappa2, 0.0)
    gamma_y = max(_mean_or_zero(analysis.variances_y[signal_y]) - kappa2, 0.0)
    gamma_tilde_x = _mean_or_zero(analysis.variances_x[~signal_x])
    gamma_tilde_y = _mean_or_zero(analysis.variances_y[~signal_y])
    delta_ca = _ratio(kappa2 / _root_of_product(kappa2 + gamma_x, kappa2 + gamma_y), nu, kappa2)
    delta_cp = _ratio(kappa2 / _root(kappa2 + gamma_x), nu * _root(gamma_tilde_y), kappa2)
    delta_cp_reverse = _ratio(kappa2 / _root(kappa2 + gamma_y), nu * _root(gamma_tilde_x), kappa2)
    return CompositeParameters(
        kappa=float(np.sqrt(kappa2)),
        nu=nu,
        gamma_x=gamma_x,
        gamma_y=gamma_y,
        gamma_tilde_x=gamma_tilde_x,
        gamma_tilde_y=gamma_tilde_y,
        delta_ca=delta_ca,
        delta_cp=delta_cp,
        delta_cp_reverse=delta_cp_reverse,
        regime=classify(delta_ca, delta_cp),
        regime_reverse=classify(delta_ca, delta_cp_reverse),
        variance_alignment_x=_variance_alignment(analysis.variances_x, signal_x),
        variance_alignment_y=_variance_alignment(analysis.variances_y, signal_y),
        overlap_svd_pls_x=_overlap(signal_x, signal_pls),
        overlap_svd_pls_y=_overlap(signal_y, signal_pls),
        overlap_pls_cca=_overlap(signal_pls, signal_cca),
    )


def _root(value: float) -> float:
    return float(np.sqrt(max(value, 1e-15)))


def _root_of_product(a: float, b: float) -> float:
    product = a * b
    return _root(product) if np.isfinite(product) else _root(a) * _root(b)


def _ratio(signal: float, nuisance: float, kappa2: float) -> float:
    if kappa2 == 0:
        return 0.0
    return signal / nuisance if nuisance > 0 else float("inf")


def _mean_or_zero(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _trimmed_max(values: np.ndarray) -> float:
    ranked = np.sort(values)[::-1]
    if not len(ranked):
        return 0.0
    return float(ranked[0] if len(ranked) < 3 else ranked[1])


def _variance_alignment(variances: np.ndarray, is_signal: np.ndarray) -> float:
    n_signal = int(is_signal.sum())
    leading = float(np.sort(variances)[::-1][:n_signal].sum())
    return float(variances[is_signal].sum()) / leading if n_signal and leading >= 1e-15 else 0.0


def _overlap(one: np.ndarray, other: np.ndarray) -> float:
    n = min(len(one), len(other))
    smaller = min(int(one[:n].sum()), int(other[:n].sum()))
    return float((one[:n] & other[:n]).sum()) / smaller if smaller else 0.0
