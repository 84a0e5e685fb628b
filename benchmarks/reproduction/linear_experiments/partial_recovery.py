"""E7: how many signal directions are recovered, over the plane of signal strength and nuisance correlation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase import SpikedModel, nuisance_covariance
from crossphase.covariances import Covariances
from linear_experiments.findings import Finding
from linear_experiments.latent_moments import draw_second_moment, sample_covariances, stacked_loadings
from linear_experiments.settings import Settings
from linear_experiments.stacked_solvers import leading_weights
from linear_experiments.subspaces import squared_cosines

DECAYS = (1.0, 0.8, 0.6, 0.4)  # b of κ_i = κ̄ b^(i-1); the paper writes ρ
K, N_FEATURES = 5, 20
GAMMA_X, GAMMA_Y, GAMMA_TILDE_X, GAMMA_TILDE_Y = 1.0, 0.05, 1.0, 5.0
RECOVERED_FROM = 0.8  # squared overlap of a signal direction with the recovered subspace
OBJECTIVES = ("CA", "CP")


@dataclass(frozen=True, slots=True, eq=False)
class PartialRecovery:
    """Recovered directions of X; (2, n_decays, n_kappas, n_nus), alignment first."""

    decays: np.ndarray
    kappas: np.ndarray  # κ̄
    nus: np.ndarray
    theory: np.ndarray
    mean_counts: np.ndarray  # over seeds
    shares_equal: np.ndarray  # of seeds whose count is that of theory
    shares_above: np.ndarray  # (2, n_decays): of points and seeds whose count exceeds it
    graded_shares: np.ndarray  # (2, n_decays): of points where theory recovers some directions, not all

    def findings(self) -> list[Finding]:
        partial = ((self.mean_counts > 0) & (self.mean_counts < K)).mean(axis=(2, 3))
        cases = [
            (o, d, f"{objective}, b = {decay:g}")
            for o, objective in enumerate(OBJECTIVES)
            for d, decay in enumerate(self.decays)
        ]
        return [
            *(Finding(f"share with theory's count, {where}", self.shares_equal[o, d].mean()) for o, d, where in cases),
            Finding("share with a larger count than theory's, all of them", self.shares_above.mean()),
            *(
                Finding(
                    f"share of points that recover in part, {where} (theory {self.graded_shares[o, d]:.2f})",
                    partial[o, d],
                )
                for o, d, where in cases
            ),
        ]


def run_partial_recovery(settings: Settings) -> PartialRecovery:
    kappas, nus = settings.thin(np.linspace(0.0, 3.0, 31)), settings.thin(np.linspace(0.0, 1.0, 31))
    second_moments = [draw_second_moment(settings.n_samples, K, N_FEATURES, seed) for seed in range(settings.n_seeds)]
    theory, counts = [], []
    for decay in DECAYS:
        models = [spiked_model(kappa, nu, decay) for kappa in kappas for nu in nus]
        maps = stacked_loadings(models)
        theory.append([[model.n_recovered_ca for model in models], [model.n_recovered_cp for model in models]])
        counts.append([recovered_counts(sample_covariances(maps, moment)) for moment in second_moments])
    plane = (len(kappas), len(nus))
    expected = np.reshape(np.swapaxes(theory, 0, 1), (2, len(DECAYS), *plane))
    found = np.reshape(np.moveaxis(np.array(counts), 2, 0), (2, len(DECAYS), settings.n_seeds, *plane))
    return PartialRecovery(
        np.array(DECAYS),
        kappas,
        nus,
        expected,
        found.mean(axis=2),
        (found == expected[:, :, None]).mean(axis=2),
        (found > expected[:, :, None]).mean(axis=(2, 3, 4)),
        ((expected > 0) & (expected < K)).mean(axis=(2, 3)),
    )


def spiked_model(kappa: float, nu: float, decay: float) -> SpikedModel:
    """In coordinate axes: recovery by alignment and by prediction does not depend on the bases."""
    eta = nuisance_covariance(nu, GAMMA_TILDE_X, GAMMA_TILDE_Y)
    strengths = kappa * decay ** np.arange(K)
    return SpikedModel(strengths, GAMMA_X, GAMMA_Y, GAMMA_TILDE_X, GAMMA_TILDE_Y, eta, N_FEATURES, N_FEATURES)


def recovered_counts(covariances: Covariances) -> np.ndarray:
    """Number of signal directions found by alignment and by prediction, (2, n_models)."""
    signal = np.eye(N_FEATURES)[:, :K]
    overlaps = [squared_cosines(weights, signal) for weights in leading_weights(covariances, K)]
    return np.array([(overlap >= RECOVERED_FROM).sum(axis=-1) for overlap in overlaps])
