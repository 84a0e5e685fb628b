"""From predictions on held-out rows to scores, and to how the errors of several candidates' scores hang together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class Resample:
    """One probe a candidate: trained on some labelled rows of the other folds, judged on the held-out rows of one."""

    rows: np.ndarray  # (n_held_out,): positions among the labelled rows
    outcomes: (
        np.ndarray
    )  # (n_candidates, n_held_out): 1 or 0 for a class hit or missed; squared errors of a measurement
    n_train: int  # labelled rows the probe was trained on


@dataclass(frozen=True, slots=True, eq=False)
class Scores:
    """Scores of all candidates with the covariance of their errors."""

    values: np.ndarray  # (n_candidates,): balanced accuracy, or R²
    covariance: np.ndarray  # (n_candidates, n_candidates)


def score_classes(
    resamples: Sequence[Resample], codes: np.ndarray, groups: np.ndarray | None, overlap: float
) -> Scores:
    """Balanced accuracy: the mean over classes of the share of held-out rows that are recognised.

    `codes` are the classes of the labelled rows, `groups` their groups, `overlap` the share of training labels that two
    resamples have in common.
    """
    judged, hits = _averaged(resamples, len(codes))
    present, classes, counts = np.unique(codes[judged], return_inverse=True, return_counts=True)
    indicator = np.zeros((len(judged), len(present)))
    indicator[np.arange(len(judged)), classes] = 1.0
    sums = hits @ indicator
    values = (sums / counts).mean(axis=1)
    # A class of a single row says nothing about its own spread: one row's worth of the overall rate is added to each.
    centre = (sums + hits.mean(axis=1, keepdims=True)) / (counts + 1)
    weights = len(judged) / (len(present) * counts)
    rate, weight = np.empty((len(hits), len(codes))), np.empty(len(codes))
    rate[:, judged], weight[judged] = centre[:, classes], weights[classes]

    def influences(outcomes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.asarray((outcomes - rate[:, rows]) * weight[rows])

    return Scores(values, _covariance(resamples, judged, hits, influences, groups, overlap))


def score_values(
    resamples: Sequence[Resample], values: np.ndarray, groups: np.ndarray | None, overlap: float
) -> Scores:
    """R²: one minus the mean squared error over the variance of the held-out values."""
    judged, errors = _averaged(resamples, len(values))
    squares = (values - values[judged].mean()) ** 2
    variance = squares[judged].mean()
    if variance == 0:  # nothing to explain on the judged rows
        n = len(errors)
        return Scores(np.full(n, np.nan), np.full((n, n), np.nan))
    shares = errors.mean(axis=1) / variance

    def influences(outcomes: np.ndarray, rows: np.ndarray) -> np.ndarray:
        return np.asarray((shares[:, None] * squares[rows] - outcomes) / variance)

    return Scores(1 - shares, _covariance(resamples, judged, errors, influences, groups, overlap))


def _averaged(resamples: Sequence[Resample], n_rows: int) -> tuple[np.ndarray, np.ndarray]:
    """The rows that were judged, and their outcomes averaged over resamples, shape (n_candidates, n_judged)."""
    sums, counts = np.zeros((len(resamples[0].outcomes), n_rows)), np.zeros(n_rows)
    for resample in resamples:
        sums[:, resample.rows] += resample.outcomes
        counts[resample.rows] += 1
    judged = np.flatnonzero(counts)
    return judged, sums[:, judged] / counts[judged]


def _covariance(  # type: ignore[no-untyped-def]
    resamples: Sequence[Resample],
    judged: np.ndarray,
    outcomes: np.ndarray,
    influences,
    groups: np.ndarray | None,
    overlap: float,
) -> np.ndarray:
    """Covariance of the errors of the candidates' scores.

    Two sources. Held-out rows: influence values, averaged over the resamples that judged a row, summed within groups.
    Training labels: what the scatter of the resamples' mean influences exceeds their rows' part by, as one factor for all
    differences between candidates, since a few resamples cannot tell the candidates' factors apart. The mean of J resamples
    that share a part `overlap` of their training labels keeps ``overlap + (1 - overlap) / J`` of it: the correction of
    Nadeau & Bengio (2003), Mach. Learn. 52, 239-281, applied to the part of the variance it is about, with the share of
    common labels, which they have to guess, known.
    """

    def clustered(values: np.ndarray, rows: np.ndarray) -> np.ndarray:
        n = values.shape[1]
        if groups is not None:
            codes = np.unique(groups[rows], return_inverse=True)[1]
            values = np.stack([np.bincount(codes, weights=row) for row in values])
        return np.asarray(values @ values.T / n**2)

    covariance = clustered(influences(outcomes, judged), judged)
    if len(resamples) < 2:
        return covariance
    each = [influences(resample.outcomes, resample.rows) for resample in resamples]
    within = np.mean([clustered(v, resample.rows) for v, resample in zip(each, resamples, strict=True)], axis=0)
    scatter = np.cov(np.array([v.mean(axis=1) for v in each]), rowvar=False)
    of_rows = _of_differences(within)
    excess = max(_of_differences(scatter) / of_rows - 1, 0.0) if of_rows > 0 else 0.0
    return np.asarray(covariance + excess * (overlap + (1 - overlap) / len(resamples)) * within)


def _of_differences(covariance: np.ndarray) -> float:
    """Variance of the difference between two candidates, summed over all pairs."""
    return float(len(covariance) * np.trace(covariance) - covariance.sum())
