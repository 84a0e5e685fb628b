"""The published procedure: decompose, regress labels on each component, call components signal or nuisance.

Algorithm 1 of Kamai et al. (2026), "When to Align, When to Predict", as its published code runs it, plus prediction in the
other direction. Kept faithful, weaknesses included; `docs/published_procedure.md` lists them.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase._threads import single_threaded_blas
from crossphase.pair import PreparedPair, PreparedView
from crossphase.projection import project
from crossphase.ridge_cv import component_r2, shuffled_folds
from crossphase.signals import Signal, SignalRule, exceed_permutations, find_elbow
from crossphase.singular_vectors import leading_singular_vectors
from crossphase.spectra import coherence_of, equilibrated_whitener, prediction_operator_of

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
    r2: np.ndarray  # (n_components, n_labels), cross-validated, clipped to [0, 1]
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
    explained_x: float  # share of the labels' variance that X's leading principal components explain, cross-validated
    explained_y: float


def analyse_components(
    pair: PreparedPair, labels: np.ndarray, options: ComponentOptions, n_threads: int, backend: str | None = None
) -> ComponentAnalysis:
    """Run the six decompositions and classify their components; `labels` is numeric, ``(n_samples, n_labels)``."""
    judge = _Judge(pair, labels, options, n_threads, backend)
    components = _decompose(pair, options, n_threads, backend)
    decompositions, explained = {}, {}
    for name, found in components.items():  # one after the other: scores take n_samples rows
        scores = judge.scores(found)
        decompositions[name] = judge.decomposition(found.spectrum, scores)
        if name in ("svd_x", "svd_y"):
            explained[name] = judge.explained(scores)
    n = pair.n_samples
    return ComponentAnalysis(
        **decompositions,
        variances_x=components["svd_x"].spectrum ** 2 / n,
        variances_y=components["svd_y"].spectrum ** 2 / n,
        explained_x=explained["svd_x"],
        explained_y=explained["svd_y"],
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Components:
    """A spectrum and the weights, on prepared features, of each component's score on either side (None: no score)."""

    spectrum: np.ndarray
    weights_x: np.ndarray | None
    weights_y: np.ndarray | None


def _decompose(
    pair: PreparedPair, options: ComponentOptions, n_threads: int, backend: str | None
) -> dict[str, _Components]:
    """The six decompositions by their names in `ComponentAnalysis`, the leading components of each.

    Eight factorizations, one a thread: none needs more than the covariances and the whiteners.
    """
    cov, k = pair.covariances, options.n_components
    with single_threaded_blas(), ThreadPoolExecutor(n_threads) as pool:
        whitener_x = pool.submit(equilibrated_whitener, cov.cov_xx, ridge=options.ridge, backend=backend)
        whitener_y = pool.submit(equilibrated_whitener, cov.cov_yy, ridge=options.ridge, backend=backend)
        axes_x = pool.submit(_principal_axes, pair.x, cov.cov_xx, k)
        axes_y = pool.submit(_principal_axes, pair.y, cov.cov_yy, k)
        k_paired = min(k, *cov.cov_xy.shape)
        pls = pool.submit(leading_singular_vectors, cov.cov_xy, k_paired)
        cca = pool.submit(coherence_of, cov.cov_xy, whitener_x.result(), whitener_y.result(), k_paired)
        cp = pool.submit(prediction_operator_of, cov.cov_xy, whitener_x.result(), k_paired)
        cp_reverse = pool.submit(prediction_operator_of, cov.cov_xy.T, whitener_y.result(), k_paired)
    return {
        "svd_x": _Components(axes_x.result()[0], axes_x.result()[1], None),
        "svd_y": _Components(axes_y.result()[0], None, axes_y.result()[1]),
        "pls": _Components(pls.result().values, pls.result().left, pls.result().right),
        "cca": _Components(cca.result().correlations, cca.result().weights_x, cca.result().weights_y),
        "cp": _Components(cp.result().gains, cp.result().weights_x, None),
        "cp_reverse": _Components(cp_reverse.result().gains, None, cp_reverse.result().weights_x),
    }


