"""Label signal: its rank, which columns are recoverable, and false alarms where labels tell nothing."""

from __future__ import annotations

import numpy as np
import pytest

from crossphase import InputValueError, label_recoverability, label_signal_rank
from crossphase._seeds import derived_generator, seed_sequence
from crossphase.label_tests import _STREAM


def labelled(
    rng: np.random.Generator, n: int, p: int, n_classes: int, strength: float
) -> tuple[np.ndarray, np.ndarray]:
    classes = rng.integers(0, n_classes, n)
    X = rng.standard_normal((n, p))
    X[:, :n_classes] += strength * np.eye(n_classes)[classes]
    return X, classes


def test_classes_have_one_direction_fewer_than_classes(rng: np.random.Generator) -> None:
    X, classes = labelled(rng, 600, 10, 4, 3.0)
    found = label_signal_rank(X, classes)
    assert found.n_directions == 3
    assert found.rank_y == 3
    assert label_signal_rank(X, np.array([f"class {c}" for c in classes])).p_values.tolist() == found.p_values.tolist()


def test_rank_is_that_of_the_signal_not_of_the_labels(rng: np.random.Generator) -> None:
    X = rng.standard_normal((500, 8))
    weights = rng.standard_normal((2, 5))
    labels = X[:, :2] @ weights + 0.5 * rng.standard_normal((500, 5))
    assert label_signal_rank(X, labels).n_directions == 2


def test_false_alarms_of_rank_and_of_any_column() -> None:
    """Classes of unequal size and a measurement, none of them in X."""
    n_draws, ranks, columns = 200, 0, 0
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        X = np.exp(0.5 * rng.standard_normal((60, 5)))
        labels = {"class": rng.choice(3, 60, p=(0.6, 0.3, 0.1)), "size": rng.standard_normal(60)}
        ranks += label_signal_rank(X, labels, n_resamples=19, rng=seed, n_threads=1).is_any
        columns += bool(label_recoverability(X, labels, n_resamples=19, rng=seed, n_threads=1).is_recoverable.any())
    # Four binomial standard errors above .05.
    bound = 0.05 + 4 * np.sqrt(0.05 * 0.95 / n_draws)
    assert ranks / n_draws <= bound
    assert columns / n_draws <= bound


def test_recoverable_columns_are_those_with_signal(rng: np.random.Generator) -> None:
    n = 400
    X = rng.standard_normal((n, 12))
    labels = {"strong": X[:, 0] + 0.5 * rng.standard_normal(n), "none": rng.standard_normal(n), "class": X[:, 1] > 0}
    found = label_recoverability(X, labels)
    assert found.column_names == ("strong", "none", "class=False", "class=True")
    assert found.is_recoverable.tolist() == [True, False, True, True]
    # 1 / (1 + .25), less the ridge's and the estimation's (p / n = 3 %) shares; four standard errors of an R²,
    # 2 (1 - R²) sqrt(R² / n).
    assert found.r2[0] == pytest.approx(0.8, abs=0.03 + 4 * 2 * 0.2 * np.sqrt(0.8 / n))
    assert found.r2[1] < found.null_levels[1]
    assert (found.familywise_p_values >= found.p_values - 1e-12).all()
    assert found.r2[2] == pytest.approx(found.r2[3], rel=1e-9)  # a class and its complement


def test_r2_is_that_of_ridge_regressions_fold_by_fold(rng: np.random.Generator) -> None:
    """Against explicit regressions on the standardized columns, folds taken from groups: group g is in fold order(g) % 4."""
    n, p = 80, 6
    X, y = rng.standard_normal((n, p)) * np.geomspace(0.01, 100, p), rng.standard_normal((n, 2))
    y[:, 0] += X[:, 0] * 200
    groups = np.arange(n) // 8
    found = label_recoverability(X, y, groups=groups, n_folds=4, rng=7, n_resamples=39)
    Z = (X - X.mean(axis=0)) / X.std(axis=0)
    order = derived_generator(seed_sequence(7), _STREAM).permutation(10)
    fold = np.argsort(order)[groups] % 4
    residual = np.zeros(2)
    for k in range(4):
        train, held = fold != k, fold == k
        mean_z, mean_y = Z[train].mean(axis=0), y[train].mean(axis=0)
        gram = (Z[train] - mean_z).T @ (Z[train] - mean_z) + p * np.eye(p)
        weights = np.linalg.solve(gram, (Z[train] - mean_z).T @ (y[train] - mean_y))
        residual += ((y[held] - mean_y - (Z[held] - mean_z) @ weights) ** 2).sum(axis=0)
    expected = 1 - residual / ((y - y.mean(axis=0)) ** 2).sum(axis=0)
    assert found.r2 == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_groups_keep_recoverability_honest() -> None:
    """A label of the group, not in X but for the group's own mean: rows of one group must not help each other."""
    n_draws, counts = 100, {"with": 0, "without": 0}
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        groups = np.repeat(np.arange(20), 6)
        X = rng.standard_normal((20, 5))[groups] + 0.1 * rng.standard_normal((120, 5))
        label = rng.standard_normal(20)[groups] + 0.1 * rng.standard_normal(120)
        for name, given in (("with", groups), ("without", None)):
            found = label_recoverability(X, label, groups=given, n_resamples=19, rng=seed, n_threads=1)
            counts[name] += bool(found.is_recoverable[0])
    assert counts["with"] / n_draws <= 0.05 + 4 * np.sqrt(0.05 * 0.95 / n_draws)
    assert counts["without"] / n_draws > 0.4


def test_unlabelled_rows_are_left_out(rng: np.random.Generator) -> None:
    X, labels = rng.standard_normal((200, 5)), rng.standard_normal((200, 2))
    labels[:, 0] += X[:, 0]
    known = rng.random(200) < 0.6
    partly = labels.copy()
    partly[~known, 1] = np.nan
    for function, field in ((label_signal_rank, "p_values"), (label_recoverability, "r2")):
        assert np.array_equal(getattr(function(X, partly), field), getattr(function(X[known], labels[known]), field))
    assert label_signal_rank(X, partly).n_samples == known.sum()


def test_more_features_than_rows(rng: np.random.Generator) -> None:
    shared = rng.standard_normal((100, 1))
    X = shared @ rng.standard_normal((1, 500)) + rng.standard_normal((100, 500))
    found = label_recoverability(X, shared[:, 0] + 0.3 * rng.standard_normal(100))
    assert found.is_recoverable[0]
    assert label_signal_rank(X, shared[:, 0] + 0.3 * rng.standard_normal(100)).n_directions == 1
    noise = label_recoverability(X, rng.standard_normal(100))
    assert not noise.is_recoverable[0]


@pytest.mark.parametrize(
    ("labels", "options", "message"),
    [
        (np.full(30, np.nan), {}, "labels are missing .NaN. in every row"),
        (np.arange(29.0), {}, "labels must have one row for each of the 30 rows of X; got 29"),
        (np.zeros(30, dtype=int), {}, "at least two classes"),
        (np.arange(30.0), {"n_folds": 1}, "n_folds must be at least 2"),
        (np.arange(30.0), {"n_folds": 31}, "at least 31 labelled rows are needed for 31 folds"),
        (np.arange(30.0), {"groups": np.arange(30) // 6}, "at least 7 groups are needed"),
    ],
)
def test_bad_input_is_named(
    labels: np.ndarray, options: dict[str, object], message: str, rng: np.random.Generator
) -> None:
    with pytest.raises(InputValueError, match=message):
        label_recoverability(rng.standard_normal((30, 3)), labels, **options)
