"""Do two views share any linear signal at all, and in how many directions?"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from crossphase._scalars import check_choice, check_integer, check_number
from crossphase._seeds import Seed, derived_generator, seed_sequence
from crossphase._threads import resolve_n_threads, single_threaded_blas
from crossphase.canonical_tests import canonical_tests, largest_root_level
from crossphase.canonical_theory import population_correlation, smallest_detectable_correlation
from crossphase.errors import InputValueError
from crossphase.principal_scores import PrincipalScores, principal_scores
from crossphase.resampling import CanonicalResamples, Permutations, SignFlips
from crossphase.row_blocks import block_rows, check_groups, group_blocks
from crossphase.samples import as_samples, require_finite, require_same_rows

_STREAM = 0x73687264  # "shrd": keeps these streams apart from others of the same seed
_MOST_DIRECTIONS = 200  # of a view: beyond, the test costs more than it tells
_LEAST_ROWS = 8
_TIE = 1e-9  # relative: a resample that repeats the data must count as reaching it, whatever the rounding


class SharedSignalTest(StrEnum):
    """Where the null law of the correlations comes from."""

    SIGN_FLIP = "sign_flip"
    PERMUTATION = "permutation"
    TRACY_WIDOM = "tracy_widom"


@dataclass(frozen=True, slots=True, eq=False)
class SharedSignal:
    """How many directions two views share beyond chance, with the evidence for each."""

    n_directions: int  # leading directions with a p-value of at most `level`
    p_values: np.ndarray  # (n_tested,): up to the first above `level`; those behind it are at least as large
    correlations: np.ndarray  # (min(rank_x, rank_y),), descending: canonical correlations of the sample, inflated
    population_correlations: np.ndarray  # (n_directions,): without the inflation
    null_level: float  # the largest correlation without any shared signal exceeds it with probability `level`
    smallest_detectable: float  # population correlation below which no test of the correlations sees it
    rank_x: int  # principal components tested, all there are unless rows are few
    rank_y: int
    n_samples: int
    n_units: int  # rows, or groups, or blocks of these, that were exchanged or flipped; 0 for Tracy-Widom
    n_resamples: int  # 0 for Tracy-Widom
    method: SharedSignalTest
    level: float

    @property
    def is_any(self) -> bool:
        """Whether there is any shared signal."""
        return self.n_directions > 0


def count_shared_directions(
    X: Any,
    Y: Any,
    *,
    groups: Any = None,
    method: str = "sign_flip",
    level: float = 0.05,
    n_resamples: int = 199,
    rng: Seed = 0,
    n_threads: int | None = None,
) -> SharedSignal:
    """Test, one after the other, how many canonical correlations of two views are more than chance.

    Parameters
    ----------
    X, Y : array of shape (n_samples, n_features_x) and (n_samples, n_features_y)
        float16, bfloat16, float32 or float64; row i of one belongs to row i of the other. At least 8 rows.
    groups : array of shape (n_samples,), optional
        Whose the row is (subject, star, batch, original of a duplicate). Rows of one group may depend on each other: groups
        are flipped or exchanged whole, so the test is as honest as there are groups, however many rows they have. At least
        7 groups at the level .05.
    method : {"sign_flip", "permutation", "tracy_widom"}
        What chance is. ``sign_flip``: the rows of X change sign at random (in blocks, where more than 256). Right for
        uncorrelated views even where they share a scale, as with heavy-tailed rows or varying noise; exact where rows are
        symmetric about their mean, near it otherwise. ``permutation``: rows of X change places; exact if the views are
        *independent*, far too eager if they share a row's scale, and groups must all have the same size.
        ``tracy_widom``: the law of the largest root, for independent Gaussian rows only; no resampling.
    level : float, in (0, 1), default .05
        False-alarm rate of "any shared signal", and of each direction too many.
    n_resamples : int, default 199
        Sign flips or permutations. The smallest p-value is ``1 / (n_resamples + 1)``, which must not exceed `level`.
    rng : int, numpy.random.SeedSequence or numpy.random.Generator, default 0
    n_threads : int, optional
        Default: ``CROSSPHASE_NUM_THREADS``, else one a core. Results do not depend on it.

    Returns
    -------
    SharedSignal

    Raises
    ------
    InputValueError, InputTypeError
        Inputs that `diagnose` would refuse; too few rows or groups; groups of unequal size with ``permutation``.

    Notes
    -----
    Each view is replaced by its principal components (columns scaled to unit variance), chosen without a look at the other
    view: all of them if both together are at most half the rows and each at most 200, else the leading tenth of the rows,
    200 at most. Step k takes the first k pairs of canonical variates out of both views and compares the largest remaining
    correlation with resamples of what remains, from which the same is taken out; a p-value never falls below an earlier
    one. The resamples of an earlier step correlate more as a rule, so a step draws its own only where those would not do:
    p-values below `level` may be too large. Testing stops at the first direction that may be chance.

    False alarms at the level .05 (``benchmarks/accuracy/calibration.py``, standard error .01): of any signal, .04 to .07 with
    every kind of rows tried; of a direction too many behind three shared ones, .04 with Gaussian rows, but .10 with 400 rows
    of Student t with 5 degrees of freedom: with tails as heavy, the last directions counted deserve doubt.

    References
    ----------
    Winkler, Renaud, Smith & Nichols (2020), NeuroImage 220, 117065 (steps, closure). Winkler et al. (2014), NeuroImage 92,
    381-397 (sign flips, whole blocks). Johnstone (2008), Ann. Stat. 36, 2638-2716.
    """
    x, y = (as_samples(values, name) for values, name in ((X, "X"), (Y, "Y")))
    require_same_rows(x, y)
    threads = resolve_n_threads(n_threads)
    for samples in (x, y):
        require_finite(samples, threads)
    options = checked_options(method, level, n_resamples)
    return count_in_scores(principal_scores(x), principal_scores(y), groups, options, rng, threads)


@dataclass(frozen=True, slots=True)
class SharedSignalOptions:
    """How to test."""

    method: SharedSignalTest
    level: float
    n_resamples: int


def checked_options(method: Any, level: Any, n_resamples: Any) -> SharedSignalOptions:
    """Options of these values, or a sentence."""
    chosen = check_choice(method, "method", SharedSignalTest)
    alpha = check_number(level, "level", above=0, below=1)
    count = check_integer(n_resamples, "n_resamples", least=1, most=10**6)
    least = math.ceil(1 / alpha - 1e-9) - 1
    if chosen is not SharedSignalTest.TRACY_WIDOM and count < least:
        raise InputValueError(
            f"n_resamples must be at least {least} for a level of {alpha:g}, as no p-value is below 1 / (n_resamples + 1); "
            f"got {count}."
        )
    return SharedSignalOptions(chosen, alpha, count)


def count_in_scores(
    x: PrincipalScores, y: PrincipalScores, groups: Any, options: SharedSignalOptions, rng: Seed, n_threads: int
) -> SharedSignal:
    """`count_shared_directions` of views whose principal components are known."""
    n = x.samples.n_samples
    if n < _LEAST_ROWS:
        raise InputValueError(f"at least {_LEAST_ROWS} rows are needed to test for shared signal; got {n}.")
    rank_x, rank_y = _tested_ranks(n, x.rank, y.rank)
    codes = None if groups is None else check_groups(groups, n)
    seed = seed_sequence(rng)
    generator = derived_generator(seed, _STREAM)
    with single_threaded_blas():
        if options.method is SharedSignalTest.SIGN_FLIP:
            blocks = block_rows(n, codes)
            _require_units(len(blocks), options.level, "groups" if codes is not None else "rows")
            products, sums = blocks.cross_products(x, y, rank_x, rank_y)
            resamples: CanonicalResamples = SignFlips(products, sums, n, options.n_resamples, generator)
        else:
            scores_x = x.scores(slice(None), rank_x, is_white=True)
            scores_y = y.scores(slice(None), rank_y, is_white=True)
            if options.method is SharedSignalTest.TRACY_WIDOM:
                return _by_tracy_widom(scores_x.T @ scores_y, codes, options, n)
            units = None if codes is None else group_blocks(codes)
            _require_units(n if units is None else len(units), options.level, "rows" if units is None else "groups")
            resamples = Permutations(scores_x, scores_y, units, options.n_resamples, generator)
        return _by_resamples(resamples, options, n, n_threads)


def _by_resamples(resamples: CanonicalResamples, options: SharedSignalOptions, n: int, n_threads: int) -> SharedSignal:
    first = null = resamples.largest_correlations(0, n_threads)
    p_values: list[float] = []
    for step, found in enumerate(resamples.correlations):
        p_value = _p_value(found, null)
        if step and p_value > options.level:
            # The resamples of an earlier step correlate more as a rule (more directions, fewer taken out): tried first.
            null = resamples.largest_correlations(step, n_threads)
            p_value = _p_value(found, null)
        p_values.append(max([p_value, *p_values[-1:]]))
        if p_values[-1] > options.level:
            break
    rank = math.ceil((1 - options.level) * (len(first) + 1) - 1e-9)
    null_level = float(np.sort(first)[rank - 1])
    return _result(
        np.array(p_values), resamples.correlations, null_level, resamples.shape, n, resamples.n_units, options
    )


def _p_value(found: float, null: np.ndarray) -> float:
    return (1 + int((null >= found * (1 - _TIE)).sum())) / (1 + len(null))


def _by_tracy_widom(cross: np.ndarray, codes: np.ndarray | None, options: SharedSignalOptions, n: int) -> SharedSignal:
    if codes is not None:
        raise InputValueError('method "tracy_widom" presumes independent rows; with groups, use "sign_flip".')
    correlations = np.minimum(np.linalg.svd(cross, compute_uv=False), 1.0)
    p_values = canonical_tests(correlations, n, *cross.shape).largest_root
    above = np.flatnonzero(p_values > options.level)
    tested = p_values[: above[0] + 1] if len(above) else p_values
    level = largest_root_level(options.level, n, *cross.shape)
    return _result(tested, correlations, level, cross.shape, n, 0, options)


def _result(
    p_values: np.ndarray,
    correlations: np.ndarray,
    null_level: float,
    shape: tuple[int, ...],
    n: int,
    n_units: int,
    options: SharedSignalOptions,
) -> SharedSignal:
    n_directions = int((p_values <= options.level).sum())
    return SharedSignal(
        n_directions=n_directions,
        p_values=p_values,
        correlations=correlations,
        population_correlations=population_correlation(correlations[:n_directions], n, *shape),
        null_level=null_level,
        smallest_detectable=float(smallest_detectable_correlation(n, *shape)),
        rank_x=shape[0],
        rank_y=shape[1],
        n_samples=n,
        n_units=n_units,
        n_resamples=0 if options.method is SharedSignalTest.TRACY_WIDOM else options.n_resamples,
        method=options.method,
        level=options.level,
    )


def _tested_ranks(n: int, rank_x: int, rank_y: int) -> tuple[int, int]:
    """How many principal components of each view to test."""
    if rank_x + rank_y <= (n - 1) // 2 and max(rank_x, rank_y) <= _MOST_DIRECTIONS:
        return rank_x, rank_y
    # With a tenth of the rows on either side, a population correlation of 1/3 is detectable.
    most = min(max((n - 1) // 10, 1), _MOST_DIRECTIONS)
    return min(rank_x, most), min(rank_y, most)


def _require_units(n_units: int, level: float, units: str) -> None:
    """Half of all sign flips mirror the other half; twice as many as 1 / level leave room for a p-value below it."""
    least = math.ceil(math.log2(2 / level)) + 1
    if n_units < least:
        raise InputValueError(
            f"at least {least} {units} are needed for a test at level {level:g}; got {n_units}. "
            "Fewer cannot be flipped or exchanged in enough ways."
        )
