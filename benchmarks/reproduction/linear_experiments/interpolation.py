"""E6: from prediction to alignment, by the weight of the alignment term in the joint objective."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase import CrossAlignment, CrossPrediction, JointObjective, SpikedModel, nuisance_covariance
from linear_experiments.findings import Expected, Finding, Source, over_seeds
from linear_experiments.latent_moments import draw_second_moment, loadings, sample_covariances
from linear_experiments.population_threshold import ACCURACY, population_threshold
from linear_experiments.settings import Settings
from linear_experiments.subspaces import alignment_error, orthonormal, prediction_error, subspace_distance

KAPPA = np.array([3.0, 2.5, 2.0])
GAMMA_X, GAMMA_Y, GAMMA_TILDE_X, GAMMA_TILDE_Y = 0.5, 0.1, 1.0, 10.0
ETA = 2.0  # between the thresholds of CP and CA
N_FEATURES = 20
K = len(KAPPA)


@dataclass(frozen=True, slots=True, eq=False)
class Interpolation:
    """Distances of the joint optimum's subspace of X, by alignment weight λ."""

    weights: np.ndarray  # λ, the first 0
    to_ca: np.ndarray  # (n_seeds, n_points): from CA's subspace of the same sample
    to_cp: np.ndarray
    to_truth: np.ndarray
    prediction_errors: np.ndarray  # (n_seeds, n_points): E|BWx - y|², which rises with λ
    alignment_errors: np.ndarray  # E|Wx - Vy|², which falls
    infinite_weight_to_ca: np.ndarray  # (n_seeds,): at λ = infinity
    threshold_ca: float  # η at which the population's CA loses a direction, by bisection
    threshold_cp: float
    expected_threshold_ca: float  # by the formulas
    expected_threshold_cp: float

    def findings(self) -> list[Finding]:
        largest = f"λ = {self.weights[-1]:g}"
        zero = Expected(0.0, Source.EXACT, 1e-9, "rounding")
        return [
            *(
                Finding(
                    f"η at which {name} loses a direction",
                    found,
                    expected=Expected(exact, Source.EXACT, ACCURACY, "bisection"),
                )
                for name, found, exact in (
                    ("CP", self.threshold_cp, self.expected_threshold_cp),
                    ("CA", self.threshold_ca, self.expected_threshold_ca),
                )
            ),
            Finding("largest distance from CP at λ = 0", self.to_cp[:, 0].max(), expected=zero),
            Finding("largest distance from CA at λ = infinity", self.infinite_weight_to_ca.max(), expected=zero),
            Finding(f"distance from CA at {largest}", *over_seeds(self.to_ca[:, -1])),
            Finding("distance from the signal at λ = 0", *over_seeds(self.to_truth[:, 0])),
            Finding(f"distance from the signal at {largest}", *over_seeds(self.to_truth[:, -1])),
        ]


def run_interpolation(settings: Settings) -> Interpolation:
    weights = np.append(0.0, settings.thin(np.logspace(-2, 2, 30)))
    shape = (settings.n_seeds, len(weights))
    to_ca, to_cp, to_truth, prediction_errors, alignment_errors = np.empty((5, *shape))
    infinite_weight_to_ca = np.empty(settings.n_seeds)
    for seed in range(settings.n_seeds):
        model = spiked_model(seed)
        second_moment = draw_second_moment(settings.n_samples, K, N_FEATURES, seed)
        moments = sample_covariances(loadings(model), second_moment)
        ca = orthonormal(CrossAlignment(K).fit_moments(moments).weights_x_)
        cp = orthonormal(CrossPrediction(K).fit_moments(moments).weights_x_)
        for i, weight in enumerate(weights):
            joint = JointObjective(K, alignment_weight=weight).fit_moments(moments)
            to_ca[seed, i], to_cp[seed, i], to_truth[seed, i] = (
                subspace_distance(joint.weights_x_, target) for target in (ca, cp, model.signal_basis_x)
            )
            prediction_errors[seed, i] = prediction_error(joint.coef_, moments.cov_xx, moments.cov_yy, moments.cov_xy)
            alignment_errors[seed, i] = alignment_error(joint.weights_x_, joint.weights_y_, moments)
        infinite = JointObjective(K, alignment_weight=np.inf).fit_moments(moments)
        infinite_weight_to_ca[seed] = subspace_distance(infinite.weights_x_, ca)
    model = spiked_model(0)
    largest_eta = float(nuisance_covariance(1.0, GAMMA_TILDE_X, GAMMA_TILDE_Y))
    return Interpolation(
        weights,
        to_ca,
        to_cp,
        to_truth,
        prediction_errors,
        alignment_errors,
        infinite_weight_to_ca,
        *(
            population_threshold(estimator.fit_moments, lambda eta: model.replace(eta=eta), largest_eta)
            for estimator in (CrossAlignment(K), CrossPrediction(K))
        ),
        model.nuisance_threshold_ca * largest_eta,
        model.nuisance_threshold_cp * largest_eta,
    )


def spiked_model(seed: int) -> SpikedModel:
    return SpikedModel(KAPPA, GAMMA_X, GAMMA_Y, GAMMA_TILDE_X, GAMMA_TILDE_Y, ETA, N_FEATURES, N_FEATURES, rng=seed)
