"""Partial information decomposition: gates, independent solvers, certificates, invariances; Gaussian forms."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import problems
from crossphase import (
    InformationDecomposition,
    InputTypeError,
    InputValueError,
    InputWarning,
    cross_moments,
    encode_labels,
    gaussian_information_bias,
    gaussian_information_decomposition,
    information_decomposition,
    mutual_information,
)
from crossphase.information.union_information import union_information

PARTS = ("redundancy", "unique_x", "unique_y", "synergy")


def parts_of(found: InformationDecomposition) -> np.ndarray:
    return np.array([getattr(found, part) for part in PARTS])


def table(rows):
    """Joint probabilities of equally likely rows (x, y, label)."""
    sizes = np.max(rows, axis=0) + 1
    pmf = np.zeros(sizes)
    for row in rows:
        pmf[tuple(row)] += 1 / len(rows)
    return pmf


BITS = (0, 1)
PAIRS = [(a, b) for a in BITS for b in BITS]
GATES = {  # bits: redundancy, unique_x, unique_y, synergy. Bertschinger et al. (2014); independent gates add
    "xor": (table([(a, b, a ^ b) for a, b in PAIRS]), (0, 0, 0, 1)),
    "and": (table([(a, b, a & b) for a, b in PAIRS]), (0.75 * math.log2(4 / 3), 0, 0, 0.5)),
    "sum": (table([(a, b, a + b) for a, b in PAIRS]), (0.5, 0, 0, 1)),
    "redundant": (table([(a, a, a) for a in BITS]), (1, 0, 0, 0)),
    "unique": (table([(a, b, 2 * a + b) for a, b in PAIRS]), (0, 1, 1, 0)),
    "copy of x": (table([(a, b, a) for a, b in PAIRS]), (0, 1, 0, 0)),
    "copy of y": (table([(a, b, b) for a, b in PAIRS]), (0, 0, 1, 0)),
    "redundant and xor": (
        table([(2 * r + a, 2 * r + b, 2 * r + (a ^ b)) for r in BITS for a, b in PAIRS]),
        (1, 0, 0, 1),
    ),
    "redundant, unique and xor": (
        table(
            [
                (4 * r + 2 * a + u, 4 * r + 2 * b + v, 8 * r + 4 * (a ^ b) + 2 * u + v)
                for r in BITS
                for a, b in PAIRS
                for u, v in PAIRS
            ]
        ),
        (1, 1, 1, 1),
    ),
    "nothing": (np.full((3, 2, 4), 1 / 24), (0, 0, 0, 0)),
    "one class": (np.full((3, 2, 1), 1 / 6), (0, 0, 0, 0)),
}


@pytest.mark.parametrize("gate", GATES)
def test_gates(gate):
    pmf, bits = GATES[gate]
    found = information_decomposition(pmf, tolerance=1e-10)
    assert found.gap <= 1e-10
    # What the certificate allows, and rounding of a few dozen terms.
    assert np.abs(parts_of(found) / math.log(2) - bits).max() <= 2 * found.gap + 100 * problems.U


def random_pmf(seed, sizes, concentration):
    return problems.generator(seed).dirichlet(np.full(math.prod(sizes), concentration)).reshape(sizes)


def information_of(joint):
    """I(X, Y; labels) by entropies."""

    def entropy(pmf):
        positive = pmf[pmf > 0]
        return float(-(positive * np.log(positive)).sum())

    return entropy(joint.sum(axis=(0, 1))) + entropy(joint.sum(axis=2)) - entropy(joint)


def slow_union_information(pmf):
    """Sequential quadratic programming over the directions that leave both pairwise laws alone."""
    n_x, n_y, n_classes = pmf.shape
    # (x, y) -> (+1, -1, -1, +1) on a rectangle with the last symbols, for each label.
    directions = []
    for i in range(n_x - 1):
        for j in range(n_y - 1):
            for label in range(n_classes):
                direction = np.zeros(pmf.shape)
                direction[[i, -1], [j, -1], label] = 1
                direction[[i, -1], [-1, j], label] = -1
                directions.append(direction.ravel())
    basis = np.array(directions).T
    start = np.einsum("ik,jk->ijk", pmf.sum(axis=1), pmf.sum(axis=0) / pmf.sum(axis=(0, 1))).ravel()

    def objective(steps):
        q = np.maximum(start + basis @ steps, 1e-15).reshape(pmf.shape)
        slope = np.log(q / q.sum(axis=2, keepdims=True)).ravel()
        return float(q.ravel() @ slope), basis.T @ slope

    constraint = {"type": "ineq", "fun": lambda steps: start + basis @ steps, "jac": lambda _: basis}
    options = {"maxiter": 1000, "ftol": 1e-13}
    steps = np.zeros(basis.shape[1])
    for _ in range(6):  # a restart forgets the curvature learnt far away
        steps = minimize(objective, steps, jac=True, constraints=[constraint], options=options).x
    q = np.maximum(start + basis @ steps, 0).reshape(pmf.shape)
    return information_of(q / q.sum())


@pytest.mark.parametrize("sizes", [(2, 2, 2), (2, 3, 2), (3, 2, 3), (3, 3, 2)])
@pytest.mark.parametrize("concentration", [1.0, 0.5])
def test_matches_an_independent_solver(sizes, concentration):
    for seed in range(4):
        pmf = random_pmf(seed, sizes, concentration)
        found = information_decomposition(pmf, tolerance=1e-10)
        union = found.information_joint - found.synergy
        # The slow solver stops where a step gains less than 1e-13, and descends quadratically: within 1e-10 of the optimum.
        assert abs(union - slow_union_information(pmf)) <= 1e-8


@given(seed=problems.seeds, sizes=st.tuples(*[st.integers(2, 6)] * 3), concentration=st.sampled_from([1.0, 0.3, 0.1]))
def test_the_certificate_holds(seed, sizes, concentration):
    """The law found is feasible and has the value claimed; no feasible law tried is below value minus gap."""
    pmf = random_pmf(seed, sizes, concentration)
    pmf /= pmf.sum()
    found = union_information(pmf.sum(axis=1), pmf.sum(axis=0), tolerance=1e-8)
    assert found.gap <= 1e-8
    assert (found.pmf >= 0).all()
    rounding = 8 * math.prod(sizes) * problems.U
    assert np.abs(found.pmf.sum(axis=1) - pmf.sum(axis=1)).max() <= rounding
    assert np.abs(found.pmf.sum(axis=0) - pmf.sum(axis=0)).max() <= rounding
    assert abs(information_of(found.pmf) - found.value) <= 40 * rounding  # terms p log p of at most 40 nats
    conditional = np.einsum("ik,jk->ijk", pmf.sum(axis=1), pmf.sum(axis=0))
    classes = pmf.sum(axis=(0, 1))
    conditional = np.divide(conditional, classes, out=np.zeros(sizes), where=classes > 0)
    for other in (pmf, conditional):
        for share in (1e-3, 0.1, 1.0):
            tried = (1 - share) * found.pmf + share * other
            assert information_of(tried) >= found.value - found.gap - 40 * rounding


@given(seed=problems.seeds, sizes=st.tuples(*[st.integers(1, 5)] * 3), concentration=st.sampled_from([1.0, 0.2]))
def test_identities_bounds_and_symmetries(seed, sizes, concentration):
    pmf = random_pmf(seed, sizes, concentration)
    found = information_decomposition(pmf)
    parts = parts_of(found)
    assert (parts >= 0).all()
    assert found.redundancy <= min(found.information_x, found.information_y) + 1e-15
    expected = (
        (found.redundancy + found.unique_x, found.information_x),
        (found.redundancy + found.unique_y, found.information_y),
        (parts.sum(), found.information_joint),
        (found.redundancy - found.synergy, found.co_information),
        (found.information_joint, information_of(pmf / pmf.sum())),
        (found.information_x, mutual_information(pmf.sum(axis=1))),
    )
    for left, right in expected:
        assert abs(left - right) <= 1e-12  # 125 terms of at most 40 nats

    rng = problems.generator(seed)
    shuffled = pmf[rng.permutation(sizes[0])][:, rng.permutation(sizes[1])][:, :, rng.permutation(sizes[2])]
    relabelled = information_decomposition(shuffled)
    assert np.abs(parts_of(relabelled) - parts).max() <= found.gap + relabelled.gap + 1e-12
    exchanged = information_decomposition(pmf.swapaxes(0, 1))
    assert np.abs(parts_of(exchanged)[[0, 2, 1, 3]] - parts).max() <= found.gap + exchanged.gap + 1e-12
    # A symbol split by a coin that knows nothing, and one that never occurs.
    split = np.concatenate([0.3 * pmf[:1], 0 * pmf[:1], pmf[1:], 0.7 * pmf[:1]])
    with_coin = information_decomposition(split)
    assert np.abs(parts_of(with_coin) - parts).max() <= found.gap + with_coin.gap + 1e-12
    unused_label = information_decomposition(np.concatenate([pmf, 0 * pmf[:, :, :1]], axis=2))
    assert np.abs(parts_of(unused_label) - parts).max() <= found.gap + unused_label.gap + 1e-12


@pytest.mark.parametrize("n_symbols", [5, 20, 40])
@pytest.mark.parametrize("concentration", [1.0, 0.1, 0.03])
def test_larger_and_sparser_alphabets_are_certified(n_symbols, concentration):
    found = information_decomposition(random_pmf(n_symbols, (n_symbols, n_symbols + 3, 4), concentration))
    assert found.gap <= 1e-8


def test_counts_of_few_rows_are_certified():
    """Most cells empty: many pairs of symbols have no label in common."""
    for seed in range(5):
        counts = problems.generator(seed).multinomial(60, np.full(10 * 12 * 3, 1 / 360)).reshape(10, 12, 3)
        assert information_decomposition(counts / 60).gap <= 1e-8


def test_a_degraded_view_is_redundant():
    """Y is X seen through noise: all it knows, X knows."""
    rng = problems.generator(0)
    law_x = rng.dirichlet(np.ones(12)).reshape(4, 3)
    channel = rng.dirichlet(np.ones(5), size=4)
    found = information_decomposition(np.einsum("ik,ij->ijk", law_x, channel))
    assert found.redundancy == pytest.approx(found.information_y, abs=1e-8)
    assert found.unique_y == pytest.approx(0, abs=1e-8)
    assert found.synergy == pytest.approx(0, abs=1e-8)


def test_a_view_without_symbols_to_tell_apart():
    pmf = random_pmf(1, (1, 4, 3), 1.0)
    found = information_decomposition(pmf)
    assert found.unique_y == pytest.approx(mutual_information(pmf[0]), abs=1e-14)
    assert found.redundancy + found.unique_x <= 1e-15


def test_out_of_reach_tolerances_are_said():
    pmf = random_pmf(2, (15, 12, 4), 0.1)
    with pytest.warns(InputWarning, match=r"certified to .* nats only, not to tolerance=1e-300"):
        found = information_decomposition(pmf, tolerance=1e-300)
    assert 0 < found.gap < 1e-9


BAD_PMFS = [
    (
        np.ones((2, 2, 2), int),
        InputTypeError,
        r"pmf must be a floating-point array; got int64. Divide counts by their sum",
    ),
    ([["a"]], InputTypeError, "floating-point"),
    (np.ones((2, 2)), InputValueError, r"shape \(n_symbols_x, n_symbols_y, n_classes\), none of them 0; got \(2, 2\)"),
    (np.ones((2, 0, 2)), InputValueError, r"none of them 0; got \(2, 0, 2\)"),
    (np.full((2, 2, 2), 0.25), InputValueError, "must sum to 1; it sums to 2. Divide"),
    (np.full((2, 2, 2), np.nan), InputValueError, r"numbers >= 0; got nan at index \(0, 0, 0\)"),
    (np.array([[[0.5, 0.6], [-0.1, 0.0]]]), InputValueError, r"numbers >= 0; got -0.1 at index \(0, 1, 0\)"),
    (np.full((1024, 1024, 6), 1 / 6 / 2**20), InputValueError, r"at most 33554432; got .* 37748736. Merge symbols"),
]


@pytest.mark.parametrize(("pmf", "error", "sentence"), BAD_PMFS)
def test_bad_probabilities(pmf, error, sentence):
    with pytest.raises(error, match=sentence):
        information_decomposition(pmf)


def test_bad_tolerance_and_pairs():
    with pytest.raises(InputValueError, match="tolerance must be a finite number > 0; got 0"):
        information_decomposition(np.full((2, 2, 2), 0.125), tolerance=0)
    with pytest.raises(InputValueError, match=r"shape \(n_symbols_x, n_symbols_y\)"):
        mutual_information(np.full((2, 2, 2), 0.125))


# Gaussian ------------------------------------------------------------------------------------------------------------


@dataclass
class Moments:
    cov_xx: np.ndarray
    cov_yy: np.ndarray
    cov_xy: np.ndarray
    cov_xl: np.ndarray
    cov_yl: np.ndarray
    cov_ll: np.ndarray


def moments_of(cov, p, q):
    x, y, labels = slice(0, p), slice(p, p + q), slice(p + q, None)
    return Moments(cov[x, x], cov[y, y], cov[x, y], cov[x, labels], cov[y, labels], cov[labels, labels])


def random_covariance(seed, size):
    """Condition about 100: W W^T of a Gaussian W of 3 size columns has eigenvalues near size (√3 ± 1)²."""
    factor = problems.generator(seed).standard_normal((size, 3 * size))
    return factor @ factor.T / size


def gaussian_information(cov, rows, labels):
    def log_determinant(indices):
        return np.linalg.slogdet(cov[np.ix_(indices, indices)])[1]

    return (log_determinant(rows) + log_determinant(labels) - log_determinant(rows + labels)) / 2


SIZES = [(1, 1, 1), (3, 2, 1), (2, 3, 2), (3, 4, 3), (5, 2, 3), (4, 4, 6)]


@pytest.mark.parametrize(("p", "q", "k"), SIZES)
def test_gaussian_informations_are_log_determinants(p, q, k):
    cov = random_covariance(p + 10 * q, p + q + k)
    found = gaussian_information_decomposition(moments_of(cov, p, q))
    x, y, labels = list(range(p)), list(range(p, p + q)), list(range(p + q, p + q + k))
    # Factorisations of condition 100: size * condition * u, generously.
    tolerance = 100 * len(cov) * 100 * problems.U
    assert abs(found.information_x - gaussian_information(cov, x, labels)) <= tolerance
    assert abs(found.information_y - gaussian_information(cov, y, labels)) <= tolerance
    assert abs(found.information_joint - gaussian_information(cov, x + y, labels)) <= tolerance
    assert found.redundancy + found.unique_x == pytest.approx(found.information_x, abs=tolerance)
    assert (parts_of(found) >= 0).all()
    assert found.gap == 0


def noise_problem(cov, p, q):
    """Thin-PID (Zhao et al. 2025): views as channels of the whitened labels, with noise of covariance I each.

    Returns the gains of the two, and the function C -> I(X, Y; labels) for noise cross-covariances C, of norm below 1.
    """
    k = len(cov) - p - q
    inverse_root = np.linalg.inv(np.linalg.cholesky(cov[-k:, -k:]))
    gains = []
    for rows in (slice(0, p), slice(p, p + q)):
        gain = cov[rows, -k:] @ inverse_root.T
        noise = cov[rows, rows] - gain @ gain.T
        gains.append(np.linalg.solve(np.linalg.cholesky(noise), gain))
    stacked = np.vstack(gains)

    def information(cross):
        noise = np.block([[np.eye(p), cross], [cross.T, np.eye(q)]])
        return (np.linalg.slogdet(noise + stacked @ stacked.T)[1] - np.linalg.slogdet(noise)[1]) / 2

    return gains, information


def contraction(values, p, q):
    """A (p, q) matrix of spectral norm below 1, any of them."""
    free = values.reshape(p, q)
    left, scales, right = np.linalg.svd(free, full_matrices=False)
    return (left * (scales / np.sqrt(1 + scales**2))) @ right


@pytest.mark.parametrize(("p", "q", "k"), [(1, 1, 1), (2, 1, 2), (2, 2, 2), (3, 2, 2), (2, 3, 3)])
def test_closed_form_is_the_optimum_over_noise_correlations(p, q, k):
    for seed in range(3):
        cov = random_covariance(seed, p + q + k)
        found = gaussian_information_decomposition(moments_of(cov, p, q))
        union = found.information_joint - found.synergy
        gains, information = noise_problem(cov, p, q)
        rng = problems.generator(seed)
        for _ in range(200):
            assert information(contraction(rng.standard_normal(p * q) * rng.exponential(2), p, q)) >= union - 1e-10
        starts = rng.standard_normal((3, p * q))
        best = min(minimize(lambda v, f=information: f(contraction(v, p, q)), start).fun for start in starts)
        assert union - 1e-10 <= best <= union + 1e-3  # descents may creep towards an optimum at norm 1
        # It is reached where both views are noisy copies of one channel of error Q, precision Q^-1 - I.
        precision = np.linalg.inv(least_error(gains)) - np.eye(k)
        cross = gains[0] @ np.linalg.pinv(precision, rcond=1e-10, hermitian=True) @ gains[1].T
        assert np.linalg.norm(cross, 2) <= 1 + 1e-9
        assert abs(information((1 - 1e-9) * cross) - union) <= 1e-6


def least_error(gains):
    """The largest Q below both errors (I + gain^T gain)^-1: in axes where one is I and the other d, min(1, d)."""
    errors = [np.linalg.inv(np.eye(gain.shape[1]) + gain.T @ gain) for gain in gains]
    factor = np.linalg.cholesky(errors[0])
    inverse = np.linalg.inv(factor)
    values, vectors = np.linalg.eigh(inverse @ errors[1] @ inverse.T)
    axes = factor @ vectors
    return (axes * np.minimum(values, 1)) @ axes.T


@given(seed=problems.seeds, p=st.integers(1, 4), q=st.integers(1, 4))
def test_one_gaussian_label_has_minimum_information_redundancy(seed, p, q):
    found = gaussian_information_decomposition(moments_of(random_covariance(seed, p + q + 1), p, q))
    assert found.redundancy == pytest.approx(min(found.information_x, found.information_y), abs=1e-10)
    assert min(found.unique_x, found.unique_y) <= 1e-10


@given(seed=problems.seeds)
def test_gaussian_parts_do_not_depend_on_coordinates(seed):
    p, q, k = 3, 2, 2
    rng = problems.generator(seed)
    cov = random_covariance(seed, p + q + k)
    found = gaussian_information_decomposition(moments_of(cov, p, q))
    change = np.zeros(cov.shape)
    for first, size in ((0, p), (p, q), (p + q, k)):
        block = problems.orthogonal(rng, size) * np.geomspace(1, 30, size)
        change[first : first + size, first : first + size] = block @ problems.orthogonal(rng, size)
    mapped = gaussian_information_decomposition(moments_of(change @ cov @ change.T, p, q))
    tolerance = 1e5 * 7 * 100 * problems.U  # condition 100 of cov, 1e3 of the maps squared
    assert np.abs(parts_of(mapped) - parts_of(found)).max() <= tolerance
    order = [*range(p, p + q), *range(p), *range(p + q, p + q + k)]
    exchanged = gaussian_information_decomposition(moments_of(cov[np.ix_(order, order)], q, p))
    assert np.abs(parts_of(exchanged)[[0, 2, 1, 3]] - parts_of(found)).max() <= 1e-10


def test_views_of_separate_labels_are_unique_and_of_noise_alone_synergy():
    """X sees one label, Y the other: nothing shared. Y sees only X's noise: nothing but synergy."""
    separate = moments_of(np.kron(np.array([[2.0, 1.0], [1.0, 1.0]]), np.eye(2))[:, :], 1, 1)
    found = gaussian_information_decomposition(separate)
    assert parts_of(found) == pytest.approx([0, math.log(2) / 2, math.log(2) / 2, 0], abs=1e-14)
    # x = label + noise, y = noise + a little of its own, variance .01.
    noise = moments_of(np.array([[2.0, 1.0, 1.0], [1.0, 1.01, 0.0], [1.0, 0.0, 1.0]]), 1, 1)
    found = gaussian_information_decomposition(noise)
    assert found.redundancy == found.unique_y == 0
    assert found.unique_x == pytest.approx(math.log(2) / 2)
    # Given y, the noise has variance 1 - 1 / 1.01.
    assert found.information_joint == pytest.approx(math.log(1 + 1 / (1 - 1 / 1.01)) / 2, rel=1e-12)


