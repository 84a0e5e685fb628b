"""Labels as they come: the variables of arrays, mappings and frames, typed, with what is missing set apart."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError

_LEAST_LABELLED = 10  # rows; fewer teach nothing about thousands of unlabelled ones


def typed_variables(labels: Any, *, allow_missing: bool) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Each variable's values at the labelled rows, as strings, integers, booleans or floats; and which rows those are.

    Raises what `crossphase.encode_labels` says of missing values and of wrong types.
    """
    raw = _variables(labels)
    lengths = {variable: len(values) for variable, (_, values) in raw.items()}
    if not raw or min(lengths.values()) == 0:
        raise InputValueError("labels are empty; at least one label variable with one value a row is needed.")
    if len(set(lengths.values())) > 1:
        raise InputValueError(f"labels must have one value a row in every variable; got lengths {lengths}.")
    if allow_missing:
        return _without_missing(raw)
    variables = {variable: _as_variable(values, name) for variable, (name, values) in raw.items()}
    return variables, np.ones(next(iter(lengths.values())), dtype=bool)


def is_missing(value: Any) -> bool:
    """Whether one entry of a list or an object array stands for "not known": None, NaN, NA or NaT."""
    return (
        value is None
        or type(value).__name__ in ("NAType", "NaTType")
        or (isinstance(value, float) and math.isnan(value))
    )


