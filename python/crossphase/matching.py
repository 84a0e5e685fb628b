"""Rows of several files put in common order by the names of their samples."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.labels import is_missing


@dataclass(frozen=True, slots=True, eq=False)
class RowMatch:
    """Index arrays that put rows in common order: ``X[rows_x]``, ``Y[rows_y]``, ``labels[rows_labels]``."""

    rows_x: np.ndarray  # (n_matched,), integers, ascending: X keeps its order
    rows_y: np.ndarray  # (n_matched,)
    rows_labels: np.ndarray | None  # (n_matched,), -1 for a pair without a label; None if no ids of labels were given
    ids: np.ndarray  # (n_matched,), of the matched rows
    n_dropped_x: int  # rows of X whose id Y does not have
    n_dropped_y: int
    n_dropped_labels: int  # labels of no matched pair
    n_unlabelled: int  # matched pairs whose id the labels do not have; 0 if no ids of labels were given

    @property
    def n_matched(self) -> int:
        return len(self.rows_x)

    def __str__(self) -> str:
        dropped = [f"{self.n_dropped_x} rows of X", f"{self.n_dropped_y} of Y"]
        labels = ""
        if self.rows_labels is not None:
            dropped.append(f"{self.n_dropped_labels} labels")
            labels = f", {self.n_unlabelled} of them without a label"
        return f"{self.n_matched} pairs matched by id{labels}; left out: {', '.join(dropped)}."


def match_rows(ids_x: Any, ids_y: Any, ids_labels: Any = None) -> RowMatch:
    """Which row of X, of Y and of the labels is which sample?

    Parameters
    ----------
    ids_x, ids_y : sequence of strings or integers, shapes (n_rows_x,) and (n_rows_y,)
        Names of the samples, each once. Strings and integers do not match each other.
    ids_labels : sequence of strings or integers, shape (n_rows_labels,), optional

    Returns
    -------
    RowMatch
        Pairs are the samples that X and Y both have, in the order of X; those without a label stay, marked.

    Raises
    ------
    InputValueError
        An id is missing (None, NaN, empty) or occurs twice; X and Y, or the pairs and the labels, have no id in common.
    InputTypeError
        Ids are neither strings nor integers, or strings on one side and integers on the other.

    Examples
    --------
    >>> import numpy as np
    >>> from crossphase import match_rows
    >>> match = match_rows(["a", "b", "c"], ["c", "a", "d"])
    >>> print(match)
    2 pairs matched by id; left out: 1 rows of X, 1 of Y.
    >>> match.rows_x, match.rows_y
    (array([0, 2]), array([1, 0]))
    """
    mine, theirs = _unique_ids(ids_x, "ids_x"), _unique_ids(ids_y, "ids_y")
    _require_same_kind(mine, "ids_x", theirs, "ids_y")
    rows_y = _positions(mine, theirs)
    rows_x = np.flatnonzero(rows_y >= 0)
    rows_y = rows_y[rows_x]
    if len(rows_x) == 0:
        raise InputValueError(_nothing_in_common(mine, "ids_x", theirs, "ids_y"))
    rows_labels, n_dropped_labels, n_unlabelled = None, 0, 0
    if ids_labels is not None:
        labelled = _unique_ids(ids_labels, "ids_labels")
        _require_same_kind(mine, "ids_x", labelled, "ids_labels")
        rows_labels = _positions(mine[rows_x], labelled)
        n_unlabelled = int((rows_labels < 0).sum())
        n_dropped_labels = len(labelled) - (len(rows_x) - n_unlabelled)
        if n_unlabelled == len(rows_x):
            raise InputValueError(_nothing_in_common(mine[rows_x], "the pairs of X and Y", labelled, "ids_labels"))
    return RowMatch(
        rows_x=rows_x,
        rows_y=rows_y,
        rows_labels=rows_labels,
        ids=mine[rows_x],
        n_dropped_x=len(mine) - len(rows_x),
        n_dropped_y=len(theirs) - len(rows_x),
        n_dropped_labels=n_dropped_labels,
        n_unlabelled=n_unlabelled,
    )


def as_ids(values: Any, name: str, n_rows: int | None = None) -> np.ndarray:
    """Ids as an array of strings or of integers, ``(n_rows,)``; repeats are allowed here."""
    array = values.to_numpy() if hasattr(values, "to_numpy") else values
    if not isinstance(array, np.ndarray):
        if isinstance(array, str | bytes) or not hasattr(array, "__iter__"):
            raise InputTypeError(f"{name} must hold one id a row; got {values!r}.")
        listed = list(array)
        array = np.empty(len(listed), dtype=object)  # NumPy would turn numbers among strings into strings
        array[:] = listed
    if array.ndim != 1:
        raise InputValueError(f"{name} must be one-dimensional, one id a row; got shape {array.shape}.")
    if len(array) == 0:
        raise InputValueError(f"{name} is empty; one id a row is needed.")
    if n_rows is not None and len(array) != n_rows:
        raise InputValueError(f"{name} must have one id for each of the {n_rows} rows; got {len(array)}.")
    if array.dtype.kind in "OST":
        array = _from_objects(array.tolist(), name)
    if array.dtype.kind not in "iuU":
        raise InputTypeError(
            f"{name} must be strings or integers; got {array.dtype}. Rounded numbers and dates are no safe names: pass strings."
        )
    if array.dtype.kind == "U" and (array == "").any():
        raise InputValueError(_missing(name, "", int(np.argmax(array == ""))))
    return np.asarray(array)


def _from_objects(given: list[Any], name: str) -> np.ndarray:
    given = [value.decode(errors="replace") if isinstance(value, bytes) else value for value in given]
    kind: Any = str if isinstance(given[0], str) else (int, np.integer)
    for row, value in enumerate(given):
        if is_missing(value):
            raise InputValueError(_missing(name, value, row))
        if not isinstance(value, kind) or isinstance(value, bool):
            raise InputTypeError(
                f"{name} must be strings only, or integers only; row {row} holds {value!r} ({type(value).__name__}). Convert "
                "all with str()."
            )
    try:
        return np.array(given, dtype=np.str_ if kind is str else np.int64)
    except OverflowError:
        raise InputTypeError(f"{name} must be integers of at most 64 bits; pass larger ones as strings.") from None


def _missing(name: str, value: Any, row: int) -> str:
    return f"{name} has a missing id ({value!r}) at row {row}; every row needs one. Drop that row or name it."


def _unique_ids(values: Any, name: str) -> np.ndarray:
    ids = as_ids(values, name)
    distinct, first, counts = np.unique(ids, return_index=True, return_counts=True)
    repeated = np.flatnonzero(counts > 1)
    if len(repeated):
        which = repeated[np.argmin(first[repeated])]
        rows = np.flatnonzero(ids == distinct[which])
        plural = "s occur" if len(repeated) > 1 else " occurs"
        raise InputValueError(
            f"{name} must name every row differently; {_quoted(distinct[which])} is in rows {rows[0]} and {rows[1]} "
            f"({len(repeated)} id{plural} more than once). Average the copies or keep one of each."
        )
    return ids


def _require_same_kind(ids: np.ndarray, name: str, others: np.ndarray, their_name: str) -> None:
    if (ids.dtype.kind == "U") != (others.dtype.kind == "U"):
        raise InputTypeError(
            f"{name} and {their_name} must both be strings or both integers; got {ids.dtype} and {others.dtype}. Convert one, "
            "minding leading zeros."
        )


def _positions(wanted: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Row of each wanted id among the `ids`, -1 where it is not."""
    order = np.argsort(ids, kind="stable")
    places = np.minimum(np.searchsorted(ids, wanted, sorter=order), len(ids) - 1)
    rows = order[places]
    return np.where(ids[rows] == wanted, rows, -1)


def _nothing_in_common(ids: np.ndarray, name: str, others: np.ndarray, their_name: str) -> str:
    return (
        f"{name} and {their_name} have no id in common: {len(ids)} beginning with {_quoted(ids[0])}, {len(others)} beginning "
        f"with {_quoted(others[0])}. Check spelling, prefixes and leading zeros."
    )


def _quoted(value: Any) -> str:
    return repr(value.item() if isinstance(value, np.generic) else value)
