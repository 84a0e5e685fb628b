"""E1, E1_multi and E2: how many directions alignment can find, and how large its encoders must be."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase import CrossAlignment, MultiviewSpikedModel, SpikedModel, coherence, hard_bottleneck, soft_bottleneck
from crossphase.covariances import PairCovariances
from linear_experiments.findings import Expected, Finding, Source, over_seeds
from linear_experiments.latent_moments import draw_second_moment, loadings, sample_covariances
from linear_experiments.settings import Settings

NONZERO = 1e-6  # canonical correlations above it count (published code)
RANKS = (1, 2, 3)  # E1
KAPPA = np.array([3.0, 2.5, 2.0])  # E1, E2
KAPPA_MULTI = np.array([3.0, 2.8, 2.5, 2.2, 2.0])  # E1_multi
N_FEATURES, N_FEATURES_MULTI = 20, 30
GAMMA, GAMMA_TILDE = 0.5, 1.0


def n_correlated(moments: PairCovariances) -> int:
    return int((coherence(moments).correlations > NONZERO).sum())


def exactly(count: int, source: Source) -> Expected:
    return Expected(count, source, 0.0, "a count")


# E1 -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class HardBottleneck:
    """Number of nonzero canonical correlations of two views, by the rank that is limited."""

    ranks: np.ndarray
    counts_shared: np.ndarray  # three signals each, the first `rank` of them shared
    counts_y: np.ndarray  # X has three signals, Y the first `rank` of them
    expected_shared: np.ndarray
    expected_y: np.ndarray

    def findings(self) -> list[Finding]:
        return [
            Finding(f"nonzero correlations, {name} = {rank}", found, expected=exactly(expected, Source.EXACT))
            for name, counts, all_expected in (
                ("shared rank", self.counts_shared, self.expected_shared),
                ("rank of Y", self.counts_y, self.expected_y),
            )
            for rank, found, expected in zip(self.ranks, counts, all_expected, strict=True)
        ]


def run_hard_bottleneck(_settings: Settings) -> HardBottleneck:
    n = len(KAPPA)
    counts: dict[str, list[int]] = {"shared": [], "y": []}
    expected: dict[str, list[int]] = {"shared": [], "y": []}
    for rank in RANKS:
        # Signals 3, 4, 5 repeat the strengths of 0, 1, 2 for Y alone, so that its rank stays 3.
        for name, of_y, rank_y in (("shared", [*range(rank), *range(n + rank, 2 * n)], n), ("y", range(rank), rank)):
            views = MultiviewSpikedModel(
                np.tile(KAPPA, 2),
                [range(n), of_y],
                gamma=GAMMA,
                gamma_tilde=GAMMA_TILDE,
                n_features=N_FEATURES,
                rng=rank,
            )
            counts[name].append(n_correlated(views.pair(0, 1)))
            expected[name].append(hard_bottleneck(n, rank_y, rank))
    return HardBottleneck(
        np.array(RANKS), *(np.array(values[name]) for values in (counts, expected) for name in ("shared", "y"))
    )


# E1_multi -------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class ManyViews:
    """Least number of nonzero correlations between view 0 and any other, by the number of views."""

    n_views_single: np.ndarray
    ranks_single: np.ndarray
    counts_single: np.ndarray  # (n_views, rank): one view has `rank` of the 5 signals, all others have 5
    n_views_progressive: np.ndarray
    counts_progressive: np.ndarray  # (n_views,): view i has the first 5 - i

    def findings(self) -> list[Finding]:
        k = len(KAPPA_MULTI)
        single = [
            Finding(f"N = {n}, one view of rank {rank}", found, expected=exactly(rank, Source.EXACT))
            for n, row in zip(self.n_views_single, self.counts_single, strict=True)
            for rank, found in zip(self.ranks_single, row, strict=True)
        ]
        progressive = [
            Finding(f"N = {n}, view i of rank k - i", found, expected=exactly(k - n + 1, Source.PUBLISHED))
            for n, found in zip(self.n_views_progressive, self.counts_progressive, strict=True)
        ]
        return single + progressive


def run_many_views(_settings: Settings) -> ManyViews:
    k = len(KAPPA_MULTI)
    n_single, n_progressive, ranks = (2, 3, 5), (2, 3, 4, 5), range(1, k)
    return ManyViews(
        np.array(n_single),
        np.array(ranks),
        np.array([[least_correlated([k] * (n - 1) + [rank]) for rank in ranks] for n in n_single]),
        np.array(n_progressive),
        np.array([least_correlated([k - i for i in range(n)]) for n in n_progressive]),
    )


def least_correlated(ranks: list[int]) -> int:
    """View i carries the first ``ranks[i]`` signals; view 0 is the anchor of every pair."""
    views = MultiviewSpikedModel(
        KAPPA_MULTI,
        [range(rank) for rank in ranks],
        gamma=GAMMA,
        gamma_tilde=GAMMA_TILDE,
        n_features=N_FEATURES_MULTI,
        rng=len(ranks),
    )
    return min(n_correlated(views.pair(0, i)) for i in range(1, len(ranks)))


# E2 -------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False)
class SoftBottleneck:
    """Size of the optimal encoders as the weakest signal weakens."""

    kappas: np.ndarray  # of the third signal
    weakest_correlations: np.ndarray  # φ_3 of the population
    population_norms: np.ndarray  # ‖W Σxx^1/2‖² + ‖V Σyy^1/2‖² of the population's optimum
    formula_norms: np.ndarray  # 2 (1 / φ_1 + 1 / φ_2 + 1 / φ_3)
    bounds: np.ndarray  # 2 / φ_3
    sample_norms: np.ndarray  # (n_seeds, n_kappas): of a sample's optimum, on the sample's covariances
    sample_bounds: np.ndarray  # 2 / φ_3 of the sample

    def findings(self) -> list[Finding]:
        excess, formula = self.population_norms / self.bounds, self.formula_norms / self.bounds
        sample_excess = self.sample_norms / self.sample_bounds
        # Two whiteners err by 40 p u each at condition numbers below 20 (tests/problems.py), relative to φ_3 itself.
        rounding = 2 * 40 * N_FEATURES * 2.0**-53 * 20 / self.weakest_correlations.min()

        def line(quantity: str, found: float, expected: float) -> Finding:
            return Finding(quantity, found, expected=Expected(expected, Source.EXACT, rounding, "rounding over φ₃"))

        weakest = f"κ₃ = {self.kappas[0]:.2g}"
        return [
            line("smallest norm / bound (the bound holds: at least 1)", excess.min(), formula.min()),
            line(f"norm / bound at {weakest} (tight: near 1)", excess[0], formula[0]),
            line(f"norm / bound at κ₃ = {self.kappas[-1]:.2g}", excess[-1], formula[-1]),
            Finding("smallest norm / bound of samples, each with its own φ₃", *over_seeds(sample_excess.min(axis=1))),
            Finding(
                f"norm of samples / bound of the population at {weakest}",
                *over_seeds(self.sample_norms[:, 0] / self.bounds[0]),
            ),
        ]


def run_soft_bottleneck(settings: Settings) -> SoftBottleneck:
    kappas = settings.thin(np.geomspace(0.05, 5.0, 20))
    models = [
        SpikedModel((3.0, 2.5, kappa), GAMMA, GAMMA, GAMMA_TILDE, GAMMA_TILDE, 0.0, N_FEATURES, N_FEATURES, rng=0)
        for kappa in kappas
    ]
    weakest = np.array([model.signal_correlations.min() for model in models])
    sample_norms, sample_bounds = np.empty((2, settings.n_seeds, len(kappas)))
    for seed in range(settings.n_seeds):
        second_moment = draw_second_moment(settings.n_samples, 3, N_FEATURES, seed)
        for i, model in enumerate(models):
            covariances = sample_covariances(loadings(model), second_moment)
            sample_norms[seed, i] = encoder_norm(covariances)
            sample_bounds[seed, i] = soft_bottleneck(coherence(covariances).correlations[2])
    return SoftBottleneck(
        kappas,
        weakest,
        np.array([encoder_norm(model) for model in models]),
        np.array([2 * (1 / model.signal_correlations).sum() for model in models]),
        np.array([soft_bottleneck(correlation) for correlation in weakest]),
        sample_norms,
        sample_bounds,
    )


def encoder_norm(moments: PairCovariances) -> float:
    """``‖W Σxx^1/2‖² + ‖V Σyy^1/2‖²`` of the optimal encoders with ``W Σxy V^T = I``."""
    found = CrossAlignment(3, normalization="cross_moment").fit_moments(moments)
    return float(
        np.vdot(found.weights_x_, moments.cov_xx @ found.weights_x_)
        + np.vdot(found.weights_y_, moments.cov_yy @ found.weights_y_)
    )