def test_one_hot_labels_need_no_column_dropped(rng):
    classes = rng.integers(0, 3, 400)
    X, Y = rng.standard_normal((2, 400, 3)) + np.eye(3)[classes]
    one_hot = encode_labels(classes).values
    full = gaussian_information_decomposition(cross_moments(X, Y, one_hot))
    reduced = gaussian_information_decomposition(cross_moments(X, Y, one_hot[:, :2]))
    assert np.abs(parts_of(full) - parts_of(reduced)).max() <= 1e-10
    assert full.information_x > 0.1


@pytest.mark.parametrize(("n", "p", "q", "k"), [(30, 4, 3, 2), (25, 8, 8, 1)])
def test_bias_of_gaussian_informations(rng, n, p, q, k):
    n_draws = 3000
    cov = random_covariance(3, p + q + k)
    factor = np.linalg.cholesky(cov)
    population = gaussian_information_decomposition(moments_of(cov, p, q))
    drawn = []
    for _ in range(n_draws):
        sample = np.cov((rng.standard_normal((n, len(cov))) @ factor.T).T)
        x, y, labels = list(range(p)), list(range(p, p + q)), list(range(p + q, p + q + k))
        drawn.append([gaussian_information(sample, rows, labels) for rows in (x, y, x + y)])
    excess = np.mean(drawn, axis=0) - [population.information_x, population.information_y, population.information_joint]
    expected = [gaussian_information_bias(n, size, k) for size in (p, q, p + q)]
    assert (np.abs(excess - expected) <= 4 * np.std(drawn, axis=0) / math.sqrt(n_draws)).all()
    assert min(expected) > 0