def _principal_axes(view: PreparedView, cov: np.ndarray, n_components: int) -> tuple[np.ndarray, np.ndarray]:
    """Singular values and right singular vectors of a centred view, from its covariance."""
    n = view.samples.n_samples
    n_kept = min(n_components, view.n_prepared, n - 1)
    values, vectors = np.linalg.eigh(cov)
    return np.sqrt(n * np.maximum(values[::-1][:n_kept], 0.0)), vectors[:, ::-1][:, :n_kept]


def recover(spectrum: np.ndarray, signal: Signal) -> Recovery:
    """Separation of the signal's part of a spectrum from the rest."""
    values, others = spectrum[signal.is_signal], np.flatnonzero(~signal.is_signal)
    floor_index = int(others[spectrum[others].argmax()]) if len(others) else -1
    floor = float(spectrum[floor_index]) if len(others) else -np.inf
    if not len(values):
        return Recovery(0.0, 0, 0, floor, floor_index, float("nan"))
    smallest = float(values.min())
    # The published code compares with 1e-15 as it stands; relative to the spectrum the rule does not depend on units.
    delta = smallest / max(floor, 1e-15 * float(spectrum.max())) if len(others) else np.inf
    return Recovery(delta, int((values > floor).sum()), len(values), floor, floor_index, smallest)


class _Judge:
    """Views, labels, folds and permutations: the same for every decomposition."""

    def __init__(
        self, pair: PreparedPair, labels: np.ndarray, options: ComponentOptions, n_threads: int, backend: str | None
    ) -> None:
        n = len(labels)
        random = np.random.RandomState(PERMUTATION_SEED)
        self._pair = pair
        self._labels = labels
        self._folds = shuffled_folds(n, options.n_folds, FOLD_SEED)
        self._rows = np.stack([np.arange(n), *(random.permutation(n) for _ in range(options.n_permutations))])
        self._alpha = options.alpha
        self._run_on: dict[str, Any] = {"n_threads": n_threads, "backend": backend}

    def decomposition(self, spectrum: np.ndarray, scores: np.ndarray) -> Decomposition:
        """Regress the labels on every component and classify it by each rule."""
        r2 = component_r2(
            scores,
            self._labels,
            self._folds,
            self._alpha,
            permutations=self._rows,
            **self._run_on,
        )
        observed, shuffled = r2[0].copy(), r2[1:]
        signals = {
            SignalRule.ELBOW: find_elbow(observed, log_transform=False),
            SignalRule.ELBOW_LOG: find_elbow(observed, log_transform=True),
            SignalRule.PERMUTATION: exceed_permutations(observed, shuffled.max(axis=2), shuffled.sum(axis=2)),
        }
        return Decomposition(spectrum, observed, signals)

    def explained(self, scores: np.ndarray) -> float:
        """Sum over components of the R² of scores with unit variance, mean over labels: unlike `r2`, free of units.

        Principal components are uncorrelated, so their R² add up; their sum is cut at 1.
        """
        deviations = scores.std(axis=0)
        scaled = scores / np.where(deviations > 0, deviations, 1.0)
        r2 = component_r2(scaled, self._labels, self._folds, self._alpha, **self._run_on)
        return float(np.minimum(r2.sum(axis=0), 1.0).mean())

    def scores(self, components: _Components) -> np.ndarray:
        """``(n_samples, n_components, d)``: a score on one side, or one on either."""
        sides = [
            (view, view.on_features(weights))
            for view, weights in ((self._pair.x, components.weights_x), (self._pair.y, components.weights_y))
            if weights is not None
        ]
        scores = np.empty((len(self._labels), len(components.spectrum), len(sides)))
        for side, (view, weights) in enumerate(sides):
            project(view.samples, view.mean, weights, out=scores[:, :, side], **self._run_on)
        return scores
