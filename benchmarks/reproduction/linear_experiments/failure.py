"""E4 and E5: where alignment and prediction lose the signal as nuisance correlates, and what that does to predictions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase import CrossAlignment, CrossPrediction, SpikedModel, nuisance_covariance
from crossphase.covariances import PairCovariances
from linear_experiments import published_values as published
from linear_experiments.findings import Expected, Finding, Source, over_seeds
from linear_experiments.latent_moments import Loadings, between, draw_second_moment, loadings, sample_covariances
from linear_experiments.population_threshold import ACCURACY, distance_from_signal, population_threshold
from linear_experiments.settings import Settings
from linear_experiments.subspaces import prediction_error

KAPPA = np.array([3.0, 2.0, 1.5])
GAMMA_X, GAMMA_Y, GAMMA_TILDE_X, GAMMA_TILDE_Y = 0.5, 0.05, 1.0, 50.0
N_FEATURES = 20
K = len(KAPPA)
HALF_A_DIRECTION = 0.5 / K  # distance from which we say that a direction is lost: one lost entirely makes 1 / K
TEST_SEED = 1000  # added to the seed of the training sample


def fit_alignment(moments: PairCovariances) -> CrossAlignment:
    return CrossAlignment(K).fit_moments(moments)


def fit_prediction(moments: PairCovariances) -> CrossPrediction:
    return CrossPrediction(K).fit_moments(moments)


def spiked_model(nu: float, seed: int = 0) -> SpikedModel:
    """The model of E4, E5 and the InfoNCE experiment; the seed draws its bases."""
    eta = nuisance_covariance(nu, GAMMA_TILDE_X, GAMMA_TILDE_Y)
    return SpikedModel(KAPPA, GAMMA_X, GAMMA_Y, GAMMA_TILDE_X, GAMMA_TILDE_Y, eta, N_FEATURES, N_FEATURES, rng=seed)


# E4 -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class Failure:
    """Distance of the recovered subspace of X from the signal's, by nuisance correlation."""

    nu: np.ndarray
    distance_ca: np.ndarray  # (n_seeds, n_points)
    distance_cp: np.ndarray
    population_distance_ca: np.ndarray  # (n_points,)
    population_distance_cp: np.ndarray
    threshold_ca: float  # where the population's optimum first loses a direction, by bisection
    threshold_cp: float

    def findings(self) -> list[Finding]:
        model = spiked_model(0.0)
        half_ca, half_cp = (first_crossing(self.nu, d, HALF_A_DIRECTION) for d in (self.distance_ca, self.distance_cp))
        whole_cp = first_crossing(self.nu, self.distance_cp, 1 / K)
        at_held = np.array([np.interp(published.E4_HOLDS_CA, self.nu, distances) for distances in self.distance_ca])
        step = float(self.nu[1] - self.nu[0])
        fails = Expected(published.E4_FAILURE_CP, Source.PUBLISHED, step, "read from a figure; one step of the grid")
        holds = Expected(0.0, Source.PUBLISHED, 0.1 * HALF_A_DIRECTION, "a twentieth of a direction")
        return [
            *(
                Finding(
                    f"ν at which {name} of the population loses a direction",
                    threshold,
                    expected=Expected(exact, Source.EXACT, ACCURACY, "bisection"),
                )
                for name, threshold, exact in (
                    ("CP", self.threshold_cp, model.nuisance_threshold_cp),
                    ("CA", self.threshold_ca, model.nuisance_threshold_ca),
                )
            ),
            Finding("ν at which CP of a sample has lost a direction (distance 1/3)", *over_seeds(whole_cp), fails),
            Finding(
                f"distance of CA of a sample at ν = {published.E4_HOLDS_CA:g} (still holds)",
                *over_seeds(at_held),
                holds,
            ),
            Finding("ν at which CP of a sample has lost half a direction", *over_seeds(half_cp)),
            Finding("ν at which CA of a sample has lost half a direction", *over_seeds(half_ca)),
        ]


def run_failure(settings: Settings) -> Failure:
    grid = settings.thin(np.linspace(0.0, 0.95, 30))
    distances = np.empty((2, settings.n_seeds, len(grid)))
    for seed in range(settings.n_seeds):
        second_moment = draw_second_moment(settings.n_samples, K, N_FEATURES, seed)
        for i, nu in enumerate(grid):
            model = spiked_model(nu, seed)
            covariances = sample_covariances(loadings(model), second_moment)
            for j, fit in enumerate((fit_alignment, fit_prediction)):
                distances[j, seed, i] = distance_from_signal(fit, covariances, model)
    populations = np.array(
        [
            [distance_from_signal(fit, model, model) for model in map(spiked_model, grid)]
            for fit in (fit_alignment, fit_prediction)
        ]
    )
    return Failure(
        grid,
        *distances,
        *populations,
        *(population_threshold(fit, spiked_model, 1.0) for fit in (fit_alignment, fit_prediction)),
    )


