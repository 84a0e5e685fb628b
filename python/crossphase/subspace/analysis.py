"""The subspace method: from a prepared pair and labels to separation ratios with their uncertainty."""

from __future__ import annotations

import math
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import NormalDist
from types import MappingProxyType

import numpy as np

from crossphase._seeds import derived_generator
from crossphase._threads import single_threaded_blas
from crossphase.pair import PreparedPair
from crossphase.phase_parameters import PhaseParameters
from crossphase.regimes import Regime
from crossphase.subspace.fit import FittedValues, fit_values
from crossphase.subspace.label_moments import LabelMoments
from crossphase.subspace.label_space import LabelSpace, find_label_space
from crossphase.subspace.populations import CoherencePopulation, Population, PredictionPopulation
from crossphase.subspace.simulation import WishartDraws
from crossphase.subspace.statistics import PairStatistics, pair_statistics

CONFIDENCE = 0.95
_N_CONFIDENCE_DRAWS = 1000
# Simulated samples, by features of both views together: singular values of wide views fluctuate less and take longer.
_FITTING_FEATURES, _LEAST_FITTING, _MOST_FITTING = 1500, 3, 40  # in a step of the fit
_SPREAD_FEATURES, _LEAST_SPREAD, _MOST_SPREAD = 6000, 10, 60  # in all
_STREAM = 0x73756273  # "subs": keeps these streams apart from others of the same seed
_DRAWS, _NORMALS = 0, 1


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its interval at 95 %."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True, eq=False)
class OperatorAnalysis:
    """Signal and nuisance values of the coherence or of a prediction operator, and their separation ratio."""

    signal: tuple[Estimate, ...]  # of each direction, descending
    recovered_probability: np.ndarray  # (n_directions,): that each stands above all nuisance
    largest_nuisance: Estimate
    nuisance: np.ndarray  # (n_nuisance,), the fitted spectrum
    delta: Estimate
    probability_above_one: float
    label_recovery: (
        np.ndarray
    )  # (n_columns,), in [0, 1]: expected share of what a view knows of each label column that is kept
    in_sample_signal: np.ndarray
    in_sample_nuisance: np.ndarray
    log_delta_draws: np.ndarray  # (n_draws,)
    excess_leakage: (
        float  # share of the label directions' images that falls among the other view's nuisance, beyond chance
    )
    leakage_error: float

    @property
    def n_recovered(self) -> int:
        """Directions more likely than not above all nuisance."""
        return int((self.recovered_probability > 0.5).sum())


@dataclass(frozen=True, slots=True, eq=False)
class SubspaceAnalysis:
    """What the subspace method finds."""

    alignment: OperatorAnalysis
    prediction: OperatorAnalysis
    prediction_reverse: OperatorAnalysis
    regime_probabilities: Mapping[Regime, float]  # for alignment and X -> Y
    regime_probabilities_reverse: Mapping[Regime, float]
    delta_cp_if_standardized: float  # with every column of the target divided by its standard deviation; a rough figure
    delta_cp_reverse_if_standardized: float
    phase_parameters: PhaseParameters
    label_space: LabelSpace
    label_directions: np.ndarray  # (n_columns, r): weights on the label columns as encoded
    n_effective: float  # pairs of equal rows that would be as noisy
    n_effective_labelled: float
    excess_noise: float
    is_reweighted: bool

    @property
    def regime(self) -> Regime:
        """The likeliest regime for alignment and X -> Y."""
        return max(self.regime_probabilities, key=lambda regime: self.regime_probabilities[regime])

    @property
    def regime_reverse(self) -> Regime:
        """The likeliest regime for alignment and Y -> X."""
        return max(self.regime_probabilities_reverse, key=lambda regime: self.regime_probabilities_reverse[regime])

    @property
    def operators(self) -> tuple[OperatorAnalysis, OperatorAnalysis, OperatorAnalysis]:
        """Alignment, X -> Y, Y -> X."""
        return self.alignment, self.prediction, self.prediction_reverse

    @property
    def n_directions(self) -> int:
        return int(self.label_directions.shape[1])


