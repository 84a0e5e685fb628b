"""What the subspace method needs to know about the rows: whitened covariances, and how unequal the rows are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from crossphase._threads import single_threaded_blas
from crossphase.covariances import Covariances
from crossphase.moments import CrossMoments
from crossphase.pair import PreparedPair
from crossphase.reference.moments import to_float64
from crossphase.samples import Samples
from crossphase.subspace.label_moments import LabelMoments
from crossphase.subspace.label_space import ViewLabels
from crossphase.subspace.separation import RowCounts
from crossphase.subspace.weighted_rows import blocks_of_rows, weighted_rows

_MOST_LEVERAGE_ROWS = 20_000  # evenly spaced; more would not change a mean over rows
_MOST_LEVERAGE_VALUES = 1 << 22  # of the wider view: 32 MiB
HEAVY = 1.1  # excess noise from which heavy-tailed rows are down-weighted
_N_REWEIGHTINGS = 2
_ROWS_PER_LABEL = 10  # labelled rows that every label direction has at least


@dataclass(frozen=True, slots=True, eq=False)
class PairStatistics:
    """Covariances of a pair in coordinates whitened by Cholesky factors, with their labels and noise."""

    coherence: np.ndarray  # (p, q)
    prediction: np.ndarray  # (p, q): whitened X with Y in prepared units
    prediction_reverse: np.ndarray  # (q, p): whitened Y with X in prepared units
    cov_xx: np.ndarray
    cov_yy: np.ndarray
    cov_xy: np.ndarray
    labels_x: ViewLabels
    labels_y: ViewLabels
    raw_labels_x: np.ndarray  # (p, m), covariance of X, in prepared units, with whitened labels
    raw_labels_y: np.ndarray
    label_whitener: np.ndarray  # (n_columns, m): from label columns to whitened labels
    rows: RowCounts
    excess_noise: (
        float  # by which factor unequal rows raise the noise in the coherence above that of equal ones, as given
    )
    is_reweighted: bool  # whether outlying rows were given less weight to lower it


def pair_statistics(
    pair: PreparedPair,
    labels: np.ndarray,
    is_labelled: np.ndarray,
    groups: np.ndarray | None,
    *,
    label_moments: LabelMoments | None = None,
    n_threads: int,
    backend: str | None,
) -> PairStatistics:
    """Statistics of a prepared pair; rows with heavy tails are given less weight first, if the views hold all of them.

    Parameters
    ----------
    labels : array, shape (n_rows, n_columns)
        Of the rows that the views hold.
    is_labelled : array of bool, shape (n_rows,)
    groups : array of int, shape (n_rows,), optional
        Rows of one group depend on each other.
    label_moments : LabelMoments, optional
        Where labels of more rows than the views hold were summed. Default: of those that they hold.

    Notes
    -----
    Weights are ``1 / max(1, d²)``, d² the row's squared Mahalanobis length over both views relative to the median: a
    one-sided Huber-type M-estimator (Maronna 1976, Ann. Stat. 4, 51-67). All covariances of an elliptical population keep
    their proportions, so correlations and ratios of gains do not change, but the noise of heavy tails does.
    """
    n = pair.x.samples.n_samples
    rows = _leverage_rows(n, max(pair.x.n_prepared, pair.y.n_prepared))
    with single_threaded_blas():
        weights = np.ones(n)
        covariances = pair.covariances
        whitened = _whiten(covariances)
        excess = _excess_noise(
            _squared_lengths(weighted_rows(pair.x, rows, weights), whitened.lower_x),
            _squared_lengths(weighted_rows(pair.y, rows, weights), whitened.lower_y),
            whitened.coherence,
        )
        # Weights for rows that were summed before cannot enter the sums any more.
        is_reweighted = excess > HEAVY and not pair.is_sampled
        if is_reweighted:
            for _ in range(_N_REWEIGHTINGS):
                weights = _reweighted(pair, covariances, weights)
                covariances = _weighted_covariances(pair, weights, n_threads, backend)
            weights, covariances = _in_units_of(pair.covariances, weights, covariances)
        if label_moments is None:
            label_moments = LabelMoments.from_rows(pair, labels, is_labelled, weights)
        return _statistics(
            pair, covariances, weights, labels, is_labelled, groups, label_moments, rows, excess, is_reweighted
        )


def _statistics(
    pair: PreparedPair,
    covariances: Covariances,
    weights: np.ndarray,
    labels: np.ndarray,
    is_labelled: np.ndarray,
    groups: np.ndarray | None,
    label_moments: LabelMoments,
    rows: np.ndarray,
    excess: float,
    is_reweighted: bool,
) -> PairStatistics:
    from scipy.linalg import solve_triangular  # noqa: PLC0415

    n_labelled = label_moments.n_labelled
    lower_x, lower_y, prediction, coherence = _whiten(covariances)
    prediction_reverse = solve_triangular(lower_y, covariances.cov_xy.T, lower=True)

    p, q = coherence.shape
    most = max(n_labelled // _ROWS_PER_LABEL, (n_labelled - max(p, q)) // 2, 1)
    whitener = _whitener(label_moments.cov, most)
    raw_x, raw_y = label_moments.cross_x @ whitener, label_moments.cross_y @ whitener

    def white_labels(rows: np.ndarray) -> np.ndarray:
        return np.asarray((labels[rows] - label_moments.mean) * np.sqrt(weights[rows])[:, None] @ whitener)

    at_known = is_labelled[rows]
    labels_of_known = white_labels(rows[at_known])
    views: list[ViewLabels] = []
    leverages: list[np.ndarray] = []
    for view, lower, raw in ((pair.x, lower_x, raw_x), (pair.y, lower_y, raw_y)):
        whitened = solve_triangular(lower, weighted_rows(view, rows, weights).T, lower=True).T
        leverage = np.square(whitened).sum(axis=1)
        leverages.append(leverage)
        covariance = solve_triangular(lower, raw, lower=True)
        residual = labels_of_known - whitened[at_known] @ covariance
        views.append(_view_labels(covariance, residual, leverage[at_known] / leverage.mean()))
    noise = max(1.0, _excess_noise(leverages[0], leverages[1], coherence))
    effects = _NO_EFFECTS
    if groups is not None:
        members = _rows_of_groups(groups, len(rows))
        x, y = (
            solve_triangular(lower, weighted_rows(view, members, weights).T, lower=True).T
            for view, lower in ((pair.x, lower_x), (pair.y, lower_y))
        )
        effects = _design_effects(x, y, white_labels(members), is_labelled[members], groups[members], views)
    pairs = pair.n_samples / (noise * effects.coherence)
    return PairStatistics(
        coherence=coherence,
        prediction=prediction,
        prediction_reverse=prediction_reverse,
        cov_xx=covariances.cov_xx,
        cov_yy=covariances.cov_yy,
        cov_xy=covariances.cov_xy,
        labels_x=views[0],
        labels_y=views[1],
        raw_labels_x=raw_x,
        raw_labels_y=raw_y,
        label_whitener=whitener,
        rows=RowCounts(pairs, min(n_labelled / (noise * effects.labels), pairs)),
        excess_noise=excess,
        is_reweighted=is_reweighted,
    )


def _view_labels(covariance: np.ndarray, residual: np.ndarray, relative_leverage: np.ndarray) -> ViewLabels:
    """Of residuals at labelled rows of a sample, in which there may be none: then rows are taken to be equal."""
    if not len(residual):
        return ViewLabels(covariance, np.eye(residual.shape[1]), np.eye(residual.shape[1]))
    weighted = residual * relative_leverage[:, None]
    return ViewLabels(covariance, weighted.T @ residual / len(residual), residual.T @ residual / len(residual))


def _leverage_rows(n: int, n_features: int) -> np.ndarray:
    most = min(_MOST_LEVERAGE_ROWS, max(_MOST_LEVERAGE_VALUES // n_features, 2 * n_features))
    return np.arange(0, n, max(1, -(-n // most)))


def _squared_lengths(rows: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Of rows whitened by a Cholesky factor of their covariance: n_samples times their leverages."""
    from scipy.linalg import solve_triangular  # noqa: PLC0415

    return np.asarray(np.square(solve_triangular(lower, rows.T, lower=True)).sum(axis=0))


