"""What the audit looks at: canonical scores of sampled rows, each from a fit to other rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase.reference.moments import to_float64
from crossphase.samples import Samples

_BLOCK_ROWS = 64
_MOST_BLOCKS = 64  # so at most 4096 rows are looked at: enough for every correlation above .1
_MOST_VALUES = 1 << 24  # of one view at once, 128 MiB: fewer blocks of very wide views, though no fewer than 8
_LEAST_BLOCKS = 16  # of at least _LEAST_BLOCK_ROWS
_LEAST_BLOCK_ROWS = 16
_ROWS_PER_DIRECTION = 6  # of half the sample; fewer let chance correlations drown weak ones
_MOST_COMPONENTS = 16
_SKETCH_FROM = 1024  # columns; a wider covariance costs more than all the rest
_LARGEST_SCORE = 4.0  # standard deviations: beyond, one outlying row would speak for its whole block
_LARGEST_CORRELATION = 0.98  # keeps log-likelihood ratios finite for identical views


@dataclass(frozen=True, slots=True, eq=False)
class WhitenedBlocks:
    """Sampled runs of consecutive rows of both views, all of one length: uncorrelated directions of unit variance."""

    x: np.ndarray  # (n_blocks, block_rows, rank_x), directions by falling variance of the standardised columns
    y: np.ndarray  # (n_blocks, block_rows, rank_y)
    variances_x: np.ndarray  # (rank_x,), of those directions, descending
    variances_y: np.ndarray
    starts: np.ndarray  # (n_blocks,): where in the views each block begins

    @property
    def n_blocks(self) -> int:
        return int(self.x.shape[0])

    @property
    def block_rows(self) -> int:
        return int(self.x.shape[1])

    @property
    def n_rows(self) -> int:
        return self.n_blocks * self.block_rows


@dataclass(frozen=True, slots=True, eq=False)
class HeldOutScores:
    """Canonical scores by two fits, to the odd and to the even blocks; each is judged on the other blocks."""

    by_fit_x: (
        np.ndarray
    )  # (2, n_blocks, block_rows, k), mean 0 and variance 1 on the blocks b with b % 2 == fit; clipped
    by_fit_y: np.ndarray
    correlations: np.ndarray  # (2, k), on those blocks, which the fit has not seen; in [0, .98]
    fitted: np.ndarray  # (2, k), what the fit promised
    x: np.ndarray  # (n_blocks, block_rows, k), each block by the fit that has not seen it
    y: np.ndarray


def whitened_blocks(x: Samples, y: Samples, rng: np.random.Generator) -> WhitenedBlocks:
    """Blocks of consecutive rows spread evenly over the views, whitened; they hold nearly all rows if those are few."""
    n = x.n_samples
    affordable = _MOST_VALUES // (_BLOCK_ROWS * max(x.n_features, y.n_features))
    most_blocks = min(_MOST_BLOCKS, max(8, affordable))
    n_blocks = min(max(n // _BLOCK_ROWS, min(_LEAST_BLOCKS, n // _LEAST_BLOCK_ROWS), 2), most_blocks)
    n_rows = n // n_blocks if n < _BLOCK_ROWS * most_blocks else _BLOCK_ROWS
    starts = np.linspace(0, n - n_rows, n_blocks).astype(np.intp)
    n_directions = max(1, n_blocks * n_rows // 2 // _ROWS_PER_DIRECTION)
    (zx, variances_x), (zy, variances_y) = (
        _whitened(_rows_of_blocks(view, starts, n_rows), n_directions, rng) for view in (x, y)
    )
    shape = (n_blocks, n_rows, -1)
    return WhitenedBlocks(
        zx.reshape(*shape[:2], zx.shape[1]), zy.reshape(*shape[:2], zy.shape[1]), variances_x, variances_y, starts
    )


def _rows_of_blocks(view: Samples, starts: np.ndarray, n_rows: int) -> np.ndarray:
    """(len(starts) * n_rows, n_features), float64, in C order whatever the view's: sums then have the same bits."""
    rows = np.empty((len(starts) * n_rows, view.n_features))
    for b, start in enumerate(starts):
        rows[b * n_rows : (b + 1) * n_rows] = to_float64(view.values[start : start + n_rows])
    return rows