def analyse_subspace(
    pair: PreparedPair,
    labels: np.ndarray,
    is_labelled: np.ndarray,
    groups: np.ndarray | None = None,
    *,
    label_moments: LabelMoments | None = None,
    seed: np.random.SeedSequence,
    n_threads: int,
    backend: str | None = None,
) -> SubspaceAnalysis:
    """Separation ratios of a prepared pair.

    Parameters
    ----------
    labels : array, shape (n_rows, n_columns)
        Of the rows that the pair's views hold. Numeric; rows without labels hold anything finite.
    is_labelled : array of bool, shape (n_rows,)
    groups : array of int, shape (n_rows,), optional
        Rows of one group depend on each other; they count as fewer.
    label_moments : LabelMoments, optional
        Where labels of more rows than the views hold were summed.
    """
    statistics = pair_statistics(
        pair, labels, is_labelled, groups, label_moments=label_moments, n_threads=n_threads, backend=backend
    )
    with single_threaded_blas():
        space = find_label_space(
            statistics.labels_x, statistics.labels_y, statistics.rows, float(np.sum(statistics.coherence**2))
        )
        alignment_population, *prediction_populations = _populations(statistics, space)
        populations: list[Population] = [alignment_population, *prediction_populations]
        p, q = statistics.coherence.shape
        r = space.directions.shape[1]
        n_fitting = min(max(_FITTING_FEATURES // (p + q), _LEAST_FITTING), _MOST_FITTING)
        n_draws = min(max(_SPREAD_FEATURES // (p + q), _LEAST_SPREAD), _MOST_SPREAD)
        draws = WishartDraws(n_draws, p + q + r, r, int(statistics.rows.pairs) - 1, seed, (_STREAM, _DRAWS))
        normals = _stratified_normals(derived_generator(seed, _STREAM, _NORMALS))
        with ThreadPoolExecutor(n_threads) as pool:
            fitted = list(pool.map(lambda population: fit_values(population, draws, n_fitting, normals), populations))
        to_columns = np.linalg.pinv(statistics.label_whitener)
        known_x, known_y = (view.covariance @ to_columns for view in (statistics.labels_x, statistics.labels_y))
        alignment, prediction, prediction_reverse = (
            _analysed(found, population.directions_x.T @ known, population.chance)
            for found, population, known in zip(fitted, populations, (known_x, known_x, known_y), strict=True)
        )
        return SubspaceAnalysis(
            alignment,
            prediction,
            prediction_reverse,
            _regime_probabilities(alignment, prediction),
            _regime_probabilities(alignment, prediction_reverse),
            _if_standardized(prediction, statistics.cov_yy, prediction_populations[0]),
            _if_standardized(prediction_reverse, statistics.cov_xx, prediction_populations[1]),
            _phase_parameters(statistics, space, alignment.largest_nuisance.value),
            space,
            statistics.label_whitener @ space.directions,
            statistics.rows.pairs,
            statistics.rows.labelled,
            statistics.excess_noise,
            statistics.is_reweighted,
        )


def _populations(
    s: PairStatistics, space: LabelSpace
) -> tuple[CoherencePopulation, PredictionPopulation, PredictionPopulation]:
    basis = space.directions
    label_x, label_y = s.labels_x.covariance @ basis, s.labels_y.covariance @ basis
    shares_x, shares_y = space.shares_x, space.shares_y
    return (
        CoherencePopulation(s.coherence, label_x, label_y, (shares_x, shares_y), s.rows),
        PredictionPopulation(
            s.prediction, label_x, s.raw_labels_y @ basis, _residual(s.cov_yy, s.prediction, s), shares_x, s.rows
        ),
        PredictionPopulation(
            s.prediction_reverse,
            label_y,
            s.raw_labels_x @ basis,
            _residual(s.cov_xx, s.prediction_reverse, s),
            shares_y,
            s.rows,
        ),
    )


def _if_standardized(found: OperatorAnalysis, target_cov: np.ndarray, population: PredictionPopulation) -> float:
    """The ratio moved by as much as the sample's ratio moves when the target's columns are scaled to unit variance."""
    as_given, scaled = population.observed, population.observed_if_scaled(1 / np.sqrt(np.diag(target_cov)))
    if not len(as_given.signal) or not len(as_given.nuisance):
        return found.delta.value
    ratios = [_ratio(float(v.signal[-1]), float(v.nuisance[0])) for v in (as_given, scaled)]
    return found.delta.value * ratios[1] / ratios[0] if ratios[0] > 0 else found.delta.value


def _phase_parameters(s: PairStatistics, space: LabelSpace, nu: float) -> PhaseParameters:
    """Means over the directions along which the views covary with the labels, their variance the unit in either view."""
    p, q = s.coherence.shape
    r = space.directions.shape[1]
    if not r:
        return PhaseParameters(kappa=0.0, nu=nu, gamma_x=1.0, gamma_y=1.0, gamma_tilde_x=1.0, gamma_tilde_y=1.0)
    x, y = (np.linalg.qr(raw @ space.directions)[0] for raw in (s.raw_labels_x, s.raw_labels_y))
    variance_x, variance_y = (float(np.sum(v * (cov @ v))) / r for v, cov in ((x, s.cov_xx), (y, s.cov_yy)))
    shared = float(np.linalg.svd(x.T @ s.cov_xy @ y, compute_uv=False).mean())
    kappa2 = min(shared / math.sqrt(variance_x * variance_y), 1.0)
    return PhaseParameters(
        kappa=math.sqrt(kappa2),
        nu=nu,
        gamma_x=1 - kappa2,
        gamma_y=1 - kappa2,
        gamma_tilde_x=(float(np.trace(s.cov_xx)) / variance_x - r) / max(p - r, 1),
        gamma_tilde_y=(float(np.trace(s.cov_yy)) / variance_y - r) / max(q - r, 1),
    )


def _residual(cov: np.ndarray, prediction: np.ndarray, s: PairStatistics) -> np.ndarray:
    """Covariance of the target given the source, unbiased."""
    degrees = s.rows.pairs - 1
    return np.asarray((cov - prediction.T @ prediction) * degrees / (degrees - prediction.shape[0]))


def _stratified_normals(rng: np.random.Generator) -> np.ndarray:
    """Normal scores in two columns, each evenly spread and randomly paired, ``(n_draws, 2)``."""
    law = NormalDist()
    scores = np.array([law.inv_cdf((i + 0.5) / _N_CONFIDENCE_DRAWS) for i in range(_N_CONFIDENCE_DRAWS)])
    return np.column_stack([scores, rng.permutation(scores)])


def _analysed(fitted: FittedValues, known: np.ndarray, chance: float) -> OperatorAnalysis:
    """Draws made estimates.

    `known`: covariance of the source's signal directions with the label columns, ``(n_directions, n_columns)``. `chance`: a value
    that nothing can be told from.
    """
    r = len(fitted.signal)
    has_nuisance = len(fitted.nuisance) > 0
    largest = float(fitted.nuisance[0]) if has_nuisance else 0.0
    # Where no direction is left for nuisance, signal must still stand above what chance would show.
    floor_draws = fitted.largest_nuisance_draws if has_nuisance else np.full(len(fitted.largest_nuisance_draws), chance)
    if r:
        log_delta = _log_ratios(fitted.signal_draws.min(axis=1), floor_draws)
        value = _ratio(float(fitted.signal[-1]), largest if has_nuisance else chance)
        if not has_nuisance:
            log_delta = np.where(log_delta > 0, np.inf, -np.inf)
            value = math.inf if value > 1 else 0.0
    else:  # nothing is known: as likely above as below 1, as far as you like
        log_delta = np.where(np.arange(len(floor_draws)) % 2, np.inf, -np.inf)
        value = 0.0
    recovered = np.mean(fitted.signal_draws > floor_draws[:, None], axis=0)
    energy = np.square(known)
    return OperatorAnalysis(
        signal=tuple(_estimate(float(v), fitted.signal_draws[:, i]) for i, v in enumerate(fitted.signal)),
        recovered_probability=recovered,
        largest_nuisance=_estimate(largest, fitted.largest_nuisance_draws),
        nuisance=fitted.nuisance,
        delta=_estimate(value, np.exp(log_delta)),
        probability_above_one=float(np.mean(_is_above(log_delta))),
        label_recovery=recovered @ energy / np.maximum(energy.sum(axis=0), 1e-300),
        in_sample_signal=fitted.observed.signal,
        in_sample_nuisance=fitted.observed.nuisance,
        log_delta_draws=log_delta,
        excess_leakage=fitted.excess_leakage,
        leakage_error=fitted.leakage_error,
    )


def _log_ratios(signal: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(signal > 0, np.log(signal) - np.log(nuisance), -np.inf)


def _is_above(log_delta: np.ndarray) -> np.ndarray:
    """Draws in which a ratio is above 1; of ties, every other one."""
    return np.where(log_delta == 0, np.arange(len(log_delta)) % 2 == 0, log_delta > 0)


def _ratio(signal: float, nuisance: float) -> float:
    if nuisance > 0:
        return signal / nuisance
    return math.inf if signal > 0 else 0.0


def _estimate(value: float, draws: np.ndarray) -> Estimate:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(draws, [tail, 1 - tail], method="inverted_cdf")
    return Estimate(value, min(float(low), value), max(float(high), value))


def _regime_probabilities(alignment: OperatorAnalysis, prediction: OperatorAnalysis) -> Mapping[Regime, float]:
    """Draws of both ratios share their normal scores: what disturbs one disturbs the other. Equal if nothing is known."""
    if not alignment.signal:
        return MappingProxyType(dict.fromkeys(Regime, 1 / len(Regime)))
    ca, cp = _is_above(alignment.log_delta_draws), _is_above(prediction.log_delta_draws)
    return MappingProxyType(
        {
            Regime.BOTH: float(np.mean(ca & cp)),
            Regime.CA_ONLY: float(np.mean(ca & ~cp)),
            Regime.CP_ONLY: float(np.mean(~ca & cp)),
            Regime.NEITHER: float(np.mean(~ca & ~cp)),
        }
    )