class _Whitened(NamedTuple):
    """Cholesky factors of a pair's covariances, and the cross-covariance whitened by the first and by both."""

    lower_x: np.ndarray
    lower_y: np.ndarray
    prediction: np.ndarray
    coherence: np.ndarray


def _whiten(covariances: Covariances) -> _Whitened:
    from scipy.linalg import solve_triangular  # noqa: PLC0415

    lower_x, lower_y = np.linalg.cholesky(covariances.cov_xx), np.linalg.cholesky(covariances.cov_yy)
    prediction = solve_triangular(lower_x, covariances.cov_xy, lower=True)
    return _Whitened(lower_x, lower_y, prediction, solve_triangular(lower_y, prediction.T, lower=True).T)


def _excess_noise(leverage_x: np.ndarray, leverage_y: np.ndarray, coherence: np.ndarray) -> float:
    """By which factor the expected square of a sample coherence of unrelated views exceeds that of equal rows.

    ``E |C|² = Σ_i h_x,i h_y,i``, which is p q / n where all leverages are equal. Squared lengths of Gaussian rows are correlated
    as far as the views are, which makes the mean product larger by ``1 + 2 |C|² / (p q)`` without any noise; that is taken off.
    """
    product = np.mean(leverage_x * leverage_y) / (leverage_x.mean() * leverage_y.mean())
    return float(product / (1 + 2 * float(np.sum(coherence**2)) / coherence.size))


