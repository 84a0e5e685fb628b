"""Inputs whose conditioning is known because it was chosen, each with a tolerance derived from dtype, size and conditioning.

Notation of the bounds: u = 2^-53 is the unit roundoff of float64, the type every sum of the package is kept in. A sum of
m terms in any order errs by at most m u times the sum of their magnitudes (Higham 2002, section 3.1).
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import ml_dtypes
import numpy as np
from hypothesis import strategies as st

U = 2.0**-53
BLOCK_ROWS = 1024  # the absolute grid of the moments

seeds = st.integers(0, 2**32 - 1)


def generator(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def orthogonal(rng: np.random.Generator, p: int) -> np.ndarray:
    return np.linalg.qr(rng.standard_normal((p, p)))[0]


# Sample types -------------------------------------------------------------------------------------------------------

CASTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "float64": lambda values: values.astype(np.float64),
    "float32": lambda values: values.astype(np.float32),
    "float16": lambda values: values.astype(np.float16),
    "bfloat16": lambda values: values.astype(ml_dtypes.bfloat16),
    "bfloat16 void": lambda values: values.astype(ml_dtypes.bfloat16).view("V2"),
    "bfloat16 bits": lambda values: values.astype(ml_dtypes.bfloat16).view(np.uint16),
}


def exact_float64(values: np.ndarray) -> np.ndarray:
    """The same numbers in float64; every sample type is a subset of it."""
    if values.dtype in (np.dtype("V2"), np.dtype(np.uint16)):
        values = values.view(ml_dtypes.bfloat16)
    return values.astype(np.float64)


# Memory layouts -----------------------------------------------------------------------------------------------------


def _fortran(values: np.ndarray) -> np.ndarray:
    return np.asfortranarray(values)


def _strided(values: np.ndarray) -> np.ndarray:
    wide = np.zeros((2 * values.shape[0], 3 * values.shape[1]), values.dtype)
    wide[::2, 1::3] = values
    return wide[::2, 1::3]


def _negative_strides(values: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(values[::-1, ::-1])[::-1, ::-1]


def _big_endian(values: np.ndarray) -> np.ndarray:
    return values.astype(values.dtype.newbyteorder(">"))


def _unaligned(values: np.ndarray) -> np.ndarray:
    raw = np.zeros(values.nbytes + 1, np.uint8)
    shifted = raw[1:].view(values.dtype).reshape(values.shape)
    shifted[...] = values
    return shifted


IN_MEMORY_LAYOUTS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "C": np.ascontiguousarray,
    "Fortran": _fortran,
    "strided": _strided,
    "negative strides": _negative_strides,
    "big-endian": _big_endian,
    "unaligned": _unaligned,
}
LAYOUTS = (*IN_MEMORY_LAYOUTS, "memory-mapped")


@contextlib.contextmanager
def laid_out(layout: str, *matrices: np.ndarray) -> Iterator[list[np.ndarray]]:
    """The same values in another memory layout."""
    if layout != "memory-mapped":
        yield [IN_MEMORY_LAYOUTS[layout](matrix) for matrix in matrices]
        return
    with contextlib.ExitStack() as files:
        mapped = []
        for matrix in matrices:
            file = files.enter_context(tempfile.TemporaryFile())
            file.write(np.ascontiguousarray(matrix).tobytes())
            file.flush()
            mapped.append(np.memmap(file, matrix.dtype, mode="r", shape=matrix.shape))
        yield mapped


# Samples with known moments -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PairProblem:
    """Rows of [X Y labels] in some sample type, their moments in extended precision, and how far a result may be off."""

    X: np.ndarray
    Y: np.ndarray
    labels: np.ndarray
    mean: np.ndarray  # of [X Y labels] as float64, computed in long double
    cov: np.ndarray
    mean_tolerance: np.ndarray  # absolute, by column
    cov_tolerance: np.ndarray  # absolute, by entry


def true_moments(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and covariance in long double: on x86 11 more bits than float64 at every step, two passes."""
    exact = rows.astype(np.longdouble)
    mean = exact.mean(axis=0)
    centred = exact - mean
    return mean, centred.T @ centred / (len(rows) - 1)


