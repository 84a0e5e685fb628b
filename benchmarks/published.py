"""The published estimator in plain NumPy, loops included: what crossphase is timed and checked against.

A port of ``estimate_parameters`` of the published code of Kamai, Van Assel, Regev, Perets & Balestriero (2026), "When
to Align, When to Predict", arXiv:2606.11190. It shares no code with crossphase. Every component is regressed on the
labels fold by fold and permutation by permutation, rows are picked by boolean masks each time, and all label columns
share one fit: none of it is hoisted out of the loops.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

ALPHA = 1.0  # ridge of the label regressions
RIDGE = 1e-6  # added to the diagonal of both covariances
SMALLEST_EIGENVALUE = 1e-12
FOLD_SEED = 42
PERMUTATION_SEED = 12345
CLASSIFIERS = ("elbow", "elbow_log", "permutation")
DECOMPOSITIONS = ("svd_x", "svd_y", "pls", "cca", "cp_direct")


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """The components that one classifier calls signal."""

    is_signal: np.ndarray  # (n_components,), bool
    strength: float  # NaN for the permutation classifier, as is the threshold
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class Components:
    """One decomposition, classified."""

    spectrum: np.ndarray  # (n_components,), descending
    r2: np.ndarray  # (n_components, n_labels)
    signals: dict[str, Signal]  # by classifier


@dataclass(frozen=True, slots=True)
class Estimates:
    """The numbers that one classifier leads to."""

    kappa: float
    nu: float
    gamma_x: float
    gamma_y: float
    gamma_tilde_x: float
    gamma_tilde_y: float
    delta_ca_composite: float
    delta_cp_composite: float
    delta_ca_direct: float
    delta_cp_direct: float
    regime_direct: str
    regime_composite: str
    variance_alignment_x: float
    variance_alignment_y: float
    overlap_svd_pls_x: float
    overlap_svd_pls_y: float
    overlap_pls_cca: float
    floor_ca: float
    floor_cp: float
    n_recovered_ca: int
    n_recovered_cp: int


@dataclass(frozen=True, slots=True, eq=False)
class PublishedResult:
    """Everything the port computes; prediction runs from X to Y only."""

    svd_x: Components
    svd_y: Components
    pls: Components
    cca: Components
    cp_direct: Components
    estimates: dict[str, Estimates]  # by classifier


def estimate_parameters(
    X: np.ndarray,
    Y: np.ndarray,
    labels: np.ndarray,
    n_components: int = 50,
    n_folds: int = 5,
    n_permutations: int = 30,
) -> PublishedResult:
    """Run the five decompositions and the three classifiers on ``(n, p)``, ``(n, q)`` and numeric ``(n, n_labels)``."""
    x, y = X - X.mean(axis=0), Y - Y.mean(axis=0)
    test_masks = make_cv_folds(len(x), n_folds)
    cov_xx, cov_yy, cov_xy = x.T @ x / len(x), y.T @ y / len(x), x.T @ y / len(x)

    def classified(spectrum: np.ndarray, scores: list[np.ndarray]) -> Components:
        return _classify_all(spectrum, scores, labels, test_masks, n_permutations)

    svd_x = classified(*_unimodal_svd(x, n_components))
    svd_y = classified(*_unimodal_svd(y, n_components))
    pls = classified(*_pls_analysis(x, y, cov_xy, n_components))
    cca = classified(*_cca_analysis(x, y, cov_xx, cov_yy, cov_xy, n_components))
    cp_direct = classified(*_cp_direct_analysis(x, cov_xx, cov_xy, n_components))
    estimates = {name: _derive_params(svd_x, svd_y, pls, cca, cp_direct, name, len(x)) for name in CLASSIFIERS}
    return PublishedResult(svd_x, svd_y, pls, cca, cp_direct, estimates)


# Cross-validated R² ---------------------------------------------------------------------------------------------------


def make_cv_folds(n_samples: int, n_folds: int) -> list[np.ndarray]:
    """A boolean test mask for each fold: consecutive pieces of a shuffled index."""
    order = np.arange(n_samples)
    np.random.RandomState(FOLD_SEED).shuffle(order)
    masks = []
    for test_rows in np.array_split(order, n_folds):
        mask = np.zeros(n_samples, dtype=bool)
        mask[test_rows] = True
        masks.append(mask)
    return masks


def r2_ridge_1d(score: np.ndarray, labels: np.ndarray, test_masks: list[np.ndarray]) -> np.ndarray:
    """R² of each label column from one score, shape (n_labels,)."""
    errors, totals = np.zeros(labels.shape[1]), np.zeros(labels.shape[1])
    for is_test in test_masks:
        x_train, y_train = score[~is_test], labels[~is_test]
        x_test, y_test = score[is_test], labels[is_test]
        x_mean, y_mean = x_train.mean(), y_train.mean(axis=0)
        x_centred, y_centred = x_train - x_mean, y_train - y_mean
        weights = x_centred @ y_centred / (x_centred @ x_centred + ALPHA)
        predicted = y_mean + np.outer(x_test - x_mean, weights)
        errors += ((y_test - predicted) ** 2).sum(axis=0)
        totals += ((y_test - y_test.mean(axis=0)) ** 2).sum(axis=0)
    return _clipped_r2(errors, totals)


def r2_ridge_2d(scores: np.ndarray, labels: np.ndarray, test_masks: list[np.ndarray]) -> np.ndarray:
    """R² of each label column from two scores jointly, ``scores`` of shape (n, 2)."""
    errors, totals = np.zeros(labels.shape[1]), np.zeros(labels.shape[1])
    for is_test in test_masks:
        x_train, y_train = scores[~is_test], labels[~is_test]
        x_test, y_test = scores[is_test], labels[is_test]
        x_mean, y_mean = x_train.mean(axis=0), y_train.mean(axis=0)
        x_centred, y_centred = x_train - x_mean, y_train - y_mean
        gram = x_centred.T @ x_centred + ALPHA * np.eye(scores.shape[1])
        weights = np.linalg.solve(gram, x_centred.T @ y_centred)
        predicted = y_mean + (x_test - x_mean) @ weights
        errors += ((y_test - predicted) ** 2).sum(axis=0)
        totals += ((y_test - y_test.mean(axis=0)) ** 2).sum(axis=0)
    return _clipped_r2(errors, totals)


def _clipped_r2(errors: np.ndarray, totals: np.ndarray) -> np.ndarray:
    has_spread = totals > 1e-15
    r2 = 1.0 - errors / np.where(has_spread, totals, 1.0)
    return np.where(has_spread, np.maximum(np.nan_to_num(r2), 0.0), 0.0)


def r2_of_components(scores: list[np.ndarray], labels: np.ndarray, test_masks: list[np.ndarray]) -> np.ndarray:
    """R² of every component, one after the other; shape (n_components, n_labels)."""
    rows = []
    for score in scores:
        fit: Callable[..., np.ndarray] = r2_ridge_1d if score.ndim == 1 else r2_ridge_2d
        rows.append(fit(score, labels, test_masks))
    return np.array(rows)


# Decompositions: each returns a spectrum and one score (or pair of scores) a component --------------------------------


def _unimodal_svd(z: np.ndarray, n_components: int) -> tuple[np.ndarray, list[np.ndarray]]:
    u, values, _ = np.linalg.svd(z, full_matrices=False)
    n_kept = min(n_components, z.shape[1], len(z) - 1)
    return values[:n_kept], [u[:, i] * values[i] for i in range(n_kept)]


def _pls_analysis(
    x: np.ndarray, y: np.ndarray, cov_xy: np.ndarray, n_components: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    u, values, vt = np.linalg.svd(cov_xy, full_matrices=False)
    n_kept = min(n_components, *cov_xy.shape)
    return values[:n_kept], [np.column_stack([x @ u[:, i], y @ vt[i]]) for i in range(n_kept)]


def _cca_analysis(
    x: np.ndarray, y: np.ndarray, cov_xx: np.ndarray, cov_yy: np.ndarray, cov_xy: np.ndarray, n_components: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    whitener_x, whitener_y = _inverse_root(cov_xx), _inverse_root(cov_yy)
    u, values, vt = np.linalg.svd(whitener_x @ cov_xy @ whitener_y, full_matrices=False)
    n_kept = min(n_components, *cov_xy.shape)
    scores = [np.column_stack([x @ (whitener_x @ u[:, i]), y @ (whitener_y @ vt[i])]) for i in range(n_kept)]
    return np.clip(values[:n_kept], 0.0, 1.0), scores


def _cp_direct_analysis(
    x: np.ndarray, cov_xx: np.ndarray, cov_xy: np.ndarray, n_components: int
) -> tuple[np.ndarray, list[np.ndarray]]:
    whitener_x = _inverse_root(cov_xx)
    _, values, vt = np.linalg.svd(cov_xy.T @ whitener_x, full_matrices=False)
    n_kept = min(n_components, *cov_xy.shape)
    return values[:n_kept], [x @ (whitener_x @ vt[i]) for i in range(n_kept)]


def _inverse_root(cov: np.ndarray) -> np.ndarray:
    values, vectors = np.linalg.eigh(cov + RIDGE * np.eye(len(cov)))
    return vectors @ np.diag(1.0 / np.sqrt(np.maximum(values, SMALLEST_EIGENVALUE))) @ vectors.T


# Classifiers ----------------------------------------------------------------------------------------------------------


def _classify_all(
    spectrum: np.ndarray,
    scores: list[np.ndarray],
    labels: np.ndarray,
    test_masks: list[np.ndarray],
    n_permutations: int,
) -> Components:
    r2 = r2_of_components(scores, labels, test_masks)
    signals = {
        "elbow": _classify_signal_elbow(r2, log_transform=False),
        "elbow_log": _classify_signal_elbow(r2, log_transform=True),
        "permutation": _classify_signal_permutation(r2, scores, labels, test_masks, n_permutations),
    }
    return Components(spectrum, r2, signals)


def _classify_signal_elbow(r2: np.ndarray, *, log_transform: bool) -> Signal:
    sums = r2.sum(axis=1)
    n = len(sums)
    if n < 2:
        return Signal(np.ones(n, dtype=bool), 0.0, float(sums[0]) if n else 0.0)
    if sums.max() <= 0:
        return Signal(np.zeros(n, dtype=bool), 0.0, 0.0)
    order = np.argsort(sums)[::-1]
    ranked = sums[order]
    heights = np.log(ranked + max(0.01 * ranked.min(), 1e-12)) if log_transform else ranked
    ranks = np.arange(n, dtype=float)
    best_split, best_error = 1, np.inf
    for split in range(1, n):
        error = _line_error(ranks[:split], heights[:split]) + _line_error(ranks[split:], heights[split:])
        if error < best_error:
            best_split, best_error = split, error
    single_error = _line_error(ranks, heights)
    is_signal = np.zeros(n, dtype=bool)
    is_signal[order[:best_split]] = True
    strength = max(1.0 - best_error / single_error, 0.0) if single_error > 1e-15 else 0.0
    return Signal(is_signal, strength, float(ranked[best_split - 1]))


def _line_error(ranks: np.ndarray, heights: np.ndarray) -> float:
    if len(ranks) < 2:
        return 0.0
    return float(((heights - np.polyval(np.polyfit(ranks, heights, 1), ranks)) ** 2).sum())


def _classify_signal_permutation(
    r2: np.ndarray, scores: list[np.ndarray], labels: np.ndarray, test_masks: list[np.ndarray], n_permutations: int
) -> Signal:
    random = np.random.RandomState(PERMUTATION_SEED)  # starts afresh for every decomposition
    largest, summed = [], []
    for _ in range(n_permutations):
        shuffled = labels[random.permutation(len(labels))]
        null_r2 = r2_of_components(scores, shuffled, test_masks)
        largest.append(null_r2.max(axis=1))
        summed.append(null_r2.sum(axis=1))
    exceeds_largest = r2.max(axis=1) > np.quantile(np.concatenate(largest), 0.95)
    exceeds_summed = r2.sum(axis=1) > np.quantile(np.concatenate(summed), 0.95)
    return Signal(exceeds_largest | exceeds_summed, float("nan"), float("nan"))


# What follows from the classified components --------------------------------------------------------------------------


def _derive_params(
    svd_x: Components,
    svd_y: Components,
    pls: Components,
    cca: Components,
    cp_direct: Components,
    classifier: str,
    n_samples: int,
) -> Estimates:
    signal_x, signal_y, signal_pls, signal_cca, signal_cp = (
        part.signals[classifier].is_signal for part in (svd_x, svd_y, pls, cca, cp_direct)
    )
    variances_x, variances_y = svd_x.spectrum**2 / n_samples, svd_y.spectrum**2 / n_samples
    kappa2 = _mean_or_zero(pls.spectrum[signal_pls])
    nu = _trimmed_max(cca.spectrum[~signal_cca])
    gamma_x = max(_mean_or_zero(variances_x[signal_x]) - kappa2, 0.0)
    gamma_y = max(_mean_or_zero(variances_y[signal_y]) - kappa2, 0.0)
    gamma_tilde_x, gamma_tilde_y = _mean_or_zero(variances_x[~signal_x]), _mean_or_zero(variances_y[~signal_y])
    rho = kappa2 / np.sqrt(max((kappa2 + gamma_x) * (kappa2 + gamma_y), 1e-15))
    tau = kappa2 / np.sqrt(max(kappa2 + gamma_x, 1e-15))
    xi = nu * np.sqrt(max(gamma_tilde_y, 1e-15))
    composite_ca = 0.0 if kappa2 == 0 else np.inf if nu == 0 else rho / nu
    composite_cp = 0.0 if kappa2 == 0 else np.inf if nu == 0 else tau / xi
    direct_ca, direct_cp = _direct_delta(cca.spectrum, signal_cca), _direct_delta(cp_direct.spectrum, signal_cp)
    floor_ca, n_recovered_ca = _recovery_count(cca.spectrum, signal_cca)
    floor_cp, n_recovered_cp = _recovery_count(cp_direct.spectrum, signal_cp)
    return Estimates(
        kappa=float(np.sqrt(kappa2)),
        nu=nu,
        gamma_x=gamma_x,
        gamma_y=gamma_y,
        gamma_tilde_x=gamma_tilde_x,
        gamma_tilde_y=gamma_tilde_y,
        delta_ca_composite=float(composite_ca),
        delta_cp_composite=float(composite_cp),
        delta_ca_direct=direct_ca,
        delta_cp_direct=direct_cp,
        regime_direct=_classify_regime(direct_ca, direct_cp),
        regime_composite=_classify_regime(composite_ca, composite_cp),
        variance_alignment_x=_variance_alignment(variances_x, signal_x),
        variance_alignment_y=_variance_alignment(variances_y, signal_y),
        overlap_svd_pls_x=_signal_set_overlap(signal_x, signal_pls),
        overlap_svd_pls_y=_signal_set_overlap(signal_y, signal_pls),
        overlap_pls_cca=_signal_set_overlap(signal_pls, signal_cca),
        floor_ca=floor_ca,
        floor_cp=floor_cp,
        n_recovered_ca=n_recovered_ca,
        n_recovered_cp=n_recovered_cp,
    )


def _mean_or_zero(values: np.ndarray) -> float:
    return float(values.mean()) if len(values) else 0.0


def _trimmed_max(values: np.ndarray) -> float:
    if len(values) == 0:
        return 0.0
    ranked = np.sort(values)
    return float(ranked[-1] if len(values) < 3 else ranked[-2])


def _direct_delta(spectrum: np.ndarray, is_signal: np.ndarray) -> float:
    if not is_signal.any():
        return 0.0
    if is_signal.all():
        return float("inf")
    return float(spectrum[is_signal].min() / max(spectrum[~is_signal].max(), 1e-15))


def _recovery_count(spectrum: np.ndarray, is_signal: np.ndarray) -> tuple[float, int]:
    floor = -np.inf if is_signal.all() else float(spectrum[~is_signal].max())
    return floor, int((spectrum[is_signal] > floor).sum())


def _variance_alignment(variances: np.ndarray, is_signal: np.ndarray) -> float:
    leading = np.sort(variances)[::-1][: int(is_signal.sum())].sum()
    return float(variances[is_signal].sum() / leading) if leading >= 1e-15 else 0.0


def _signal_set_overlap(one: np.ndarray, other: np.ndarray) -> float:
    n = min(len(one), len(other))
    one, other = one[:n], other[:n]
    smaller = min(one.sum(), other.sum())
    return float((one & other).sum() / smaller) if smaller else 0.0


def _classify_regime(delta_ca: float, delta_cp: float) -> str:
    if delta_ca > 1:
        return "Both" if delta_cp > 1 else "CA only"
    return "CP only" if delta_cp > 1 else "Neither"
