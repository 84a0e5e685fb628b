"""E3: the separation ratios against the variance of the target's nuisance, in theory and from samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase import SpikedModel, coherence, nuisance_covariance, prediction_operator
from linear_experiments.findings import Expected, Finding, Source, over_seeds
from linear_experiments.latent_moments import draw_second_moment, loadings, sample_covariances
from linear_experiments.published_values import E3_TABLE
from linear_experiments.settings import Settings

KAPPA = np.array([3.0, 2.5, 2.0])
GAMMA, GAMMA_TILDE_X = 0.5, 1.0
ETA, LARGEST_NU = 0.5, 0.99  # η = .5, or what keeps ν at .99 where that is less
N_FEATURES = 20
ROUNDED = 0.005  # to two decimals


@dataclass(frozen=True, slots=True, eq=False)
class Separation:
    """Δ_CA and Δ_CP of the population, and the ratio of successive sample singular values that is to estimate them."""

    gamma_tilde_y: np.ndarray
    theory_ca: np.ndarray
    theory_cp: np.ndarray
    empirical_ca: np.ndarray  # (n_seeds, n_points): k-th over (k+1)-th canonical correlation; never below 1
    empirical_cp: np.ndarray  # (n_seeds, n_points): k-th over (k+1)-th gain

    def findings(self) -> list[Finding]:
        sides = (("Δ_CA", self.theory_ca, self.empirical_ca), ("Δ_CP", self.theory_cp, self.empirical_cp))
        found = []
        for variance, expected in E3_TABLE.items():
            at = int(np.argmin(np.abs(np.log(self.gamma_tilde_y / variance))))
            if not np.isclose(self.gamma_tilde_y[at], variance):
                continue  # not on a thinned grid
            for name, theory, empirical in sides:
                in_theory, from_samples = expected[name]
                mean, spread = over_seeds(empirical[:, at])
                exact = Expected(in_theory, Source.EXACT, ROUNDED, "two decimals")
                simulated = Expected(
                    from_samples,
                    Source.SIMULATED,
                    3 * spread + ROUNDED,
                    "3 standard deviations of one sample, two decimals",
                )
                found += [
                    Finding(f"{name} at γ̃_y = {variance:g}, theory", theory[at], expected=exact),
                    Finding(f"{name} at γ̃_y = {variance:g}, from samples", mean, spread, simulated),
                ]
        for name, theory, empirical in sides:
            ratios = empirical.mean(axis=0) / theory
            found += [
                Finding(f"{name}, smallest empirical / theory on the grid", ratios.min()),
                Finding(f"{name}, largest empirical / theory on the grid", ratios.max()),
            ]
        return found


def run_separation(settings: Settings) -> Separation:
    variances = settings.thin(np.geomspace(0.1, 100.0, 25))
    models = [spiked_model(variance) for variance in variances]
    k = len(KAPPA)
    empirical_ca, empirical_cp = np.empty((2, settings.n_seeds, len(variances)))
    for seed in range(settings.n_seeds):
        second_moment = draw_second_moment(settings.n_samples, k, N_FEATURES, seed)
        for i, model in enumerate(models):
            covariances = sample_covariances(loadings(model), second_moment)
            correlations, gains = coherence(covariances).correlations, prediction_operator(covariances).gains
            empirical_ca[seed, i] = correlations[k - 1] / correlations[k]
            empirical_cp[seed, i] = gains[k - 1] / gains[k]
    return Separation(
        variances,
        np.array([model.delta_ca for model in models]),
        np.array([model.delta_cp for model in models]),
        empirical_ca,
        empirical_cp,
    )


def spiked_model(gamma_tilde_y: float) -> SpikedModel:
    eta = min(ETA, float(nuisance_covariance(LARGEST_NU, GAMMA_TILDE_X, gamma_tilde_y)))
    return SpikedModel(KAPPA, GAMMA, GAMMA, GAMMA_TILDE_X, gamma_tilde_y, eta, N_FEATURES, N_FEATURES, rng=0)
