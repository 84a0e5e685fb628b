"""What labels covary with: summed over the rows at hand, or read off the moments of a pass over more of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from crossphase.moments import CrossMoments
from crossphase.pair import PreparedPair
from crossphase.precision import null_variance_of
from crossphase.subspace.weighted_rows import blocks_of_rows, weighted_rows


@dataclass(frozen=True, slots=True, eq=False)
class LabelMoments:
    """Sums over labelled rows, all divided by `n_labelled`; prepared features are about their mean over all rows."""

    n_labelled: int
    mean: np.ndarray  # (n_columns,)
    cov: np.ndarray  # (n_columns, n_columns)
    cross_x: np.ndarray  # (n_prepared_x, n_columns), of X with the labels about their mean
    cross_y: np.ndarray  # (n_prepared_y, n_columns)

    @classmethod
    def from_rows(cls, pair: PreparedPair, labels: np.ndarray, is_labelled: np.ndarray, weights: np.ndarray) -> Self:
        """Of the rows that the pair's views hold, with weights."""
        n_labelled, n_columns = int(is_labelled.sum()), labels.shape[1]
        mean = np.average(labels[is_labelled], axis=0, weights=weights[is_labelled])
        cov = np.zeros((n_columns, n_columns))
        cross_x, cross_y = (np.zeros((view.n_prepared, n_columns)) for view in (pair.x, pair.y))
        for rows in blocks_of_rows(pair.x, pair.y):
            known = rows[is_labelled[rows]]
            if len(known):
                centred = (labels[known] - mean) * np.sqrt(weights[known])[:, None]
                cov += centred.T @ centred
                cross_x += weighted_rows(pair.x, known, weights).T @ centred
                cross_y += weighted_rows(pair.y, known, weights).T @ centred
        return cls(n_labelled, mean, cov / n_labelled, cross_x / n_labelled, cross_y / n_labelled)

    @classmethod
    def from_moments(cls, pair: PreparedPair, moments: CrossMoments, n_columns: int) -> Self:
        """Of all rows that `moments` has seen.

        Parameters
        ----------
        moments : CrossMoments
            Of ``[X Y L]``, or of ``[X Y L d]`` where some rows have no label: L is 0 in these, and d tells labelled rows (1)
            from them (0).

        Notes
        -----
        With ``d L = L`` and ``d² = d``, sums over labelled rows are sums over all: labels about their mean m over labelled rows
        are ``L - d m``, 0 where a row has none, so ``Σ_labelled (x - mean_x)(l - m)^T = Σ (x - mean_x)(L - d m)^T``. The columns
        ``L - d m`` are ``[L d] T`` with ``T = [I; -m^T]`` and have mean 0 over all rows. Hence both sums are the covariances of
        x and of ``[L d]`` with ``[L d]``, times T, times n - 1.
        """
        n = moments.n_samples
        of_columns = moments.mean_labels
        to_centred, share = np.eye(n_columns), 1.0
        mean = of_columns
        if moments.n_labels > n_columns:
            share = float(of_columns[n_columns])
            mean = of_columns[:n_columns] / share
            to_centred = np.vstack([to_centred, -mean])
        n_labelled = round(n * share)
        by_labelled = (n - 1) / n_labelled
        cov = by_labelled * (to_centred.T @ moments.cov_ll @ to_centred)
        keep = by_labelled * to_centred @ _onto_varying(cov, null_variance_of(moments))
        return cls(
            n_labelled,
            mean,
            keep.T @ moments.cov_ll @ keep / by_labelled,
            pair.x.of_features(moments.cov_xl @ keep),
            pair.y.of_features(moments.cov_yl @ keep),
        )


def _onto_varying(cov: np.ndarray, null_variance: float) -> np.ndarray:
    """A map of columns onto those of their directions that vary by more than the errors of the sums; `cov` is theirs.

    Classes sum to one in every row: sums of low precision give that direction a variance, and covariances, of their own.
    """
    deviations = np.sqrt(np.diag(cov))
    scale = np.where(deviations > 0, deviations, 1.0)  # a class may be in no row that was summed
    values, vectors = np.linalg.eigh(cov / scale / scale[:, None])
    varying = vectors[:, values > null_variance]
    return np.asarray((varying / scale[:, None]) @ (varying * scale[:, None]).T)