def _without_missing(raw: dict[str, tuple[str, np.ndarray]]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The variables at the rows where none of them is missing, and which rows those are."""
    there = {variable: ~_is_missing(values) for variable, (_, values) in raw.items()}
    is_labelled = np.logical_and.reduce(list(there.values()))
    n, n_labelled = len(is_labelled), int(is_labelled.sum())
    if n_labelled < n and n_labelled < _LEAST_LABELLED:
        counts = ", ".join(f"{variable} {int(mask.sum())}" for variable, mask in there.items())
        raise InputValueError(
            f"labels must be there in at least {_LEAST_LABELLED} rows; {n_labelled} of {n} rows have "
            f"{'all of them' if len(there) > 1 else 'one'} (rows with a value: {counts}). Label more rows, or leave out the "
            "variable that is missing most."
        )
    variables = {}
    for variable, (name, values) in raw.items():
        # A stand-in for what is missing keeps row numbers right in messages about the rest.
        filled = values if there[variable].all() else np.where(there[variable], values, values[there[variable]][0])
        typed = _as_variable(filled, name)
        variables[variable] = typed[is_labelled]
        if typed.dtype.kind != "f":
            lost = np.setdiff1d(typed, variables[variable])
            if len(lost):
                raise InputValueError(
                    f"{name}: class {text_of(lost[0])!r} ({len(lost)} such in all) is in no row where every label variable is "
                    "known. Drop its rows' values, or leave out the variable that is missing there."
                )
    return variables, is_labelled


def _is_missing(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind == "f":
        return np.asarray(np.isnan(values))
    if values.dtype.kind in "OT":
        return np.fromiter((is_missing(value) for value in values.astype(object)), dtype=bool, count=len(values))
    return np.zeros(len(values), dtype=bool)


def _variables(labels: Any) -> dict[str, tuple[str, np.ndarray]]:
    """Each variable's name, its name in messages, and its values as they came, one-dimensional."""
    if labels is None:
        raise InputTypeError("labels are needed: class names, integers or measurements, one a row; got None.")
    if isinstance(labels, Mapping):
        _require_distinct(list(labels))
        return {str(name): _one_variable(values, f"labels[{name!r}]") for name, values in labels.items()}
    if hasattr(labels, "collect") and hasattr(labels, "lazy"):
        raise InputTypeError("labels are a lazy frame; pass labels.collect().")
    if hasattr(labels, "columns") and hasattr(labels, "__getitem__"):  # pandas, polars
        names = list(labels.columns)
        _require_distinct(names)
        return {str(name): _one_variable(labels[name], f"labels[{name!r}]") for name in names}
    array = _to_numpy(labels, "labels")
    if array.ndim == 1:
        return {"label": ("labels", array)}
    if array.ndim == 2:
        if array.dtype.kind in "biu" and np.isin(array, (0, 1)).all():
            array = array.astype(np.float64)  # an indicator matrix already
        return {f"label_{j}": (f"labels, column {j}", array[:, j]) for j in range(array.shape[1])}
    raise InputValueError(f"labels must have shape (n_samples,) or (n_samples, n_labels); got {array.shape}.")


def _require_distinct(names: list[Any]) -> None:
    texts = [str(name) for name in names]
    twice = [text for text in dict.fromkeys(texts) if texts.count(text) > 1]
    if twice:
        raise InputValueError(f"labels have more than one variable named {twice[0]!r}; rename one of them.")


def _to_numpy(values: Any, name: str) -> np.ndarray:
    if isinstance(values, np.ma.MaskedArray):
        raise InputTypeError(f"{name} is a masked array; its mask would be ignored. Drop the masked rows first.")
    try:
        array = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    except ValueError as error:
        raise InputValueError(
            f"{name} must have one value a row; NumPy cannot make an array of it ({error})."
        ) from error
    if array.dtype.kind == "f" and str(getattr(values, "dtype", "")).lower().startswith(("int", "uint", "bool")):
        return np.array(
            values.to_list(), dtype=object
        )  # nullable integers that pandas and polars made floats for the gaps
    if (
        isinstance(values, list | tuple)
        and array.dtype.kind in "US"
        and not all(isinstance(v, str | bytes) for v in values)
    ):
        return np.array(values, dtype=object)  # NumPy would have turned the numbers among the strings into strings
    return array


def _one_variable(values: Any, name: str) -> tuple[str, np.ndarray]:
    array = _to_numpy(values, name)
    if array.ndim != 1:
        raise InputValueError(f"{name} must be one-dimensional; got shape {array.shape}.")
    return name, array


def _as_variable(array: np.ndarray, name: str) -> np.ndarray:
    """One label variable as strings, integers, booleans or floats."""
    if array.dtype.kind in "OT":
        array = _from_objects(array.astype(object), name)
    if array.dtype.kind in "biuUS":
        return array
    if array.dtype.kind == "f":
        bad = np.flatnonzero(~np.isfinite(array.astype(np.float64)))
        if len(bad):
            raise InputValueError(
                f"{name} must be finite; got {array[bad[0]]} at row {bad[0]} ({len(bad)} such values in all). "
                "Drop those rows from X, Y and labels."
            )
        return array.astype(np.float64)
    raise InputTypeError(
        f"{name} must be class names, integers, booleans or floating-point numbers; got {array.dtype}. "
        "Convert dates and the like to one of these first."
    )


def _from_objects(array: np.ndarray, name: str) -> np.ndarray:
    for row, value in enumerate(array):
        if is_missing(value):
            raise InputValueError(
                f"{name} has a missing value ({value}) at row {row}; drop those rows from X, Y and labels."
            )
    kinds = {type(value) for value in array}
    if kinds <= {str, np.str_}:
        return array.astype(np.str_)
    if kinds <= {bool, np.bool_}:
        return array.astype(np.bool_)
    if all(issubclass(kind, bool | np.bool_ | int | np.integer) for kind in kinds):
        try:
            return array.astype(np.int64)
        except OverflowError:
            raise InputTypeError(f"{name} must be integers of at most 64 bits; pass larger ones as strings.") from None
    if all(issubclass(kind, int | float | np.integer | np.floating) for kind in kinds):
        return _as_variable(array.astype(np.float64), name)
    row = next(i for i, value in enumerate(array) if not isinstance(value, str))
    raise InputTypeError(
        f"{name} must hold strings only, or numbers only; row {row} holds {array[row]!r} "
        f"({type(array[row]).__name__}). Convert with str() or float() first."
    )


def text_of(value: Any) -> str:
    """A class as messages and column names show it."""
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
