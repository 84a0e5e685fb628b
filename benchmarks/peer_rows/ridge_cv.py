"""Cross-validated R² of components under label permutations: targets 4a to 4c."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import published
from crossphase import component_r2
from peer_rows import numpy_ridge_cv
from peer_rows.machine import peaks
from peer_rows.measure import ROUNDS, PeerMissingError, PeerRow, check_answer, compare, not_measured, require_peer, row

ALPHA = 1.0
N_FOLDS = 5
MOST_ERROR = 1e-10  # of R²


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Scores of components, labels, folds and label permutations, the identity first."""

    scores: np.ndarray  # (n, n_components)
    labels: np.ndarray  # (n, n_labels)
    test_masks: list[np.ndarray]
    permutations: np.ndarray  # (n_permutations, n)

    @property
    def folds(self) -> np.ndarray:
        return np.argmax(self.test_masks, axis=0)

    @property
    def work(self) -> str:
        n, k = self.scores.shape
        kind = "one-hot" if (self.labels.sum(axis=1) == 1).all() else "dense"
        return f"n = {n}, {k} components, {self.labels.shape[1]} {kind} labels, {len(self.permutations)} permutations"

    def ours(self, precision: str = "f64") -> np.ndarray:
        return component_r2(
            self.scores, self.labels, self.folds, ALPHA, permutations=self.permutations, precision=precision
        )

    def by_numpy(self, products: type) -> np.ndarray:
        return numpy_ridge_cv.component_r2(self.scores, self.labels, self.folds, self.permutations, ALPHA, products)

    def by_published_loop(self, n_permutations: int) -> np.ndarray:
        scores = list(self.scores.T)
        return np.array(
            [
                published.r2_of_components(scores, self.labels[permutation], self.test_masks)
                for permutation in self.permutations[:n_permutations]
            ]
        )


def one_hot_problem(quick: bool) -> Problem:
    """Sizes of the published analysis."""
    rng = np.random.default_rng(0)
    n, n_components, n_classes, n_permutations = (1000, 20, 10, 4) if quick else (5000, 50, 44, 31)
    classes = rng.permutation(np.arange(n) % n_classes)
    scores = 0.5 * rng.normal(size=(n_classes, n_components))[classes] + rng.normal(size=(n, n_components))
    return Problem(
        scores, np.eye(n_classes)[classes], published.make_cv_folds(n, N_FOLDS), _permutations(rng, n, n_permutations)
    )


def dense_problem(quick: bool) -> Problem:
    """Continuous labels, a thousand permutations."""
    rng = np.random.default_rng(0)
    n, n_components, n_labels, n_permutations = (2000, 50, 100, 20) if quick else (20_000, 50, 100, 1000)
    labels = rng.normal(size=(n, n_labels))
    scores = rng.normal(size=(n, n_components))
    scores[:, :10] += labels[:, :10]
    return Problem(scores, labels, published.make_cv_folds(n, N_FOLDS), _permutations(rng, n, n_permutations))


def _permutations(rng: np.random.Generator, n: int, count: int) -> np.ndarray:
    return np.stack([np.arange(n), *(rng.permutation(n) for _ in range(count - 1))])


def against_published_loop(quick: bool) -> Iterator[PeerRow]:
    """4a: the published code's loops, one round: they take half a minute."""
    problem = one_hot_problem(quick)
    checked = 2
    error = float(np.abs(problem.ours()[:checked] - problem.by_published_loop(checked)).max())
    check_answer(error, MOST_ERROR, "4a")
    found = compare(problem.ours, lambda: problem.by_published_loop(len(problem.permutations)), rounds=1)
    yield row("4a", problem.work, "published code's loops", found, error, floor=400, goal=1500, note="1 round")


def against_numpy(quick: bool) -> Iterator[PeerRow]:
    """4b: moments of folds in NumPy, one-hot labels and dense ones, these in both precisions."""
    yield _fold_moments_row(one_hot_problem(quick), "f64", ROUNDS, MOST_ERROR)
    dense = dense_problem(quick)
    yield _fold_moments_row(dense, "f64", 3, MOST_ERROR)
    yield _fold_moments_row(dense, "f32", 3, 1e-5)


def _fold_moments_row(problem: Problem, precision: str, rounds: int, most_error: float) -> PeerRow:
    def ours() -> np.ndarray:
        return problem.ours(precision)

    def theirs() -> np.ndarray:
        return problem.by_numpy(np.float32 if precision == "f32" else np.float64)

    found_r2, exact = ours(), problem.by_numpy(np.float64)
    error = check_answer(float(np.abs(found_r2 - exact).max()), most_error, "4b")
    theirs()
    found = compare(ours, theirs, rounds=rounds)
    flops = 2.0 * problem.scores.size * problem.labels.shape[1] * len(problem.permutations)
    rate, ceiling = flops / found.our_seconds, {"f64": peaks().f64, "f32": peaks().f32}[precision]
    note = f"{rounds} rounds"
    if "dense" in problem.work:
        note += f"; {rate / 1e9:.0f} GFlop/s: {rate / ceiling:.0%} of the {precision} peak"
    peer = f"numpy {np.__version__} fold moments, {precision}"
    return row("4b", problem.work, peer, found, error, floor=3, goal=8, note=note)


def against_himalaya(quick: bool) -> Iterator[PeerRow]:
    """4c: himalaya, a ridge of one feature for each component and fold, all permutations' labels as its targets."""
    problem = one_hot_problem(quick)
    name = "himalaya Ridge, looped over components"
    try:
        himalaya = require_peer("himalaya.ridge")
    except PeerMissingError as missing:
        yield not_measured("4c", problem.work, name, str(missing))
        return
    shape = (len(problem.permutations), problem.labels.shape[1])
    targets = problem.labels[problem.permutations].swapaxes(0, 1).reshape(len(problem.labels), -1).copy()

    def fit() -> np.ndarray:
        r2 = []
        for score in problem.scores.T:
            errors, totals = np.zeros((2, targets.shape[1]))
            for is_test in problem.test_masks:
                model = himalaya.Ridge(alpha=ALPHA, fit_intercept=True).fit(score[~is_test, None], targets[~is_test])
                test = targets[is_test]
                errors += ((test - model.predict(score[is_test, None])) ** 2).sum(axis=0)
                totals += ((test - test.mean(axis=0)) ** 2).sum(axis=0)
            r2.append(np.maximum(1 - errors / totals, 0).reshape(shape))
        return np.swapaxes(r2, 0, 1)

    error = check_answer(float(np.abs(problem.ours() - fit()).max()), MOST_ERROR, "4c")
    found = compare(problem.ours, fit, rounds=1)
    yield row("4c", problem.work, name, found, error, floor=100, note="1 round")