def first_crossing(grid: np.ndarray, values: np.ndarray, level: float) -> np.ndarray:
    """For each row of `values`, where it first exceeds `level`, interpolated linearly; the end of the grid if it never does."""
    crossings = []
    for row in values:
        above = np.flatnonzero(row > level)
        if not len(above):
            crossings.append(grid[-1])
        elif above[0] == 0:
            crossings.append(grid[0])
        else:
            i = above[0]
            crossings.append(np.interp(level, row[i - 1 : i + 1], grid[i - 1 : i + 1]))
    return np.array(crossings)


# E5 -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class ProbeErrors:
    """Squared errors on a test sample in the same bases, of all of Y and against its noiseless signal part alone."""

    n_samples: int
    nu: np.ndarray
    total_ca: np.ndarray  # (n_seeds, n_points)
    total_cp: np.ndarray
    signal_ca: np.ndarray
    signal_cp: np.ndarray
    population_total_ca: np.ndarray  # (n_points,)
    population_total_cp: np.ndarray
    population_signal_ca: np.ndarray
    population_signal_cp: np.ndarray

    def findings(self) -> list[Finding]:
        last = f"at ν = {self.nu[-1]:.2f}"
        in_gap = (self.nu > published.E4_FAILURE_CP) & (self.nu < published.E4_HOLDS_CA)
        gap = "mean over ν in the gap (.15, .75)"

        ca_total, ca_signal = (values[:, in_gap].mean(axis=1) for values in (self.total_ca, self.signal_ca))

        def from_figure(expected: float, tolerance: float) -> Expected:
            return Expected(expected, Source.PUBLISHED, tolerance, "read from a figure")

        def beside_population(quantity: str, values: np.ndarray, expected: float) -> Finding:
            mean, spread = over_seeds(values)
            share = K * 2 * N_FEATURES / self.n_samples  # of the error, for the k (p + q) numbers fitted to n rows
            why = f"{share:.1%} for what a sample's fit misses, and 3 standard deviations"
            return Finding(quantity, mean, spread, Expected(expected, Source.EXACT, share * expected + 3 * spread, why))

        return [
            Finding(
                f"total error of CA + probe, {gap}", *over_seeds(ca_total), from_figure(published.E5_TOTAL_CA, 15.0)
            ),
            Finding(
                f"total error of CP, {last}",
                *over_seeds(self.total_cp[:, -1]),
                from_figure(published.E5_TOTAL_CP, 15.0),
            ),
            Finding(f"signal error of CA + probe, {gap}", *over_seeds(ca_signal), from_figure(0.0, 5.0)),
            Finding(
                f"signal error of CP, {last}",
                *over_seeds(self.signal_cp[:, -1]),
                from_figure(published.E5_SIGNAL_CP, 5.0),
            ),
            *(
                beside_population(f"{what} error of {name}, {last}", values[:, -1], population[-1])
                for what, name, values, population in (
                    ("total", "CP", self.total_cp, self.population_total_cp),
                    ("signal", "CP", self.signal_cp, self.population_signal_cp),
                    ("total", "CA + probe", self.total_ca, self.population_total_ca),
                    ("signal", "CA + probe", self.signal_ca, self.population_signal_ca),
                )
            ),
        ]


def run_probe_errors(settings: Settings) -> ProbeErrors:
    grid = settings.thin(np.linspace(0.0, 0.95, 30))
    errors = np.empty((4, settings.n_seeds, len(grid)))
    for seed in range(settings.n_seeds):
        training, test = (draw_second_moment(settings.n_samples, K, N_FEATURES, s) for s in (seed, TEST_SEED + seed))
        for i, nu in enumerate(grid):
            model = spiked_model(nu, seed)
            maps = loadings(model)
            errors[:, seed, i] = total_and_signal_errors(sample_covariances(maps, training), maps, model, test)
    identity = np.eye(3 * K + 2 * (N_FEATURES - K))  # the second moment of the latent variables themselves
    population = np.empty((4, len(grid)))
    for i, nu in enumerate(grid):
        model = spiked_model(nu)
        population[:, i] = total_and_signal_errors(model, loadings(model), model, identity)
    return ProbeErrors(settings.n_samples, grid, *errors, *population)


def total_and_signal_errors(
    training: PairCovariances, maps: Loadings, model: SpikedModel, test_second_moment: np.ndarray
) -> tuple[float, ...]:
    """Total error of CA + probe and of CP, then their signal errors."""
    coefs = [fit(training).coef_ for fit in (fit_alignment, fit_prediction)]
    signal_y = model.signal_basis_y @ maps.signal  # y without nuisance and noise
    return tuple(
        prediction_error(
            coef,
            between(maps.x, maps.x, test_second_moment),
            between(target, target, test_second_moment),
            between(maps.x, target, test_second_moment),
        )
        for target in (maps.y, signal_y)
        for coef in coefs
    )
