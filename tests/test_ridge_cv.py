"""Cross-validated R² against a loop over components and folds, and what must not change it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given

import problems
from crossphase import InputTypeError, InputValueError, component_r2
from crossphase._backends import BACKENDS
from crossphase.ridge_cv import shuffled_folds


def loop_r2(problem: problems.ComponentProblem, permutation: np.ndarray | None = None) -> np.ndarray:
    """One least-squares fit a component and fold on the rows themselves; the ridge as rows appended to them."""
    labels = problem.labels if permutation is None else problem.labels[permutation]
    _, n_components, d = problem.scores.shape
    r2 = np.zeros((n_components, labels.shape[1]))
    ridge_rows = np.sqrt(problem.alpha) * np.eye(d)
    for c in range(n_components):
        error = np.zeros(labels.shape[1])
        total = np.zeros(labels.shape[1])
        for fold in np.unique(problem.folds):
            train, test = problem.folds != fold, problem.folds == fold
            x, y = problem.scores[train, c], labels[train]
            x_mean, y_mean = x.mean(axis=0), y.mean(axis=0)
            left = np.vstack([x - x_mean, ridge_rows])
            right = np.vstack([y - y_mean, np.zeros((d, labels.shape[1]))])
            weights = np.linalg.lstsq(left, right, rcond=None)[0]
            predicted = y_mean + (problem.scores[test, c] - x_mean) @ weights
            error += ((labels[test] - predicted) ** 2).sum(axis=0)
            total += ((labels[test] - labels[test].mean(axis=0)) ** 2).sum(axis=0)
        spread = total > 1e-15
        r2[c, spread] = np.maximum(1 - error[spread] / total[spread], 0)
    return r2


def r2_of(problem: problems.ComponentProblem, **options: object) -> np.ndarray:
    return component_r2(problem.scores, problem.labels, problem.folds, problem.alpha, **options)


@pytest.fixture
def problem() -> problems.ComponentProblem:
    return problems.component_problem(1, 150, 4, 2, 3, one_hot=True)


@pytest.mark.parametrize("backend", BACKENDS)
@given(problem=problems.component_problems())
def test_matches_a_loop_over_components_and_folds(backend: str, problem: problems.ComponentProblem) -> None:
    assert np.abs(r2_of(problem, backend=backend) - loop_r2(problem)).max() <= problem.tolerance


@pytest.mark.parametrize("backend", BACKENDS)
@given(problem=problems.component_problems(), seed=problems.seeds)
def test_permutations_move_the_labels(backend: str, problem: problems.ComponentProblem, seed: int) -> None:
    n = len(problem.labels)
    permutations = np.stack([problems.generator(seed + k).permutation(n) for k in range(3)])
    got = r2_of(problem, permutations=permutations, backend=backend)
    for r2, permutation in zip(got, permutations, strict=True):
        assert np.abs(r2 - loop_r2(problem, permutation)).max() <= problem.tolerance


def test_the_problems_hold_signal(problem: problems.ComponentProblem) -> None:
    """Comparisons of zeros would prove nothing."""
    r2 = r2_of(problem)
    assert r2.max() > 0.1
    assert 0 < (r2 > 0).mean() <= 1
    assert r2.max() <= 1


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("batch", [(), (1,), (0,), (2, 3), (70,)])
def test_permutations_come_in_any_shape(
    problem: problems.ComponentProblem, rng: np.random.Generator, backend: str, batch: tuple[int, ...]
) -> None:
    """70 permutations of 3 labels: more than one group of panels."""
    permutations = rng.permuted(np.broadcast_to(np.arange(150), (*batch, 150)), axis=-1)
    got = r2_of(problem, permutations=permutations, backend=backend)
    assert got.shape == (*batch, 4, 3)
    for index in np.ndindex(*batch):
        assert np.abs(got[index] - loop_r2(problem, permutations[index])).max() <= problem.tolerance


def test_the_identity_is_the_default(problem: problems.ComponentProblem) -> None:
    assert np.array_equal(r2_of(problem), r2_of(problem, permutations=np.arange(150)))


def test_two_dimensional_scores_are_components_of_one_score(problem: problems.ComponentProblem) -> None:
    single = problem.scores[:, :, 0]
    got = component_r2(single, problem.labels, problem.folds)
    assert np.array_equal(got, component_r2(single[:, :, None], problem.labels, problem.folds))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("constant", [0.0, 1.0, 0.1, -1e6 / 3])
def test_a_constant_label_has_no_r2(problem: problems.ComponentProblem, backend: str, constant: float) -> None:
    labels = np.hstack([problem.labels, np.full((150, 1), constant)])
    r2 = component_r2(problem.scores, labels, problem.folds, backend=backend)
    assert not r2[:, -1].any()
    assert np.abs(r2[:, :-1] - loop_r2(problem)).max() <= problem.tolerance


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_constant_component_explains_nothing(problem: problems.ComponentProblem, backend: str) -> None:
    scores = problem.scores.copy()
    scores[:, 1] = 0.1
    assert not component_r2(scores, problem.labels, problem.folds, backend=backend)[1].any()


@pytest.mark.parametrize("backend", BACKENDS)
@given(problem=problems.component_problems())
def test_units_and_offsets_of_labels_do_not_matter(backend: str, problem: problems.ComponentProblem) -> None:
    moved = component_r2(problem.scores, 8.0 * problem.labels - 3.0, problem.folds, problem.alpha, backend=backend)
    # 8 is a power of 2; the offset rounds labels of size 10 or so by 10 u.
    assert np.abs(moved - r2_of(problem, backend=backend)).max() <= 2 * problem.tolerance


@pytest.mark.parametrize("backend", BACKENDS)
@given(problem=problems.component_problems(), shift=problems.st.floats(-1e3, 1e3))
def test_offsets_of_scores_do_not_matter(backend: str, problem: problems.ComponentProblem, shift: float) -> None:
    moved = component_r2(problem.scores + shift, problem.labels, problem.folds, problem.alpha, backend=backend)
    # Adding the shift rounds every score by |shift| u and its mean by up to n of these: as if n grew |shift| times.
    assert np.abs(moved - r2_of(problem, backend=backend)).max() <= problem.tolerance * (2 + abs(shift))


@pytest.mark.parametrize("backend", BACKENDS)
def test_names_of_folds_do_not_matter(problem: problems.ComponentProblem, backend: str) -> None:
    renamed = np.array([3, 0, 4, 2, 1])[problem.folds]
    moved = component_r2(problem.scores, problem.labels, renamed, problem.alpha, backend=backend)
    assert np.abs(moved - r2_of(problem, backend=backend)).max() <= problem.tolerance


@pytest.mark.parametrize("d", [1, 2, 8])
def test_threads_do_not_change_a_byte(rng: np.random.Generator, d: int) -> None:
    problem = problems.component_problem(2, 400, 9, d, 5, one_hot=False)
    permutations = rng.permuted(np.broadcast_to(np.arange(400), (41, 400)), axis=1)
    results = [r2_of(problem, permutations=permutations, n_threads=t).tobytes() for t in (1, 2, 3, 7)]
    assert set(results) == {results[0]}


@pytest.mark.parametrize("one_hot", [True, False])
@pytest.mark.parametrize(("n_components", "n_labels"), [(1, 1), (15, 9), (29, 37), (3, 300)])
def test_more_rows_and_columns_than_a_chunk(one_hot: bool, n_components: int, n_labels: int) -> None:
    """Folds of several chunks, columns of several panels and of parts of one, permutations of several groups."""
    problem = problems.component_problem(4, 700, n_components, 1, n_labels, one_hot=one_hot, n_folds=3)
    permutations = np.stack([np.arange(700), *(problems.generator(k).permutation(700) for k in range(6))])
    found = r2_of(problem, permutations=permutations)
    for k in (0, 6):
        assert np.abs(found[k] - loop_r2(problem, permutations[k])).max() <= problem.tolerance


def test_rows_of_several_classes_or_none(rng: np.random.Generator) -> None:
    scores, labels = rng.standard_normal((300, 4)), (rng.random((300, 11)) < 0.2).astype(float)
    labels[:, 3] = scores[:, 0] > 1
    assert set(labels.sum(axis=1)) >= {0.0, 1.0, 4.0}
    problem = problems.ComponentProblem(scores[:, :, None], labels, np.arange(300) % 5, 1.0, 2.0)
    assert np.abs(r2_of(problem) - loop_r2(problem)).max() <= problem.tolerance


def test_a_fold_that_begins_unlike_the_rest_of_it(rng: np.random.Generator) -> None:
    """The sums of a fold are about the mean of its first rows: here these lie far from the others and do not vary."""
    n = 2000
    labels = rng.standard_normal((n, 1))
    labels[:256:2] = labels[1:256:2] = 40.0
    scores = labels + 0.3 * rng.standard_normal((n, 1))
    folds = np.arange(n) % 2
    found = component_r2(scores, labels, folds)[0, 0]
    # At worst 1000 / 128 times the rounding of sums of 2000 squares; for the factor 32 see `ComponentProblem.tolerance`.
    assert abs(found - loop_in_extended_precision(scores[:, 0], labels[:, 0], folds, 1.0)) <= 8 * 32 * n * problems.U


@given(problem=problems.component_problems())
def test_float32_products_cost_known_digits(problem: problems.ComponentProblem) -> None:
    """Sums of up to 128 products in float32: 130 roundings of 2^-24; the factor as in `ComponentProblem.tolerance`."""
    found = r2_of(problem, precision="f32")
    assert np.abs(found - r2_of(problem)).max() <= 32 * 130 * 2.0**-24 * problem.condition


def test_float32_products_are_float32_where_there_are_products(rng: np.random.Generator) -> None:
    dense = problems.component_problem(3, 500, 20, 1, 7, one_hot=False)
    found, exact = r2_of(dense, precision="f32"), r2_of(dense)
    assert 0 < np.abs(found - exact).max() <= 1e-5
    one_hot = problems.component_problem(3, 500, 20, 1, 7, one_hot=True)
    assert np.array_equal(r2_of(one_hot, precision="f32"), r2_of(one_hot))


def test_types_and_layouts_do_not_matter(problem: problems.ComponentProblem) -> None:
    scores = problem.scores.astype(np.float32)
    expected = component_r2(scores.astype(np.float64), problem.labels, problem.folds)
    for same in (scores, np.asfortranarray(scores), scores[::-1][::-1], scores.astype(">f4")):
        got = component_r2(same, problem.labels.astype(int), problem.folds.astype(np.uint8))
        assert np.array_equal(got, expected)


@pytest.mark.parametrize(("n", "n_folds"), [(7, 5), (10, 5), (100, 3)])
def test_shuffled_folds_are_the_published_ones(n: int, n_folds: int) -> None:
    order = np.arange(n)
    np.random.RandomState(42).shuffle(order)
    folds = shuffled_folds(n, n_folds, seed=42)
    start = 0
    for fold in range(n_folds):
        size = n // n_folds + (fold < n % n_folds)
        assert set(np.flatnonzero(folds == fold)) == set(order[start : start + size])
        start += size
    assert start == n


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"scores": np.ones(6)}, InputValueError, r"scores must have shape .*got \(6,\)"),
        ({"scores": np.ones((0, 2))}, InputValueError, r"scores must have shape .*got \(0, 2\)"),
        ({"scores": np.ones((6, 1, 9))}, InputValueError, "at most 8 scores; got 9"),
        ({"scores": [["a"]] * 6}, InputTypeError, "scores must be"),
        ({"scores": np.ones((6, 2)) * 1j}, InputTypeError, "scores must be"),
        ({"scores": np.full((6, 2), np.nan)}, InputValueError, "scores .*must be finite"),
        ({"labels": np.ones((5, 1))}, InputValueError, r"labels must have shape \(6, n_labels\).*got \(5, 1\)"),
        ({"labels": np.ones(6)}, InputValueError, r"labels must have shape .*got \(6,\)"),
        ({"labels": np.ones((6, 0))}, InputValueError, "labels must have shape"),
        ({"labels": [["a"]] * 6}, InputTypeError, "labels must be"),
        ({"labels": np.full((6, 1), np.inf)}, InputValueError, "labels must be finite"),
        ({"folds": np.zeros(6, int)}, InputValueError, r"folds must number at least two.*got \[0\]"),
        ({"folds": np.array([0, 2] * 3)}, InputValueError, r"folds must number.*without gaps; got \[0, 2\]"),
        ({"folds": np.array([-1, 0] * 3)}, InputValueError, r"folds must number.*got \[-1, 0\]"),
        ({"folds": np.array([0, 1])}, InputValueError, r"folds must have shape \(6,\).*got \(2,\)"),
        ({"folds": np.array([0.0, 1.0] * 3)}, InputTypeError, "folds must be integers; got float64"),
        ({"alpha": 0.0}, InputValueError, "alpha must be a finite number > 0; got 0"),
        ({"alpha": np.nan}, InputValueError, "alpha must be a finite number > 0; got nan"),
        ({"alpha": "large"}, InputTypeError, "alpha must be a finite number > 0; got 'large'"),
        ({"permutations": np.arange(5)}, InputValueError, r"permutations must have shape \(\.\.\., 6\); got \(5,\)"),
        ({"permutations": np.arange(6) + 1}, InputValueError, r"permutations must hold row numbers 0 \.\.\. 5"),
        ({"permutations": np.arange(6) - 1}, InputValueError, "permutations must hold row numbers"),
        ({"permutations": np.arange(6.0)}, InputTypeError, "permutations must be integers; got float64"),
        ({"n_threads": "2"}, InputTypeError, "n_threads must be an integer"),
        ({"backend": "tpu"}, InputValueError, "backend must be one of"),
    ],
)
def test_bad_arguments_are_named(changes: dict[str, object], error: type[Exception], message: str) -> None:
    good = {"scores": np.ones((6, 2)), "labels": np.ones((6, 1)), "folds": np.array([0, 1] * 3)}
    with pytest.raises(error, match=message):
        component_r2(**{**good, **changes})


def loop_in_extended_precision(scores: np.ndarray, labels: np.ndarray, folds: np.ndarray, alpha: float) -> float:
    """R² of one label from one score, fold by fold in long double: on x86 11 more bits than the kernel has."""
    x, y = scores.astype(np.longdouble), labels.astype(np.longdouble)
    error = total = np.longdouble(0)
    for fold in range(folds.max() + 1):
        is_test = folds == fold
        x_mean, y_mean = x[~is_test].mean(), y[~is_test].mean()
        centred = x[~is_test] - x_mean
        weight = centred @ (y[~is_test] - y_mean) / (centred @ centred + alpha)
        error += ((y[is_test] - y_mean - weight * (x[is_test] - x_mean)) ** 2).sum()
        total += ((y[is_test] - y[is_test].mean()) ** 2).sum()
    return float(max(1 - error / total, 0))


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize(
    ("kind", "size"),
    [(kind, size) for kind in ("outlying row", "drift between folds") for size in (1e3, 1e6)]
    + [("outlying row", 1e10)],
)
def test_far_rows_and_folds_cost_few_digits(rng: np.random.Generator, backend: str, size: float, kind: str) -> None:
    """Values of `size` beside a spread of 1 keep size * 2^-52 of it; a hundred such errors may add up in R²."""
    n = 400
    folds = np.arange(n) // 80 if kind == "drift between folds" else np.arange(n) % 5
    scores = rng.standard_normal(n) + (size * folds if kind == "drift between folds" else 0)
    labels = scores + 0.5 * rng.standard_normal(n)
    if kind == "outlying row":
        scores[7] = labels[7] = size
    found = component_r2(scores[:, None], labels[:, None], folds, backend=backend)[0, 0]
    assert found == pytest.approx(
        loop_in_extended_precision(scores, labels, folds, 1.0), abs=1e-12 + 100 * size * 2.0**-52
    )


@pytest.mark.parametrize("backend", ["cpu", "reference"])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3, 1e7])
def test_collinear_scores_equal_one_score_of_half_the_ridge(
    rng: np.random.Generator, backend: str, scale: float
) -> None:
    """Two copies of a score share the weight: the ridge of each is felt half. At 1e7 the ridge is below rounding."""
    score, folds = scale * rng.standard_normal(300), np.arange(300) % 5
    labels = score / scale + 0.5 * rng.standard_normal(300)
    doubled = component_r2(np.stack([score, score], axis=1)[:, None], labels[:, None], folds, 1.0, backend=backend)
    single = component_r2(score[:, None], labels[:, None], folds, 0.5, backend=backend)
    # Leaving out the null direction instead of halving the ridge changes R² by at most alpha / (n var): 1 / (300 scale²);
    # that happens only where it is below the rounding of the Gram matrix, 8 n 2^-52 = 5e-13.
    np.testing.assert_allclose(doubled, single, atol=2e-12)


@pytest.mark.parametrize("scale", [1e-200, 1e-20, 1e-9, 1e9, 1e200])
def test_units_of_labels_do_not_matter(rng: np.random.Generator, scale: float) -> None:
    score, folds = rng.standard_normal((200, 1)), np.arange(200) % 5
    labels = score + 0.5 * rng.standard_normal((200, 1))
    np.testing.assert_allclose(
        component_r2(score, scale * labels, folds), component_r2(score, labels, folds), rtol=1e-12
    )
