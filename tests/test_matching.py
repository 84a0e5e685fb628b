"""Rows matched by the names of their samples."""

from __future__ import annotations

import doctest
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import crossphase
from crossphase import InputTypeError, InputValueError, match_rows


@given(st.lists(st.integers(-50, 50), min_size=1, max_size=40, unique=True), st.randoms(use_true_random=False))
def test_matched_rows_have_the_same_ids(ids: list[int], random: Any) -> None:
    theirs = [i for i in [*ids, *range(100, 110)] if random.random() < 0.7 or i == ids[0]]
    random.shuffle(theirs)
    match = match_rows(ids, theirs)
    assert [ids[i] for i in match.rows_x] == [theirs[j] for j in match.rows_y] == match.ids.tolist()
    assert match.rows_x.tolist() == sorted(match.rows_x)
    assert set(match.ids.tolist()) == set(ids) & set(theirs)
    assert match.n_dropped_x == len(ids) - match.n_matched
    assert match.n_dropped_y == len(theirs) - match.n_matched
    assert match.rows_labels is None
    assert (match.n_dropped_labels, match.n_unlabelled) == (0, 0)


def test_labels_may_be_few() -> None:
    match = match_rows(["a", "b", "c", "d"], ["d", "b", "a"], ["b", "z", "d"])
    assert match.ids.tolist() == ["a", "b", "d"]
    assert match.rows_labels is not None
    assert match.rows_labels.tolist() == [-1, 0, 2]
    assert (match.n_unlabelled, match.n_dropped_labels, match.n_dropped_x, match.n_dropped_y) == (1, 1, 1, 0)
    assert str(match) == ("3 pairs matched by id, 1 of them without a label; left out: 1 rows of X, 0 of Y, 1 labels.")


@pytest.mark.parametrize(
    "kind", ["list", "tuple", "array", "object", "bytes", "pandas", "pandas string", "polars", "index"]
)
def test_ids_come_in_many_types(kind: str) -> None:
    names = ["s10", "s9", "s11"]
    if kind.startswith("pandas") or kind == "index":
        pd = pytest.importorskip("pandas")
        given: Any = (
            pd.Index(names) if kind == "index" else pd.Series(names, dtype="string" if "string" in kind else object)
        )
    elif kind == "polars":
        given = pytest.importorskip("polars").Series(names)
    else:
        given = {
            "list": names,
            "tuple": tuple(names),
            "array": np.array(names),
            "object": np.array(names, dtype=object),
            "bytes": np.array(names, dtype="S"),
        }[kind]
    match = match_rows(given, ["s9", "s10"])
    assert (match.rows_x.tolist(), match.rows_y.tolist()) == ([0, 1], [1, 0])


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (
            ["a", "b", "c", "b", "a"],
            InputValueError,
            r"ids_x must name every row differently; 'a' is in rows 0 and 4 \(2 ids occur",
        ),
        ([3, 1, 1], InputValueError, r"1 is in rows 1 and 2 \(1 id occurs more than once\). Average the copies"),
        (["a", None, "b"], InputValueError, r"ids_x has a missing id \(None\) at row 1"),
        (["a", "", "b"], InputValueError, r"ids_x has a missing id \(''\) at row 1"),
        ([float("nan"), "b"], InputValueError, r"ids_x has a missing id \(nan\) at row 0"),
        (["a", 1], InputTypeError, r"strings only, or integers only; row 1 holds 1 \(int\). Convert all with str"),
        ([1, "a"], InputTypeError, r"row 1 holds 'a' \(str\)"),
        ([True, False], InputTypeError, "row 0 holds True"),
        ([1.0, 2.0], InputTypeError, r"row 0 holds 1.0 \(float\)"),
        (np.array([1.0, 2.0]), InputTypeError, "ids_x must be strings or integers; got float64"),
        ([2**70], InputTypeError, "at most 64 bits"),
        ("abc", InputTypeError, "ids_x must hold one id a row; got 'abc'"),
        (3, InputTypeError, "ids_x must hold one id a row; got 3"),
        ([], InputValueError, "ids_x is empty"),
        (np.ones((2, 2), int), InputValueError, r"ids_x must be one-dimensional, one id a row; got shape \(2, 2\)"),
        ([1, 2], InputTypeError, "ids_x and ids_y must both be strings or both integers; got int64 and <U1"),
        (["x1", "x2"], InputValueError, "no id in common: 2 beginning with 'x1', 2 beginning with 'a'"),
    ],
)
def test_ids_that_cannot_be_used_are_explained(ids: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        match_rows(ids, ["a", "b"])


def test_labels_of_other_samples_are_refused() -> None:
    with pytest.raises(InputValueError, match="the pairs of X and Y and ids_labels have no id in common"):
        match_rows(["a", "b"], ["a", "b"], ["c"])
    with pytest.raises(InputValueError, match="ids_labels must name every row differently"):
        match_rows(["a", "b"], ["a", "b"], ["a", "a"])


def test_docstring_example() -> None:
    outcome = doctest.testmod(crossphase.matching)
    assert outcome.attempted > 0
    assert outcome.failed == 0
