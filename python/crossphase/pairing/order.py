"""Which stretches of rows agree less than the rest, or agree with their neighbours' partners."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase.pairing.scores import HeldOutScores, shifted

_LEAST_BLOCKS = 8  # fewer do not tell what is usual
_LEAST_Z = 5.0  # of a shifted agreement; up to 64 blocks times 10 shifts are looked at
_UNUSUAL = 6.0  # robust standard deviations below the usual agreement
_WIDEST_ERROR = 0.12  # of a block's agreement ratio; above it, neighbours are taken together
_LEAST_SHIFTED_RATIO = 0.5
_LEAST_SPREAD = 0.5  # of the usual: below, most of what the views share differs between blocks, not within
_LEAST_SCRAMBLED = 0.3  # share of the agreement found at other rows nearby


@dataclass(frozen=True, slots=True, eq=False)
class BlockAgreement:
    """Agreement within each block, centred on the block: 1 as everywhere, 0 as if shuffled."""

    ratio: np.ndarray  # (n_blocks,): agreement over what the correlations promise for the block's own spread
    error: np.ndarray  # (n_blocks,): its standard deviation under a shuffle of the block
    spread: np.ndarray  # (n_blocks,): variance of the agreeing directions in the block, over that in all rows


@dataclass(frozen=True, slots=True)
class Stretch:
    """Blocks ``first`` to ``last`` (inclusive) of the sample that look wrong in the same way."""

    first: int
    last: int
    shift: int  # 0: shuffled


def block_agreement(scores: HeldOutScores, shift: int = 0, joined: int = 1) -> BlockAgreement:
    """Agreement of rows i of X and i + shift of Y in every block, or in every `joined` consecutive blocks together.

    As E[v | u] = ρ u within a block as everywhere, the agreement to expect follows from the spread of either side's scores
    in it. Rows left over when blocks are joined are in none.
    """
    u, v = shifted(scores.x, scores.y, shift)
    n_blocks, m, k = u.shape
    n_groups = n_blocks // joined
    u, v = (z[: n_groups * joined].reshape(n_groups, m * joined, k) for z in (u, v))
    # Joined blocks mix the two fits, whose correlations differ little; each group takes their mean.
    own = scores.correlations[np.arange(n_groups) % 2] if joined == 1 else scores.correlations.mean(axis=0)
    weights = np.broadcast_to(own, (n_groups, k))
    u, v = u - u.mean(axis=1, keepdims=True), v - v.mean(axis=1, keepdims=True)
    m = m * joined
    scatter_u, scatter_v = (np.swapaxes(z, 1, 2) @ z / m for z in (u, v))
    variances_u, variances_v = (np.diagonal(s, axis1=1, axis2=2) for s in (scatter_u, scatter_v))
    promised = np.sqrt((weights**2 * variances_u).sum(axis=1) * (weights**2 * variances_v).sum(axis=1))
    agreement = np.einsum("bk,bmk,bmk->b", weights, u, v) / m
    error = np.sqrt(np.einsum("bk,bkl,bkl,bl->b", weights, scatter_u, scatter_v, weights) / max(m - 1, 1))
    known = promised > 0
    promised = np.where(known, promised, 1.0)
    return BlockAgreement(
        ratio=np.where(known, agreement / promised, 0.0),
        error=np.where(known, error / promised, np.inf),
        spread=promised / np.maximum((weights**2).sum(axis=1), np.finfo(float).tiny),
    )


def whole_shift(scores: HeldOutScores, max_shift: int) -> int:
    """The shift at which the rows of most blocks agree better than as they stand, beyond error; 0 if none.

    Neighbouring rows may resemble each other, so that views shifted by a row still agree; then less than they could.
    """
    n_blocks = scores.x.shape[0]
    if n_blocks < _LEAST_BLOCKS:
        return 0
    here = block_agreement(scores).ratio
    best, found = _LEAST_Z, 0
    for shift in _shifts(scores, max_shift):
        gain = block_agreement(scores, shift).ratio - here
        t = float(gain.mean() / max(gain.std(ddof=1) / np.sqrt(n_blocks), np.finfo(float).tiny))
        if t > best and np.median(gain) > 0:
            best, found = t, shift
    return found


def scrambled_share(scores: HeldOutScores, max_shift: int) -> float:
    """Share of the agreement that is at other rows nearby: windows of rows were shuffled. 0 unless that is beyond doubt.

    Where neighbouring rows of a view resemble each other, a neighbour's partner fits too; that much is taken off.
    """
    if scores.x.shape[0] < _LEAST_BLOCKS:
        return 0.0
    here = max(_mean_agreement(scores.x, scores.y, scores, 0)[0], 0.0)
    away, variance = 0.0, 0.0
    for shift in _shifts(scores, max_shift):
        there, error = _mean_agreement(scores.x, scores.y, scores, shift)
        # What neighbours share in both views cannot make them agree more than it makes them alike in each.
        alike = [_mean_agreement(z, z, scores, shift) for z in (scores.x, scores.y)]
        away += there - max(0.0, *(value for value, _ in alike))
        variance += error**2 + max(e for _, e in alike) ** 2
    if away <= _LEAST_Z * np.sqrt(variance):
        return 0.0
    share = away / (away + here)
    return share if share > _LEAST_SCRAMBLED else 0.0


def _mean_agreement(u: np.ndarray, v: np.ndarray, scores: HeldOutScores, shift: int) -> tuple[float, float]:
    """Weighted correlation of u's rows with v's, shifted, and its standard deviation for independent rows."""
    u, v = shifted(u - u.mean(axis=1, keepdims=True), v - v.mean(axis=1, keepdims=True), shift)
    weights = scores.correlations.mean(axis=0)
    total = float(weights.sum())
    if total == 0:
        return 0.0, np.inf
    products = (u * v) @ (weights / total)
    return float(products.mean()), float(products.std() / np.sqrt(products.size))


def wrong_stretches(scores: HeldOutScores, max_shift: int) -> list[Stretch]:
    """Stretches whose rows are shifted against each other or shuffled, in order; none if the sample is too small to say."""
    if scores.x.shape[0] < _LEAST_BLOCKS:
        return []
    shifts = _shifted_blocks(scores, max_shift)
    is_wrong = (shifts != 0) | _shuffled_blocks(scores)
    found: list[Stretch] = []
    for b in np.flatnonzero(is_wrong).tolist():
        shift = int(shifts[b])
        if found and found[-1].last == b - 1 and found[-1].shift == shift:
            found[-1] = Stretch(found[-1].first, b, shift)
        else:
            found.append(Stretch(b, b, shift))
    return found


def _shifts(scores: HeldOutScores, max_shift: int) -> list[int]:
    return [s for s in range(-max_shift, max_shift + 1) if s and scores.x.shape[1] > 2 * abs(s)]


def _shifted_blocks(scores: HeldOutScores, max_shift: int) -> np.ndarray:
    """For each block the shift at which its rows agree, 0 where they agree as they stand, or nowhere."""
    here = block_agreement(scores)
    best, shifts = here.ratio.copy(), np.zeros(len(here.ratio), dtype=np.intp)
    for shift in _shifts(scores, max_shift):
        there = block_agreement(scores, shift)
        is_better = (
            (there.ratio > _LEAST_Z * there.error)
            & (there.ratio - here.ratio > _LEAST_Z * np.hypot(there.error, here.error))
            & (there.ratio > _LEAST_SHIFTED_RATIO)
            & (there.ratio > best)
        )
        best[is_better], shifts[is_better] = there.ratio[is_better], shift
    return shifts


def _shuffled_blocks(scores: HeldOutScores) -> np.ndarray:
    """Blocks that agree no more than a shuffle would, far below what is usual among the others."""
    n_blocks = scores.x.shape[0]
    joined = 1
    agreement = block_agreement(scores)
    while np.median(agreement.error) > _WIDEST_ERROR and n_blocks // (2 * joined) >= _LEAST_BLOCKS:
        joined *= 2
        agreement = block_agreement(scores, joined=joined)
    flags = np.zeros(n_blocks, dtype=bool)
    flags[: n_blocks // joined * joined] = np.repeat(_is_unusual(agreement), joined)
    return flags


def _is_unusual(agreement: BlockAgreement) -> np.ndarray:
    ratio, error = agreement.ratio, agreement.error
    is_shuffle_like = ratio < 3 * error
    usual = ratio[~is_shuffle_like]
    if len(usual) < _LEAST_BLOCKS // 2:
        return np.zeros(len(ratio), dtype=bool)
    centre = float(np.median(usual))
    # Spread from the blocks above the centre alone: rows sorted by class differ much from block to block, and those above
    # show it, whatever was shuffled below.
    spread = 1.4826 * float(np.median(usual[usual >= centre] - centre))
    is_far_below = ratio < centre - _UNUSUAL * np.hypot(spread, error)
    # A block of one class alone has little of what the views share, and need not agree in the rest.
    return np.asarray(is_shuffle_like & is_far_below & (agreement.spread > _LEAST_SPREAD))