def test_bias_of_many_rows_is_parameters_over_twice_the_rows():
    assert gaussian_information_bias(100_000, 20, 5) == pytest.approx(20 * 5 / 2 / 100_000, rel=1e-3)
    assert gaussian_information_bias(50, 7, 3) == pytest.approx(gaussian_information_bias(50, 3, 7), rel=1e-12)
    with pytest.raises(InputValueError, match=r"less than n_samples; got 7 \+ 3 and 10"):
        gaussian_information_bias(10, 7, 3)


def test_singular_features_are_named_and_the_remedy_works(rng):
    X, Y = rng.standard_normal((2, 40, 4))
    labels = X[:, :1] + rng.standard_normal((40, 1))
    repeated = cross_moments(np.hstack([X, X[:, :1]]), Y, labels)
    sentence = r"covariance of X is singular \(rank 4 of 5\); pass relative_ridge > 0, such as 1e-3"
    with pytest.raises(np.linalg.LinAlgError, match=sentence):
        gaussian_information_decomposition(repeated)
    assert gaussian_information_decomposition(repeated, relative_ridge=1e-3).information_x > 0.1
    with pytest.raises(np.linalg.LinAlgError, match=r"covariance of Y is singular \(rank 0 of 1\)"):
        gaussian_information_decomposition(cross_moments(X, np.ones((40, 1)), labels))
    with pytest.raises(np.linalg.LinAlgError, match=r"covariance of \[X Y\] is singular \(rank 4 of 6\)"):
        gaussian_information_decomposition(cross_moments(X, X[:, 1:3], labels))
    with pytest.raises(
        np.linalg.LinAlgError, match=r"information is infinite: a label is a linear function of X .*Leave"
    ):
        gaussian_information_decomposition(cross_moments(X, Y, X[:, :1] - X[:, 1:2]))