def tolerances(rows: np.ndarray, cov: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bounds on the errors of mean and covariance, first order in u.

    Covariance, in units of sd_i sd_j. The products: rows are centred before they are multiplied, so the n products and
    their sum err by (n + 4) u (each factor carries two subtractions). The merges: with L = log2(n / 1024) + 2 levels, a
    level adds w d d^T, d the difference of two means stored to u |mean| each, w <= n / 4; since w d_i^2 is at most the
    scatter n sd_i^2 of the union, replacing one d by its error 2 u |mean_j| costs at most u |mean_j| / sd_j a factor.
    Mean: the second pass leaves u |mean| and n u sd; every level rounds once more.
    """
    n = len(rows)
    sd = np.sqrt(np.diag(cov)).astype(np.float64)
    largest = np.abs(rows).max(axis=0)
    levels = max(np.log2(n / BLOCK_ROWS), 0) + 2
    merge = levels * U * largest  # u |mean_j|, times levels
    cov_tolerance = (n + 4) * U * np.outer(sd, sd) + np.outer(merge, sd) + np.outer(sd, merge) + np.outer(merge, merge)
    return (levels + 2) * U * largest + n * U * sd, cov_tolerance * n / (n - 1)


def pair_problem(
    seed: int, n: int, widths: tuple[int, int, int], mean_to_sd: float, dtype: str, layout: str = "C"
) -> PairProblem:
    """Correlated Gaussian rows with the given ratio of mean to standard deviation, cast to `dtype`."""
    rng = generator(seed)
    D = sum(widths)
    scales = 10.0 ** rng.uniform(-1, 1, D)
    mixed = rng.standard_normal((n, D)) @ orthogonal(rng, D) * np.linspace(1, 2, D)
    values = (mixed + mean_to_sd * rng.choice([-1.0, 1.0], D)) * scales
    casts = [CASTS[dtype], CASTS[dtype], CASTS[dtype.replace(" bits", " void")]]  # uint16 labels are never bits
    parts = [cast(part) for cast, part in zip(casts, np.split(values, np.cumsum(widths[:2]), axis=1), strict=True)]
    if layout != "C":
        parts = [IN_MEMORY_LAYOUTS[layout](part) for part in parts]
    rows = np.hstack([exact_float64(np.ascontiguousarray(part)) for part in parts])
    mean, cov = true_moments(rows)
    return PairProblem(*parts, mean, cov, *tolerances(rows, cov))


@st.composite
def pairs(draw: st.DrawFn) -> PairProblem:
    dtype = draw(st.sampled_from(sorted(CASTS)))
    # Above this ratio the type itself keeps too few digits of the spread to be worth a test: ratio * epsilon < 1.
    largest_ratio = {"float64": 1e6, "float32": 1e3, "float16": 1e2}.get(dtype, 10.0)
    native = [name for name in IN_MEMORY_LAYOUTS if name != "big-endian" or not dtype.startswith("bfloat16")]
    return pair_problem(
        seed=draw(seeds),
        n=draw(st.one_of(st.integers(2, 40), st.sampled_from([1023, 1024, 1025, 2048, 3000]))),
        widths=(draw(st.integers(1, 18)), draw(st.integers(1, 5)), draw(st.integers(1, 3))),
        mean_to_sd=draw(st.floats(0.0, largest_ratio)),
        dtype=dtype,
        layout=draw(st.sampled_from(native)),
    )


@dataclass(frozen=True)
class ShardPlan:
    """A partition of n rows into shards and an order of pairwise merges."""

    n: int
    cuts: list[int]  # ascending, from 0 to n; equal neighbours make an empty shard
    chunk_sizes: list[int]  # one a shard
    merges: list[tuple[int, int]]  # (into, from), indices into the states that are left


@st.composite
def shard_plans(draw: st.DrawFn) -> ShardPlan:
    n = draw(st.integers(2, 6000))
    near_boundary = st.builds(lambda k, off: k * BLOCK_ROWS + off, st.integers(0, 5), st.integers(-1, 1))
    anywhere = st.integers(0, n)
    inner = draw(st.lists(st.one_of(anywhere, near_boundary.filter(lambda c: 0 <= c <= n)), max_size=9))
    cuts = [0, *sorted(inner), n]
    n_shards = len(cuts) - 1
    merges = []
    for n_left in range(n_shards, 1, -1):
        into = draw(st.integers(0, n_left - 1))
        other = draw(st.integers(0, n_left - 2))
        merges.append((into, other + (other >= into)))
    chunk_sizes = draw(st.lists(st.integers(100, 3000), min_size=n_shards, max_size=n_shards))
    return ShardPlan(n, cuts, chunk_sizes, merges)


# Covariances with known eigenvalues ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class CovarianceProblem:
    """A covariance made of chosen eigenvalues."""

    cov: np.ndarray
    eigenvalues: np.ndarray  # (p,), descending; zeros past `rank`
    rank: int
    ridge: float

    @property
    def p(self) -> int:
        return len(self.eigenvalues)

    @property
    def kept(self) -> np.ndarray:
        """Eigenvalues of the directions that a whitener keeps, ridge included."""
        return self.eigenvalues + self.ridge if self.ridge else self.eigenvalues[: self.rank]

    @property
    def condition(self) -> float:
        return float(self.kept[0] / self.kept[-1])

    @property
    def tolerance(self) -> float:
        """Bound on the norm of ``W (cov + ridge I) W^T - I``, and on the relative error of W itself.

        A backward stable factorisation is exact for cov + E with |E| <= c p u lambda_max; |W E W^T| <= |E| / lambda_min, so
        the identity errs by c p u condition, and the inverse root changes by half of that relative to its norm. Rounding
        the chosen spectrum into `cov`, forming W and the test's own products are each of the same size; c = 40 is the
        product of the four steps and LAPACK's modestly growing constant (Users' Guide, section 4.7: about 10).
        """
        return 40 * self.p * U * self.condition


def covariance(
    seed: int, p: int, rank: int, condition: float, scale: float = 1.0, ridge: float = 0.0
) -> CovarianceProblem:
    rng = generator(seed)
    eigenvalues = np.zeros(p)
    eigenvalues[:rank] = scale * np.geomspace(1.0, 1.0 / condition, rank)
    vectors = orthogonal(rng, p)
    cov = (vectors * eigenvalues) @ vectors.T
    return CovarianceProblem((cov + cov.T) / 2, eigenvalues, rank, ridge)


@st.composite
def covariances(draw: st.DrawFn, *, full_rank: bool = False) -> CovarianceProblem:
    p = draw(st.one_of(st.integers(1, 12), st.sampled_from([16, 17, 33])))
    scale = 10.0 ** draw(st.integers(-6, 6))
    return covariance(
        seed=draw(seeds),
        p=p,
        rank=p if full_rank else draw(st.integers(1, p)),
        condition=10.0 ** draw(st.integers(0, 6)),
        scale=scale,
        ridge=draw(st.sampled_from([0.0, 0.0, 1e-4 * scale, scale])),
    )


# Component regressions ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ComponentProblem:
    """Scores, labels and folds of `component_r2`."""

    scores: np.ndarray  # (n, n_components, d)
    labels: np.ndarray  # (n, n_labels)
    folds: np.ndarray
    alpha: float
    condition: float  # of one component's scores, as their covariance

    @property
    def tolerance(self) -> float:
        """Absolute bound on the error of an R².

        Gram matrices are sums of n products about a common mean: relative error n u. Solving amplifies it by the condition
        of the training Gram matrix, at most `condition` times 4 for the sampling of folds. SSE / SST then carries twice
        that, times SSE / SST <= 2 wherever the R² is not clipped far below 0; the loops here and in the reference err
        alike: 4 * 2 * 2 * 2 = 32.
        """
        return 32 * len(self.scores) * U * self.condition


def component_problem(
    seed: int, n: int, n_components: int, d: int, n_labels: int, *, one_hot: bool, n_folds: int = 5, alpha: float = 1.0
) -> ComponentProblem:
    """Components of decreasing signal; the d scores of one have a covariance of condition 100 (1 for d = 1)."""
    rng = generator(seed)
    condition = 100.0 if d > 1 else 1.0
    classes = np.arange(n) % max(n_labels, 2)
    labels = np.eye(max(n_labels, 2))[classes][:, :n_labels] if one_hot else rng.standard_normal((n, n_labels))
    scores = np.empty((n, n_components, d))
    for c in range(n_components):
        noise = rng.standard_normal((n, d)) * np.sqrt(np.geomspace(1.0, 1.0 / condition, d))
        noise[:, 0] += labels[:, c % n_labels] / (1 + c)
        scores[:, c] = noise @ orthogonal(rng, d)
    folds = rng.permutation(np.arange(n) % n_folds)
    return ComponentProblem(scores, labels, folds, alpha, 2 * condition)


@st.composite
def component_problems(draw: st.DrawFn) -> ComponentProblem:
    return component_problem(
        seed=draw(seeds),
        n=draw(st.integers(30, 120)),
        n_components=draw(st.sampled_from([1, 2, 5, 17])),
        d=draw(st.integers(1, 3)),
        n_labels=draw(st.sampled_from([1, 2, 5])),
        one_hot=draw(st.booleans()),
        n_folds=draw(st.integers(2, 6)),
        alpha=draw(st.sampled_from([1e-3, 1.0, 50.0])),
    )


# Spiked pairs -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SpikedPair:
    """Population covariances of the spiked model and the spectra that they have by its formulas."""

    cov_xx: np.ndarray
    cov_yy: np.ndarray
    cov_xy: np.ndarray
    correlations: np.ndarray  # signal and nuisance together, descending
    gains: np.ndarray
    condition: float

    @property
    def tolerance(self) -> float:
        """Relative to the largest value: two whiteners of relative error c p u condition, c as for a covariance."""
        return 2 * 40 * len(self.cov_xx) * U * self.condition


def spiked_pair(
    seed: int,
    kappa: np.ndarray,
    gamma: tuple[float, float],
    gamma_tilde: tuple[float, float],
    nuisance: np.ndarray,
) -> SpikedPair:
    """x = Q_x [s + e_x; m_x], y = Q_y [s + e_y; m_y] with Var s = kappa², Cov(m_x, m_y) = nuisance correlation times scale.

    Signal: rho = kappa² / sqrt((kappa² + gamma_x)(kappa² + gamma_y)), tau = kappa² / sqrt(kappa² + gamma_x).
    Nuisance: nu as given, xi = nu sqrt(gamma_tilde_y). Kamai et al. (2026), eqs. 18 to 20.
    """
    rng = generator(seed)
    p = len(kappa) + len(nuisance)
    power = np.square(kappa)
    variances = [np.append(power + g, np.full(len(nuisance), t)) for g, t in zip(gamma, gamma_tilde, strict=True)]
    cross = np.append(power, nuisance * np.sqrt(gamma_tilde[0] * gamma_tilde[1]))
    bases = orthogonal(rng, p), orthogonal(rng, p)
    cov_xx, cov_yy = ((q * v) @ q.T for q, v in zip(bases, variances, strict=True))
    return SpikedPair(
        (cov_xx + cov_xx.T) / 2,
        (cov_yy + cov_yy.T) / 2,
        (bases[0] * cross) @ bases[1].T,
        np.sort(cross / np.sqrt(variances[0] * variances[1]))[::-1],
        np.sort(cross / np.sqrt(variances[0]))[::-1],
        float(max(v.max() / v.min() for v in variances)),
    )


@st.composite
def spiked_pairs(draw: st.DrawFn) -> SpikedPair:
    variance = st.floats(0.05, 20.0)
    return spiked_pair(
        seed=draw(seeds),
        kappa=np.array(draw(st.lists(st.floats(0.5, 3.0), min_size=1, max_size=4))),
        gamma=(draw(variance), draw(variance)),
        gamma_tilde=(draw(variance), draw(variance)),
        nuisance=np.array(draw(st.lists(st.floats(0.0, 0.95), min_size=1, max_size=17))),
    )


# Published experiments of Kamai et al. (2026) in arguments of `SpikedModel`; E4 varies eta.
E1: dict[str, Any] = {
    "kappa": (3, 2.5, 2),
    "gamma_x": 0.5,
    "gamma_y": 0.5,
    "gamma_tilde_x": 1.0,
    "gamma_tilde_y": 1.0,
    "eta": 0.0,
    "n_features_x": 20,
    "n_features_y": 20,
}
E4: dict[str, Any] = {**E1, "kappa": (3, 2, 1.5), "gamma_y": 0.05, "gamma_tilde_y": 50.0}
E6: dict[str, Any] = {**E1, "gamma_y": 0.1, "gamma_tilde_y": 10.0, "eta": 2.0}

THREE_VIEWS: dict[str, Any] = {  # three signals, of which the views carry three, two and one; a common nuisance
    "kappa": [3, 2, 1],
    "signals": [(0, 1, 2), (2, 0), (1,)],
    "gamma": [0.5, [0.1, 2.0], 1.0],
    "gamma_tilde": [1.5, [2.0, 1.0, 1.2, 5.0], [0.7, 3.0]],
    "eta": [0.7, 0.4, 1.1],
    "n_features": [6, 6, 3],
}