@dataclass(frozen=True, slots=True)
class _DesignEffects:
    """By which factors dependence within groups raises the noise of sample covariances."""

    coherence: float  # of the views with each other
    labels: float  # of a view with the labels: the larger of both views'


_NO_EFFECTS = _DesignEffects(1.0, 1.0)


def _rows_of_groups(groups: np.ndarray, most: int) -> np.ndarray:
    """All rows, or those of so many whole groups, evenly spaced, that there are about `most`."""
    if len(groups) <= most:
        return np.arange(len(groups))
    names = np.unique(groups)
    step = -(-len(groups) // most)
    return np.flatnonzero(np.isin(groups, names[::step]))


def _design_effects(
    x: np.ndarray,
    y: np.ndarray,
    white_labels: np.ndarray,
    is_labelled: np.ndarray,
    groups: np.ndarray,
    views: list[ViewLabels],
) -> _DesignEffects:
    """From whitened rows of whole groups. Labels that are constant within groups have the larger effect."""
    known = groups[is_labelled]
    of_labels = [
        _design_effect(rows[is_labelled], white_labels[is_labelled] - rows[is_labelled] @ view.covariance, known)
        for rows, view in zip((x, y), views, strict=True)
    ]
    return _DesignEffects(_design_effect(x, y, groups), max(of_labels))


def _design_effect(left: np.ndarray, right: np.ndarray, groups: np.ndarray) -> float:
    """The cluster-robust variance of a covariance over the plain one, ``Σ_g |S_g - n_g C|² / Σ_i |l_i r_i^T - C|²``, at least 1.

    ``S_g`` sums the outer products of a group's rows; m where every row comes m times. Liang & Zeger (1986), Biometrika 73,
    13-22.
    """
    if not len(left):
        return 1.0
    cross = left.T @ right / len(left)
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    clustered = sum(
        float(np.square(left[members].T @ right[members] - len(members) * cross).sum())
        for members in np.split(order, starts[1:])
    )
    plain = float(
        np.sum(np.square(left).sum(axis=1) * np.square(right).sum(axis=1)) - len(left) * np.square(cross).sum()
    )
    return max(1.0, clustered / plain) if plain > 0 else 1.0


def _reweighted(pair: PreparedPair, covariances: Covariances, weights: np.ndarray) -> np.ndarray:
    """One step of the M-estimator: weights from squared lengths under the covariances of the current weights."""
    n = len(weights)
    squares = np.zeros(n)
    for view, cov in ((pair.x, covariances.cov_xx), (pair.y, covariances.cov_yy)):
        lower = np.linalg.cholesky(cov)
        for rows in blocks_of_rows(view):
            features = view.features(to_float64(view.samples.values[rows]))
            squares_here = _squared_lengths(features, lower)
            # A row's own pull on the covariance shortens it; without the row it would be this long.
            squares[rows] += squares_here / np.maximum(1 - weights[rows] * squares_here / n, 0.05)
    return np.asarray(1 / np.maximum(1.0, squares / np.median(squares)))


def _weighted_covariances(pair: PreparedPair, weights: np.ndarray, n_threads: int, backend: str | None) -> Covariances:
    moments = CrossMoments(pair.x.n_prepared, pair.y.n_prepared, precision="f64", n_threads=n_threads, backend=backend)
    for rows in blocks_of_rows(pair.x, pair.y):
        parts = (weighted_rows(pair.x, rows, weights), weighted_rows(pair.y, rows, weights))
        moments._update_checked([Samples(part, "") for part in parts])
    return Covariances(moments.cov_xx, moments.cov_yy, moments.cov_xy)


def _in_units_of(plain: Covariances, weights: np.ndarray, weighted: Covariances) -> tuple[np.ndarray, Covariances]:
    """Weights, and covariances under them, scaled so that the views have the variance they have without weights."""
    scale = np.sqrt(
        np.trace(plain.cov_xx) / np.trace(weighted.cov_xx) * np.trace(plain.cov_yy) / np.trace(weighted.cov_yy)
    )
    return scale * weights, Covariances(scale * weighted.cov_xx, scale * weighted.cov_yy, scale * weighted.cov_xy)


def _whitener(cov: np.ndarray, most: int) -> np.ndarray:
    """Columns that make label columns uncorrelated with unit variance: their principal axes, those of most variance at most.

    More columns than the labelled rows can carry would be predicted perfectly whatever they are.
    """
    values, vectors = np.linalg.eigh(cov)
    kept = values > 1e-9 * values[-1]
    kept[: max(len(values) - most, 0)] = False
    return np.asarray(vectors[:, kept] / np.sqrt(values[kept]))
