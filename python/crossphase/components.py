"""The published procedure: decompose, regress labels on each component, call components signal or nuisance.

Algorithm 1 of Kamai et al. (2026), "When to Align, When to Predict", as its published code runs it, plus prediction in the
other direction. Kept faithful, weaknesses included; `docs/published_procedure.md` lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from crossphase.pair import PreparedPair
from crossphase.ridge_cv import component_r2, shuffled_folds
from crossphase.signals import Signal, SignalRule, exceed_permutations, find_elbow
from crossphase.spectra import coherence, prediction_operator, swapped

FOLD_SEED = 42  # both fixed in the published code
PERMUTATION_SEED = 12345


@dataclass(frozen=True, slots=True)
class ComponentOptions:
    """Settings of the published procedure; the defaults are its own."""

    n_components: int = 50
    n_folds: int = 5
    n_permutations: int = 30
    alpha: float = 1.0  # ridge of the label regressions, in squared units of the scores' sums
    ridge: float = 1e-6  # added to covariances (divided by n), in squared feature units


@dataclass(frozen=True, slots=True, eq=False)
class Decomposition:
    """Components of one decomposition, what each tells of the labels, and which are signal by each rule."""

    spectrum: np.ndarray  # (n_components,), descending
    r2: np.ndarray  # (n_components, n_labels), cross-validated, clipped at 0
    signals: Mapping[SignalRule, Signal]


@dataclass(frozen=True, slots=True)
class Recovery:
    """How a spectrum separates signal from nuisance."""

    delta: float  # smallest signal value / largest nuisance value; inf without nuisance, 0 without signal
    n_recovered: int  # signal components strictly above every nuisance component
    n_signal: int
    floor: float  # largest nuisance value; -inf without nuisance
    floor_index: int  # its component; -1 without nuisance
    smallest_signal: float  # NaN without signal


@dataclass(frozen=True, slots=True, eq=False)
class ComponentAnalysis:
    """The six decompositions of a pair."""

    svd_x: Decomposition  # spectrum: singular values of centred X
    svd_y: Decomposition
    pls: Decomposition  # singular values of the cross-covariance
    cca: Decomposition  # canonical correlations: alignment
    cp: Decomposition  # gains of predicting Y from X
    cp_reverse: Decomposition  # gains of predicting X from Y
    variances_x: np.ndarray  # (n_components,): svd_x.spectrum² / n
    variances_y: np.ndarray


def analyse_components(
    pair: PreparedPair, labels: np.ndarray, options: ComponentOptions, n_threads: int, backend: str | None = None
) -> ComponentAnalysis:
    """Run the six decompositions and classify their components; `labels` is numeric, ``(n_samples, n_labels)``."""
    n = pair.x.samples.n_samples
    judge = _Judge(labels, options, n_threads, backend)
    cov = pair.covariances
    n_pair = min(options.n_components, pair.x.n_prepared, pair.y.n_prepared)

    decompositions = {}
    variances = {}
    for name, view, own in (("svd_x", pair.x, cov.cov_xx), ("svd_y", pair.y, cov.cov_yy)):
        n_view = min(options.n_components, view.n_prepared, n - 1)
        values, vectors = np.linalg.eigh(own)
        variances[name] = np.maximum(values[::-1][:n_view], 0.0)
        scores = view.scores(vectors[:, ::-1][:, :n_view])
        decompositions[name] = judge.decomposition(np.sqrt(n * variances[name]), scores)

    u, values, vt = np.linalg.svd(cov.cov_xy, full_matrices=False)
    decompositions["pls"] = judge.decomposition(values[:n_pair], _paired(pair, u[:, :n_pair], vt.T[:, :n_pair]))

    ca = coherence(cov, ridge=options.ridge, rcond=0.0)
    scores = _paired(pair, ca.weights_x[:, :n_pair], ca.weights_y[:, :n_pair])
    decompositions["cca"] = judge.decomposition(ca.correlations[:n_pair], scores)

    for name, view, direction in (("cp", pair.x, cov), ("cp_reverse", pair.y, swapped(cov))):
        operator = prediction_operator(direction, ridge=options.ridge, rcond=0.0)
        scores = view.scores(operator.weights_x[:, :n_pair])
        decompositions[name] = judge.decomposition(operator.gains[:n_pair], scores)
    return ComponentAnalysis(**decompositions, variances_x=variances["svd_x"], variances_y=variances["svd_y"])


def recover(spectrum: np.ndarray, signal: Signal) -> Recovery:
    """Separation of the signal's part of a spectrum from the rest."""
    values, others = spectrum[signal.is_signal], np.flatnonzero(~signal.is_signal)
    floor_index = int(others[spectrum[others].argmax()]) if len(others) else -1
    floor = float(spectrum[floor_index]) if len(others) else -np.inf
    if not len(values):
        return Recovery(0.0, 0, 0, floor, floor_index, float("nan"))
    smallest = float(values.min())
    delta = smallest / max(floor, 1e-15) if len(others) else np.inf
    return Recovery(delta, int((values > floor).sum()), len(values), floor, floor_index, smallest)


class _Judge:
    """Labels, folds and permutations: the same for every decomposition."""

    def __init__(self, labels: np.ndarray, options: ComponentOptions, n_threads: int, backend: str | None) -> None:
        n = len(labels)
        random = np.random.RandomState(PERMUTATION_SEED)
        self._labels = labels
        self._folds = shuffled_folds(n, options.n_folds, FOLD_SEED)
        self._rows = np.stack([np.arange(n), *(random.permutation(n) for _ in range(options.n_permutations))])
        self._options = options
        self._n_threads = n_threads
        self._backend = backend

    def decomposition(self, spectrum: np.ndarray, scores: np.ndarray) -> Decomposition:
        """Classify components with scores ``(n_samples, n_components)`` or ``(n_samples, n_components, 2)``."""
        r2 = component_r2(
            scores,
            self._labels,
            self._folds,
            self._options.alpha,
            permutations=self._rows,
            n_threads=self._n_threads,
            backend=self._backend,
        )
        observed, shuffled = r2[0].copy(), r2[1:]
        signals = {
            SignalRule.ELBOW: find_elbow(observed, log_transform=False),
            SignalRule.ELBOW_LOG: find_elbow(observed, log_transform=True),
            SignalRule.PERMUTATION: exceed_permutations(observed, shuffled.max(axis=2), shuffled.sum(axis=2)),
        }
        return Decomposition(spectrum, observed, signals)


def _paired(pair: PreparedPair, weights_x: np.ndarray, weights_y: np.ndarray) -> np.ndarray:
    """Scores on either side as one component, ``(n_samples, n_components, 2)``."""
    scores = np.empty((pair.x.samples.n_samples, weights_x.shape[1], 2))
    scores[:, :, 0] = pair.x.scores(weights_x)
    scores[:, :, 1] = pair.y.scores(weights_y)
    return scores