def _whitened(rows: np.ndarray, n_directions: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Leading principal components of the standardised columns, scaled to unit variance; their variances."""
    rows /= np.maximum(np.abs(rows).max(axis=0), np.finfo(np.float64).tiny)  # squares of 1e200 stay finite
    rows -= rows.mean(axis=0)
    n = len(rows)
    deviations = np.sqrt(np.einsum("ij,ij->j", rows, rows) / n)
    varies = deviations > 4 * np.finfo(np.float64).eps
    rows = rows[:, varies] / deviations[varies]
    p = rows.shape[1]
    if p == 0:
        return np.zeros((n, 0)), np.zeros(0)
    if p > _SKETCH_FROM:
        # Two power iterations on a random sketch: Halko, Martinsson & Tropp (2011), SIAM Review 53, algorithm 4.4.
        basis = np.linalg.qr(rows @ rng.standard_normal((p, min(n_directions + 16, n, 256))))[0]
        for _ in range(2):
            basis = np.linalg.qr(rows @ (rows.T @ basis))[0]
        rows = rows @ np.linalg.qr(rows.T @ basis)[0]
    variances, axes = np.linalg.eigh(rows.T @ rows / n)
    variances, axes = variances[::-1], axes[:, ::-1]
    kept = min(n_directions, int((variances > 1e-8 * variances[0]).sum()))
    scores = rows @ (axes[:, :kept] / np.sqrt(variances[:kept]))
    return scores, variances[:kept]


def held_out_scores(
    blocks: WhitenedBlocks, *, shift: int = 0, within: int = 0, trusted: np.ndarray | None = None
) -> HeldOutScores:
    """Scores of the sampled rows from two canonical analyses.

    The whitening is shared and knows nothing of the pairing; only directions are fitted. With `shift` ℓ, row i of X is
    paired with row i + ℓ of Y, and rows without such a partner in their block are left out. With `within` w, directions are
    fitted to, and correlations told with, the sum of the partners of rows at most w away. Only `trusted` rows, a mask
    ``(n_blocks, block_rows)`` for shift 0, are fitted to and tell the correlations.
    """
    x, y = shifted(blocks.x, blocks.y, shift)
    partners = y if within == 0 else _sums_nearby(y, within)
    n_blocks, n_rows = x.shape[:2]
    k = min(_MOST_COMPONENTS, x.shape[2], y.shape[2])
    by_fit_x, by_fit_y = np.empty((2, n_blocks, n_rows, k)), np.empty((2, n_blocks, n_rows, k))
    correlations, fitted = np.empty((2, k)), np.empty((2, k))
    for fit in (0, 1):
        seen = ... if trusted is None else trusted[1 - fit :: 2]
        seen_x, seen_y = (z[1 - fit :: 2][seen].reshape(-1, z.shape[2]) for z in (x, partners))
        left, values, right = np.linalg.svd(seen_x.T @ seen_y / len(seen_x), full_matrices=False)
        by_fit_x[fit] = _standardised(x @ left[:, :k], fit)
        by_fit_y[fit] = _standardised(y @ right[:k].T, fit)
        judged = ... if trusted is None else trusted[fit::2]
        partner_scores = by_fit_y[fit] if within == 0 else _standardised(partners @ right[:k].T, fit)
        correlations[fit] = (by_fit_x[fit, fit::2] * partner_scores[fit::2])[judged].reshape(-1, k).mean(axis=0)
        fitted[fit] = values[:k]
    blocks_in_order = np.arange(n_blocks)
    held_out_x, held_out_y = (by_fit[blocks_in_order % 2, blocks_in_order] for by_fit in (by_fit_x, by_fit_y))
    correlations = np.clip(correlations, 0.0, _LARGEST_CORRELATION)
    return HeldOutScores(by_fit_x, by_fit_y, correlations, fitted, held_out_x, held_out_y)


def _sums_nearby(y: np.ndarray, within: int) -> np.ndarray:
    """For each row the sum of the rows of its block at most `within` away."""
    sums = y.copy()
    for shift in range(1, within + 1):
        sums[:, shift:] += y[:, :-shift]
        sums[:, :-shift] += y[:, shift:]
    return sums


def shifted(x: np.ndarray, y: np.ndarray, shift: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows i of x and i + shift of y, block by block, where both exist: views of the ``(n_blocks, block_rows, k)`` arrays."""
    n_rows = x.shape[1] - abs(shift)
    return x[:, max(0, -shift) :][:, :n_rows], y[:, max(0, shift) :][:, :n_rows]


def _standardised(scores: np.ndarray, fit: int) -> np.ndarray:
    for _ in range(2):  # clipping moves both moments a little
        judged = scores[fit::2]
        deviations = judged.std(axis=(0, 1))
        scores = (scores - judged.mean(axis=(0, 1))) / np.where(deviations > 0, deviations, 1.0)
        np.clip(scores, -_LARGEST_SCORE, _LARGEST_SCORE, out=scores)
    return scores
