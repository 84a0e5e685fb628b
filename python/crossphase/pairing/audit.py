"""``audit_pairing``: from two sample matrices to a verdict on their row order."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crossphase._scalars import check_integer
from crossphase._seeds import Seed, derived_generator, seed_sequence
from crossphase._threads import resolve_n_threads, single_threaded_blas
from crossphase.errors import InputValueError
from crossphase.matching import as_ids
from crossphase.pairing.dependence import find_shift, permutation_test
from crossphase.pairing.duplicates import DuplicateRows, find_duplicates
from crossphase.pairing.misplaced import MisplacedShare, misplaced_share
from crossphase.pairing.order import Stretch, block_agreement, scrambled_share, whole_shift, wrong_stretches
from crossphase.pairing.result import PairingAudit, PairingVerdict, SuspiciousRows, offset_row
from crossphase.pairing.scores import HeldOutScores, WhitenedBlocks, held_out_scores, whitened_blocks
from crossphase.readers import read_samples
from crossphase.samples import as_samples, require_finite, require_same_rows

LEVEL = 0.01  # a destroyed pairing passes for one in this share of data sets
_LEAST_ROWS = 10
_LEAST_PERMUTATIONS = 199  # two tests, each at LEVEL / 2, need that many
_SKETCH, _SHUFFLES, _CANDIDATES = range(3)  # streams of the seed
_MUCH = 0.25  # share of rows that could be out of place, above which the reason says so


def audit_pairing(
    X: Any,
    Y: Any,
    *,
    ids_x: Any = None,
    ids_y: Any = None,
    groups: Any = None,
    max_shift: int = 5,
    n_permutations: int = 199,
    rng: Seed = 0,
    n_threads: int | None = None,
) -> PairingAudit:
    """Does row i of X belong to row i of Y?

    Parameters
    ----------
    X, Y : array of shape (n_samples, n_features_x) and (n_samples, n_features_y), or path of a ``.npy`` file
        float16, bfloat16, float32 or float64; memory maps are read a few rows at a time.
    ids_x, ids_y : sequence of strings or integers, shape (n_samples,), optional
        Names of the samples; row for row they must agree (`crossphase.match_rows` makes them).
    groups : sequence of strings or integers, shape (n_samples,), optional
        Subjects, donors, stars: duplicates within one group are harmless where folds respect groups.
    max_shift : int, default 5
        Offsets between the views' rows looked for, in both directions.
    n_permutations : int, default 199
        Whole-row shuffles of Y; at least 199.
    rng : int, SeedSequence or Generator, default 0
        Of the shuffles, the sketch of views wider than 1024 columns, and the candidates that partners are ranked among.
    n_threads : int, optional
        Of the search for NaN. Default: ``CROSSPHASE_NUM_THREADS``, else one a core.

    Returns
    -------
    PairingAudit
        "unpaired": the views show no dependence that shuffled rows would not (p > .01), so either the order of rows is lost
        or the views share nothing linear that this many rows can show. "shifted", "partly_paired": rows agree with their
        neighbours' partners, or stretches agree only as shuffled rows do while the others agree, or rows that fit badly have
        found partners elsewhere. "paired": none of these.

    Raises
    ------
    InputValueError, InputTypeError
        As `crossphase.diagnose` for X and Y; ids that disagree in a row; fewer than 10 rows.

    Notes
    -----
    At most 4096 rows are examined, in 64 runs of consecutive rows spread evenly (fewer of views wider than 4096 columns), so
    wrong stretches shorter than 1/64 of the rows may hide between them; duplicates are looked for among all rows. Directions
    are fitted to every other run and judged on the rest; everything is linear, after whitening. Wrong stretches are looked
    for from 128 rows on, and not where most of what the views share differs between runs, as in rows sorted by class.
    Rows misplaced here and there are found only if scores tell partners apart; else `misplaced_high` bounds their share,
    rows exchanged for others much like them excepted.

    References
    ----------
    Canonical scores: Hotelling (1936), Biometrika 28, 321-377. Share of misplaced rows: Storey (2002), J. R. Stat. Soc. B 64,
    479-498.

    Examples
    --------
    >>> from crossphase import audit_pairing
    >>> from crossphase.demo_data import load_demo
    >>> X, Y, _ = load_demo()
    >>> print(audit_pairing(X, Y).verdict, audit_pairing(X, Y[::-1]).verdict)
    paired unpaired
    """
    n_permutations = check_integer(n_permutations, "n_permutations", least=_LEAST_PERMUTATIONS)
    max_shift = check_integer(max_shift, "max_shift", least=0, most=16)
    seed = seed_sequence(rng)
    threads = resolve_n_threads(n_threads)
    x, y = (
        as_samples(read_samples(v, name) if isinstance(v, str | os.PathLike) else v, name)
        for v, name in ((X, "X"), (Y, "Y"))
    )
    require_same_rows(x, y)
    if x.n_samples < _LEAST_ROWS:
        raise InputValueError(f"X and Y must have at least {_LEAST_ROWS} rows; got {x.n_samples}. Collect more pairs.")
    for view in (x, y):
        require_finite(view, threads)
    _require_equal_ids(ids_x, ids_y, x.n_samples)
    group_numbers = None if groups is None else np.unique(as_ids(groups, "groups", x.n_samples), return_inverse=True)[1]

    with single_threaded_blas():
        blocks = whitened_blocks(x, y, derived_generator(seed, _SKETCH))
        for view, directions in ((x, blocks.x), (y, blocks.y)):
            if directions.shape[2] == 0:
                raise InputValueError(
                    f"{view.name} is constant: none of its {view.n_features} columns varies in the {blocks.n_rows} rows "
                    "examined. Check how it was made."
                )
        scores = held_out_scores(blocks)
        dependence = permutation_test(blocks, scores, n_permutations, derived_generator(seed, _SHUFFLES))
        if dependence.p_value > LEVEL:
            finding = _without_dependence(blocks, max_shift)
        else:
            share = misplaced_share(blocks, scores, derived_generator(seed, _CANDIDATES))
            finding = _with_dependence(blocks, scores, dependence.held_out_z, share, max_shift)
    duplicates = find_duplicates(x, y, group_numbers)
    return PairingAudit(
        verdict=finding.verdict,
        reason=finding.reason,
        p_value=dependence.p_value,
        held_out_z=dependence.held_out_z,
        held_out_correlations=scores.correlations.mean(axis=0),
        shift=finding.shift,
        suspicious_rows=tuple(_as_rows(stretch, blocks, scores) for stretch in finding.stretches),
        misplaced_low=finding.share.low,
        misplaced_high=finding.share.high,
        duplicates=duplicates,
        warnings=_about_duplicates(duplicates),
        n_samples=x.n_samples,
        n_examined=blocks.n_rows,
        n_permutations=n_permutations,
    )


def at_positions(audit: PairingAudit, positions: np.ndarray) -> PairingAudit:
    """The audit of a sample of rows, in ascending order, with every row it names by its position among all."""

    def moved(pairs: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
        return tuple((int(positions[row]), int(positions[earlier])) for row, earlier in pairs)

    found = audit.duplicates
    duplicates = replace(
        found, first_x=moved(found.first_x), first_y=moved(found.first_y), first_both=moved(found.first_both)
    )
    suspicious = tuple(
        replace(rows, start=int(positions[rows.start]), stop=int(positions[rows.stop - 1]) + 1)
        for rows in audit.suspicious_rows
    )
    return replace(audit, suspicious_rows=suspicious, duplicates=duplicates, warnings=_about_duplicates(duplicates))


def _require_equal_ids(ids_x: Any, ids_y: Any, n_samples: int) -> None:
    if (ids_x is None) != (ids_y is None):
        raise InputValueError("ids_x and ids_y belong together; got only one of them.")
    if ids_x is None:
        return
    mine, theirs = as_ids(ids_x, "ids_x", n_samples), as_ids(ids_y, "ids_y", n_samples)
    differ = np.flatnonzero(mine != theirs)
    if len(differ):
        row = int(differ[0])
        raise InputValueError(
            f"ids_x and ids_y must name the same sample in every row; row {row} is {mine[row]!s} in X and {theirs[row]!s} in Y "
            f"({len(differ)} of {n_samples} rows differ). crossphase.match_rows(ids_x, ids_y) puts them in common order."
        )


@dataclass(frozen=True, slots=True)
class _Finding:
    verdict: PairingVerdict
    reason: str
    share: MisplacedShare
    shift: int = 0
    stretches: tuple[Stretch, ...] = ()


def _without_dependence(blocks: WhitenedBlocks, max_shift: int) -> _Finding:
    found = find_shift(blocks, max_shift)
    if found is not None:
        shift, z = found
        reason = f"taken so, the views agree (z = {z:.0f}); as they stand they do not"
        return _Finding(PairingVerdict.SHIFTED, _shifted_by(shift, reason), MisplacedShare(1.0, 1.0), shift)
    reason = (
        "The views depend on each other no more than with their rows shuffled. Either the rows are not in the same order, or "
        f"the views share nothing linear that {blocks.n_rows} rows can show: a correlation below about "
        f"{_smallest_detectable(blocks):.2g} would not."
    )
    return _Finding(PairingVerdict.UNPAIRED, reason, MisplacedShare(0.0, 1.0))


def _with_dependence(
    blocks: WhitenedBlocks, scores: HeldOutScores, z: float, share: MisplacedShare, max_shift: int
) -> _Finding:
    shift = whole_shift(scores, max_shift)
    nearby = scores
    if not shift and share.high > 0.5:  # directions fitted to rows that are not paired may hide where they are
        refitted = find_shift(blocks, max_shift)
        shift = refitted[0] if refitted is not None and refitted[1] > 2 * z else 0
        nearby = held_out_scores(blocks, within=max_shift)
    if shift:
        reason = "taken so, the views agree better; as they stand, no more than rows that resemble their neighbours do"
        return _Finding(PairingVerdict.SHIFTED, _shifted_by(shift, reason), MisplacedShare(0.5, 1.0), shift)
    stretches = tuple(wrong_stretches(scores, max_shift))
    if stretches:
        low = sum(s.last - s.first + 1 for s in stretches) / blocks.n_blocks
        reason = (
            f"The views agree, but not everywhere: about {low:.0%} of the rows, in the stretches below, do not agree with their "
            "own partners. Check how the two files were sorted, filtered and joined there, or match rows by ids."
        )
        share = MisplacedShare(max(low, share.low), max(low, share.high))
        return _Finding(PairingVerdict.PARTLY_PAIRED, reason, share, stretches=stretches)
    scrambled = scrambled_share(nearby, max_shift)
    if scrambled:
        reason = (
            f"Rows agree with partners of rows nearby ({scrambled:.0%} of the agreement within {max_shift} rows), more than "
            "neighbours resemble each other: windows of rows were shuffled in one view. Match rows by ids."
        )
        share = MisplacedShare(max(scrambled, share.low), max(scrambled, share.high))
        return _Finding(PairingVerdict.PARTLY_PAIRED, reason, share)
    if share.low > 0:
        reason = (
            f"The views agree, but at least {max(share.low, 0.001):.1%} of the rows fit badly with their own partners and far "
            "better with other rows': some rows were permuted. Match rows by ids."
        )
        return _Finding(PairingVerdict.PARTLY_PAIRED, reason, share)
    reason = "Rows agree with their partners, and nothing suggests that some belong elsewhere."
    if share.high > _MUCH:
        reason += f" The agreement is too weak, though, to rule out that up to {share.high:.0%} of them do."
    return _Finding(PairingVerdict.PAIRED, reason, share)


def _shifted_by(shift: int, why: str) -> str:
    first, second = ("Y", "X") if shift > 0 else ("X", "Y")
    rows = "row" if abs(shift) == 1 else f"{abs(shift)} rows"
    return (
        f"Row i of X belongs to row {offset_row(shift)} of Y: {why}. If {first} has {rows} too many at its start, drop them, "
        f"and the last of {second}."
    )


def _smallest_detectable(blocks: WhitenedBlocks) -> float:
    """Correlation at which a direction emerges from noise in half the rows: Bao, Hu, Pan & Zhou (2019)."""
    n = blocks.n_rows / 2
    c_x, c_y = blocks.x.shape[2] / n, blocks.y.shape[2] / n
    return float(((c_x * c_y) / ((1 - c_x) * (1 - c_y))) ** 0.25)


def _as_rows(stretch: Stretch, blocks: WhitenedBlocks, scores: HeldOutScores) -> SuspiciousRows:
    return SuspiciousRows(
        start=int(blocks.starts[stretch.first]),
        stop=int(blocks.starts[stretch.last]) + blocks.block_rows,
        shift=stretch.shift,
        agreement=float(block_agreement(scores).ratio[stretch.first : stretch.last + 1].mean()),
    )


def _about_duplicates(found: DuplicateRows) -> tuple[tuple[str, str], ...]:
    if not found.n_across_groups:
        return ()
    views = (
        ("both views", found.n_both, found.first_both),
        ("X", found.n_x, found.first_x),
        ("Y", found.n_y, found.first_y),
    )
    counts = "; ".join(f"{n} in {view} (row {first[0][0]} repeats row {first[0][1]})" for view, n, first in views if n)
    sentence = (
        f"Some rows repeat earlier ones exactly: {counts}. Folds that hold a row and its copy make held-out numbers too good; "
        f"keep copies together with groups= (this audit's duplicates.groups has {found.n_groups} groups)."
    )
    return (("duplicate_rows", sentence),)