def test_ridge_is_noise_relative_to_the_mean_variance():
    """Means of variances 2.5 and 5: a ridge of .2 adds .5 to X's and 1 to Y's."""
    cov = np.diag([2.0, 3.0, 5.0, 1.0])
    cov[0, 3] = cov[3, 0] = 0.5
    cov[2, 3] = cov[3, 2] = 0.7
    noisy = cov + np.diag([0.5, 0.5, 1.0, 0.0])
    expected = gaussian_information_decomposition(moments_of(noisy, 2, 1))
    found = gaussian_information_decomposition(moments_of(cov, 2, 1), relative_ridge=0.2)
    assert parts_of(found) == pytest.approx(parts_of(expected), rel=1e-12)


def test_labels_that_are_missing_or_constant(rng):
    X, Y = rng.standard_normal((2, 40, 2))
    with pytest.raises(InputValueError, match="moments hold no labels; pass labels"):
        gaussian_information_decomposition(cross_moments(X, Y))
    with pytest.raises(InputValueError, match="no label varies: all 2 variances"):
        gaussian_information_decomposition(cross_moments(X, Y, np.ones((40, 2))))
    with pytest.raises(InputValueError, match="relative_ridge must be a finite number >= 0; got -1"):
        gaussian_information_decomposition(cross_moments(X, Y, X[:, :1] + Y[:, :1]), relative_ridge=-1.0)


