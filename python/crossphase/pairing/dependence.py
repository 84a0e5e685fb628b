"""Do the views depend on each other more than with their rows shuffled?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase.pairing.scores import HeldOutScores, WhitenedBlocks, held_out_scores

_MOST_OPERATIONS = 6e7  # of the shuffled cross-covariances, all together: about ten milliseconds
_LEAST_Z_OF_SHIFT = 5.0  # ten shifts are tried: chance reaches this in one of 350 000 data sets


@dataclass(frozen=True, slots=True)
class DependenceTest:
    """Observed dependence against whole-row permutations of Y."""

    p_value: float
    held_out_z: float  # held-out agreement in standard deviations of shuffled pairings


def permutation_test(
    blocks: WhitenedBlocks, scores: HeldOutScores, n_permutations: int, rng: np.random.Generator
) -> DependenceTest:
    """Two permutation tests, Bonferroni-corrected: one strong where columns are many, one where rows are few.

    The first is the agreement of canonical scores on the odd blocks, fitted to the even ones; it uses every direction. The
    second is total dependence in nested spaces of leading principal components, whitened and not, the largest standardised
    value counting; it uses every row.
    """
    p_value = _held_out_p(scores, n_permutations, rng)
    if p_value > 1 / (n_permutations + 1):  # else the other test could not lower it
        p_value = min(p_value, _total_dependence_p(blocks, n_permutations, rng))
    return DependenceTest(min(1.0, 2 * p_value), agreement_z(scores))


def _total_dependence_p(blocks: WhitenedBlocks, n_permutations: int, rng: np.random.Generator) -> float:
    n = blocks.n_rows
    most = max(2, int(np.sqrt(_MOST_OPERATIONS / (n * n_permutations))))
    u, v = (np.ascontiguousarray(z[:, :, :most]).reshape(n, -1) for z in (blocks.x, blocks.y))
    weights = np.outer(blocks.variances_x[:most], blocks.variances_y[:most])
    sizes = [2**j for j in range(12) if 2 ** (j - 1) < min(u.shape[1], v.shape[1])]

    def statistics(shuffled: np.ndarray) -> list[float]:
        squares = np.square(u.T @ shuffled)
        return [*(squares[:size, :size].sum() for size in sizes), (weights * squares).sum()]

    found = np.array([statistics(v), *(statistics(v[rng.permutation(n)]) for _ in range(n_permutations))])
    # The observed values take part in their own standardisation: all n_permutations + 1 are then exchangeable under the null.
    deviations = found.std(axis=0)
    largest = ((found - found.mean(axis=0)) / np.where(deviations > 0, deviations, 1.0)).max(axis=1)
    return float((largest >= largest[0]).mean())


def _held_out_p(scores: HeldOutScores, n_permutations: int, rng: np.random.Generator) -> float:
    k = scores.fitted.shape[1]
    u = (scores.by_fit_x[1, 1::2] * scores.fitted[1]).reshape(-1, k)
    v = scores.by_fit_y[1, 1::2].reshape(-1, k)
    observed = np.vdot(u, v)
    n_as_large = sum(np.vdot(u, v[rng.permutation(len(v))]) >= observed for _ in range(n_permutations))
    return float((1 + n_as_large) / (n_permutations + 1))


def agreement_z(scores: HeldOutScores) -> float:
    """Held-out agreement over its exact standard deviation under random pairings; of the two fits the smaller."""
    values = []
    for fit in (0, 1):
        u = (scores.by_fit_x[fit, fit::2] * scores.fitted[fit]).reshape(-1, scores.fitted.shape[1])
        v = scores.by_fit_y[fit, fit::2].reshape(u.shape)
        variance = ((u.T @ u) * (v.T @ v)).sum() / max(len(v) - 1, 1)
        values.append(np.vdot(u, v) / np.sqrt(variance) if variance > 0 else 0.0)
    return float(min(values))


def find_shift(blocks: WhitenedBlocks, max_shift: int) -> tuple[int, float] | None:
    """The offset of Y's rows at which the views depend on each other, if there is one, and its z.

    For views that do not depend row by row: each offset gets its own fit.
    """
    found = {
        shift: agreement_z(held_out_scores(blocks, shift=shift))
        for shift in range(-max_shift, max_shift + 1)
        if shift and blocks.block_rows > 2 * abs(shift)
    }
    best = max(found, key=lambda shift: found[shift], default=0)
    return (best, found[best]) if best and found[best] > _LEAST_Z_OF_SHIFT else None
