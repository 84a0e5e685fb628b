"""Folds: whole groups, even classes, even sizes."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pytest
from hypothesis import given

from crossphase import InputTypeError, InputValueError
from crossphase.folds import assign_folds


@given(n=st.integers(2, 200), k=st.integers(2, 12), n_classes=st.integers(1, 9), seed=st.integers(0, 2**31))
def test_sizes_and_classes_differ_by_at_most_one(n, k, n_classes, seed):
    k = min(k, n)
    classes = np.random.default_rng(seed).integers(0, n_classes, n)
    folds = assign_folds(n, k, classes=classes, rng=seed)
    sizes = np.bincount(folds, minlength=k)
    assert len(sizes) == k
    assert np.ptp(sizes) <= 1
    for code in np.unique(classes):
        assert np.ptp(np.bincount(folds[classes == code], minlength=k)) <= 1


@given(
    sizes=st.lists(st.integers(1, 20), min_size=2, max_size=30),
    k=st.integers(2, 8),
    seed=st.integers(0, 2**31),
)
def test_groups_stay_whole_and_no_fold_is_empty(sizes, k, seed):
    k = min(k, len(sizes))
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(sizes)), sizes))
    folds = assign_folds(len(groups), k, groups=groups, rng=seed)
    assert set(folds) == set(range(k))
    for group in np.unique(groups):
        assert len(set(folds[groups == group])) == 1


def test_groups_are_spread_by_class_and_size(rng):
    """60 groups of 5 to 15 rows, one class each: no fold may miss its even share by more than the largest group."""
    sizes = rng.integers(5, 16, 60)
    groups = np.repeat(np.arange(60), sizes)
    classes = np.repeat(np.arange(60) % 4, sizes)
    folds = assign_folds(len(groups), 5, groups=groups, classes=classes, rng=0)
    for code in range(4):
        counts = np.bincount(folds[classes == code], minlength=5)
        assert np.abs(counts - counts.mean()).max() <= sizes.max()
    counts = np.bincount(folds, minlength=5)
    assert np.abs(counts - counts.mean()).max() <= sizes.max()


def test_seed_decides():
    one, same, other = (assign_folds(100, 5, rng=seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


def test_folds_are_random_within_a_class():
    """Rows dealt in their order would put rows i and i + k together in every seed."""
    together = np.mean([np.equal(*assign_folds(10, 5, rng=seed)[[0, 5]]) for seed in range(200)])
    assert together < 0.5  # 1 in 9 is expected


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"n_folds": 11}, "n_folds must be at most the number of rows, 10; got 11"),
        ({"groups": np.repeat([0, 1], 5)}, "got 2 groups for 3 folds"),
        ({"groups": np.zeros(9)}, r"groups must have one value a row, shape \(10,\); got shape \(9,\)"),
        ({"classes": np.zeros((10, 2))}, "classes must have one value a row"),
        ({"classes": np.array([0.0] * 9 + [np.nan])}, "classes must be finite; got nan at row 9"),
        ({"n_folds": 1}, "n_folds must be at least 2; got 1"),
    ],
)
def test_bad_input_gets_a_sentence(arguments, sentence):
    with pytest.raises(InputValueError, match=sentence):
        assign_folds(10, **{"n_folds": 3, "rng": 0, **arguments})


def test_mixed_types_get_a_sentence():
    with pytest.raises(InputTypeError, match="groups must be strings only, or numbers only"):
        assign_folds(4, 2, groups=np.array(["a", 1, None, "b"], dtype=object), rng=0)