def test_the_smallest_probabilities_count() -> None:
    """-p log p is a number down to the smallest p, though the product of two marginals is not."""
    for p in (1e-170, 1e-300):
        information = mutual_information(np.array([[1 - p, 0.0], [0.0, p]]))
        assert information == pytest.approx(-p * np.log(p), rel=1e-2)  # and p itself, 1 part in 390
    pmf = np.zeros((2, 2, 2))
    pmf[0, 0, 0], pmf[1, 1, 1] = 1.0, 1e-170
    found = information_decomposition(pmf)
    assert np.isfinite([found.redundancy, found.unique_x, found.unique_y, found.synergy]).all()


@pytest.mark.parametrize("precision", ["f32", "bf16x6", "bf16x3"])
def test_classes_hold_the_same_information_in_low_precision(rng: np.random.Generator, precision: str) -> None:
    """They sum to one in every row: that direction has no variance but what errors of the sums feign."""
    classes = rng.integers(0, 5, 20_000)
    X, Y = (rng.standard_normal((20_000, 6), dtype=np.float32) for _ in range(2))
    X[:, 0] += classes
    labels = np.eye(5)[classes]
    found, exact = (
        gaussian_information_decomposition(cross_moments(X, Y, labels, precision=p)) for p in (precision, "f64")
    )
    assert found.information_joint == pytest.approx(exact.information_joint, rel=1e-3)
    with pytest.raises(np.linalg.LinAlgError, match=r"covariance of X is singular \(rank 6 of 7\)"):
        gaussian_information_decomposition(cross_moments(np.hstack([X, X[:, :1]]), Y, labels, precision=precision))
