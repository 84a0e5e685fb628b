"""How many rows, scattered over the sample, have another row's partner."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase.pairing.scores import HeldOutScores, WhitenedBlocks, held_out_scores

_N_CANDIDATES = 256  # partners each row's own is ranked among: shares to half a percent
_SUSPECT = 0.1  # share of candidates that fit better, above which a row's partner may be another's
_LEAST_SUSPECTS = 20
_MOST_ORPHANS = 0.5  # of the rows: that many are expected of views that are not paired at all
_LEAST_Z = 4.0  # of partners found at other rows, beyond those that settled rows seem to offer
_LEAST_INFORMATION = 0.5  # of log(suspects): what scores must tell about a partner to pick it out at all


@dataclass(frozen=True, slots=True)
class MisplacedShare:
    """Share of rows whose partner is elsewhere, between two bounds."""

    low: float  # shown by partners found at other rows
    high: (
        float  # twice the rows whose partner fits worse than the median candidate; rows that merely fit badly count too
    )


def misplaced_share(blocks: WhitenedBlocks, scores: HeldOutScores, rng: np.random.Generator) -> MisplacedShare:
    """Bounds on the share of rows that are out of place.

    Notes
    -----
    A row that got a random partner fits it worse than the median candidate with probability 1/2, so twice the share of such
    rows (orphans) bounds from above: Storey (2002), J. R. Stat. Soc. B 64, 479-498. It does not see rows whose partner was
    exchanged for one much like it (a neighbour in time, the same class). A row may also fit badly because it is
    noisy. What tells misplaced from noisy: orphans and other suspects that are each other's best partner, more of them than
    suspects find among as many rows that fit their own. They are looked for after a second fit, without the orphans.
    """
    is_orphan = _ranks(scores, rng).reshape(blocks.n_blocks, blocks.block_rows) > 0.5
    n_orphans = int(is_orphan.sum())
    high = min(1.0, 2 * (n_orphans + 2 * np.sqrt(n_orphans + 1)) / blocks.n_rows)
    # Too few orphans to show anything, or too many in one of the halves to fit it without them.
    if n_orphans < _LEAST_Z**2 or max(is_orphan[half::2].mean() for half in (0, 1)) > _MOST_ORPHANS:
        return MisplacedShare(0.0, high)
    return MisplacedShare(min(high, _shown_share(blocks, ~is_orphan, rng)), high)


def _shown_share(blocks: WhitenedBlocks, is_trusted: np.ndarray, rng: np.random.Generator) -> float:
    scores = held_out_scores(blocks, trusted=is_trusted)
    ranks = _ranks(scores, rng)
    suspects, settled = np.flatnonzero(ranks > _SUSPECT), np.flatnonzero(ranks <= _SUSPECT)
    information = -0.5 * np.log1p(-(scores.correlations**2)).sum(axis=1).min()
    n_suspects = len(suspects)
    if not _LEAST_SUSPECTS <= n_suspects <= len(settled) or information < _LEAST_INFORMATION * np.log(n_suspects):
        return 0.0
    is_orphan = ranks[suspects] > 0.5
    found = int((_are_mutual_best(scores, suspects, suspects) & is_orphan).sum())
    control = rng.choice(settled, n_suspects, replace=False)  # none of these is a suspect's partner
    chance = int((_are_mutual_best(scores, suspects, control) & is_orphan).sum())
    error = np.sqrt(found + chance + 1)
    # Half the misplaced rows are orphans. Two errors off: this is a lower bound.
    return 2 * (found - chance - 2 * error) / len(ranks) if found - chance > _LEAST_Z * error else 0.0


class _LogRatios:
    """Log-likelihood ratios, paired against independent, of Gaussian scores with the held-out correlations of one fit."""

    def __init__(self, scores: HeldOutScores, fit: int) -> None:
        rho = scores.correlations[fit]
        k = len(rho)
        u, v = scores.by_fit_x[fit].reshape(-1, k), scores.by_fit_y[fit].reshape(-1, k)
        self._u, self._v = u * (rho / (1 - rho**2)), v
        square = rho**2 / (2 * (1 - rho**2))
        self._of_u = -0.5 * np.log1p(-(rho**2)).sum() - u**2 @ square
        self._of_v = -(v**2) @ square

    def own(self, rows: np.ndarray) -> np.ndarray:
        products = np.einsum("ij,ij->i", self._u[rows], self._v[rows])
        return np.asarray(products + self._of_u[rows] + self._of_v[rows])

    def of_all(self, rows: np.ndarray, candidates: np.ndarray) -> np.ndarray:
        found: np.ndarray = self._u[rows] @ self._v[candidates].T
        found += self._of_u[rows, None]
        found += self._of_v[candidates]
        return found


def _ranks(scores: HeldOutScores, rng: np.random.Generator) -> np.ndarray:
    """For each sampled row the share of random candidates that fit it better than its own partner."""
    n_blocks, m = scores.by_fit_x.shape[1:3]
    ranks = np.empty(n_blocks * m)
    for fit in (0, 1):
        rows = (np.arange(fit, n_blocks, 2)[:, None] * m + np.arange(m)).ravel()  # those the fit has not seen
        ratios = _LogRatios(scores, fit)
        candidates = rng.choice(rows, min(_N_CANDIDATES, len(rows)), replace=False)
        ranks[rows] = (ratios.of_all(rows, candidates) > ratios.own(rows)[:, None]).mean(axis=1)
    return ranks


def _are_mutual_best(scores: HeldOutScores, rows: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """For each row whether some candidate, not itself, is its best partner beyond chance and it that candidate's."""
    m = scores.by_fit_x.shape[2]
    ratios = np.empty((len(rows), len(candidates)))
    for fit in (0, 1):
        mine = (rows // m) % 2 == fit
        ratios[mine] = _LogRatios(scores, fit).of_all(rows[mine], candidates)
    ratios[rows[:, None] == candidates] = -np.inf
    best = ratios.argmax(axis=1)
    positions = np.arange(len(rows))
    # Of as many independent candidates none exceeds this on average: the mean of a likelihood ratio is 1.
    is_good = ratios[positions, best] > np.log(len(candidates))
    return np.asarray(is_good & (ratios.argmax(axis=0)[best] == positions))
