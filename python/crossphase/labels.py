"""Labels as people have them, made numeric: classes one-hot, measurements as columns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError


@dataclass(frozen=True, slots=True)
class LabelVariable:
    """Which columns one label variable became."""

    name: str
    first: int  # its columns are first ... stop - 1
    stop: int
    is_classes: bool


@dataclass(frozen=True, slots=True, eq=False)
class LabelMatrix:
    """Numeric labels, one column a class or measurement."""

    values: (
        np.ndarray
    )  # (n_samples, n_columns), float64: 0/1 for classes; measurements have mean 0, variance 1, unless 0/1
    column_names: tuple[str, ...]  # (n_columns,): "species=oak" for a class, the variable's name for a measurement
    n_classes: int  # one-hot columns in all; 0 if every label is a measurement
    notes: tuple[tuple[str, str], ...]  # (code, sentence) of what a user should know about the encoding
    is_labelled: np.ndarray  # (n_samples,), booleans; rows of `values` without labels are 0 and mean nothing
    variables: tuple[LabelVariable, ...]  # those that vary, in the order of their columns

    def take(self, rows: np.ndarray) -> LabelMatrix:
        """The labels of some rows, in that order; -1 is a row without a label."""
        there = rows >= 0
        values = np.where(there[:, None], self.values[rows], 0.0)
        return replace(self, values=values, is_labelled=there & self.is_labelled[rows])

    def beyond(self, nuisance: LabelMatrix) -> tuple[LabelMatrix, float]:
        """What of the labels does not follow linearly from others, on rows that have both; and the share of variance that does.

        Raises
        ------
        InputValueError
            Nothing is left.
        """
        there = self.is_labelled & nuisance.is_labelled
        own = self.values[there] - self.values[there].mean(axis=0)
        other = nuisance.values[there] - nuisance.values[there].mean(axis=0)
        left = own - other @ np.linalg.lstsq(other, own, rcond=None)[0]
        share = 1 - float(np.square(left).sum() / np.square(own).sum())
        if share > 1 - _LEAST_LEFT:
            raise InputValueError(
                f"labels follow from nuisance_labels in all {int(there.sum())} rows that have both, so nothing is left to call "
                "signal. Leave out the nuisance variable that repeats the labels."
            )
        values = np.zeros_like(self.values)
        values[there] = left
        return replace(self, values=values, is_labelled=there), share

    @property
    def n_labelled(self) -> int:
        return int(self.is_labelled.sum())

    @property
    def n_samples(self) -> int:
        return int(self.values.shape[0])

    @property
    def n_columns(self) -> int:
        return int(self.values.shape[1])


@dataclass(frozen=True, slots=True, eq=False)
class _Encoded:
    """The columns one variable became."""

    values: np.ndarray  # (n_samples, n_columns); no columns for a constant
    names: tuple[str, ...]
    n_classes: int
    notes: tuple[tuple[str, str], ...]


_LEAST_LEFT = 1e-6  # of the labels' variance: below, what nuisance labels leave is rounding
_LEAST_LABELLED = 10  # rows; fewer teach nothing about thousands of unlabelled ones


def encode_labels(labels: Any, *, allow_missing: bool = False) -> LabelMatrix:
    """Numeric columns of one or several label variables.

    Parameters
    ----------
    labels : array, list, mapping or data frame
        Strings, booleans and integers are classes and become one-hot columns; floating-point numbers are measurements. A
        2-D array has a variable a column (if it holds 0 and 1 only, it is an indicator matrix already). A
        mapping, or a pandas or polars frame, has a variable a column, each by its own type.
    allow_missing : bool, default False
        Take None, NaN and NA for "this row has no label" instead of refusing them. Of several variables all must be there for
        a row to count as labelled; the others' rows are `is_labelled` False and 0 in `values`. Sentinels such as -1 or ""
        are not guessed: they are classes like any other.

    Raises
    ------
    InputValueError
        A missing value, a single class or a constant, more classes than half the labelled rows, an empty or ragged input;
        where missing values are allowed, fewer than 10 labelled rows, or a class that no labelled row has.
    InputTypeError
        Dates, complex numbers, objects that are neither strings, numbers nor booleans.
    """
    raw = _variables(labels)
    lengths = {variable: len(values) for variable, (_, values) in raw.items()}
    if not raw or min(lengths.values()) == 0:
        raise InputValueError("labels are empty; at least one label variable with one value a row is needed.")
    if len(set(lengths.values())) > 1:
        raise InputValueError(f"labels must have one value a row in every variable; got lengths {lengths}.")
    if allow_missing:
        variables, is_labelled = _without_missing(raw)
    else:
        variables = {variable: _as_variable(values, name) for variable, (name, values) in raw.items()}
        is_labelled = np.ones(next(iter(lengths.values())), dtype=bool)
    encoded = [_encode(name, values) for name, values in variables.items()]
    stops = np.cumsum([len(e.names) for e in encoded])
    placed = tuple(
        LabelVariable(name, int(stop) - len(e.names), int(stop), e.n_classes > 0)
        for name, e, stop in zip(variables, encoded, stops, strict=True)
        if e.names
    )
    if not any(e.names for e in encoded):
        raise InputValueError(_no_contrast(variables))
    notes = [note for e in encoded for note in e.notes]
    values = np.hstack([e.values for e in encoded])
    if not is_labelled.all():
        n, n_labelled = len(is_labelled), len(values)
        notes.append(("unlabelled_rows", f"{n - n_labelled} of {n} rows have no label; {n_labelled} do."))
        labelled_values = values
        values = np.zeros((n, values.shape[1]))
        values[is_labelled] = labelled_values
    return LabelMatrix(
        values=values,
        column_names=tuple(name for e in encoded for name in e.names),
        n_classes=sum(e.n_classes for e in encoded),
        notes=tuple(notes),
        is_labelled=is_labelled,
        variables=placed,
    )


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
                    f"{name}: class {_text(lost[0])!r} ({len(lost)} such in all) is in no row where every label variable is "
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


def _encode(name: str, values: np.ndarray) -> _Encoded:
    if values.dtype.kind == "f":
        return _encode_measurement(name, values)
    classes, codes = np.unique(values, return_inverse=True)
    n = len(values)
    if len(classes) < 2:
        return _constant(name, values)
    if len(classes) > n / 2:
        raise InputValueError(
            f"{name} has {len(classes)} classes in {n} rows, so most classes have a single row: it looks like an identifier "
            "or a measurement. Pass measurements as floats (.astype(float)), or group the classes."
        )
    notes: tuple[tuple[str, str], ...] = ()
    n_single = int((np.bincount(codes) == 1).sum())
    if n_single:
        notes = (("single_row_classes", f"{name}: {n_single} of {len(classes)} classes have a single row."),)
    one_hot = np.zeros((n, len(classes)))
    one_hot[np.arange(n), codes] = 1.0
    names = tuple(f"{name}={_text(c)}" for c in classes)
    return _Encoded(one_hot, names, len(classes), notes)


def _encode_measurement(name: str, values: np.ndarray) -> _Encoded:
    largest = np.abs(values).max()
    scaled = values / largest if largest > 0 else values  # so that squares of 1e200 or 1e-200 stay finite and nonzero
    centred = scaled - scaled.mean()
    spread = np.sqrt((centred**2).mean())
    # Below this the values are one number plus rounding.
    if not spread > 4 * np.finfo(np.float64).eps:
        return _constant(name, values)
    notes: tuple[tuple[str, str], ...] = ()
    n_distinct = len(np.unique(values))
    if 2 < n_distinct <= 100 and n_distinct < len(values) / 2 and np.equal(np.floor(values), values).all():
        sentence = (
            f"{name} holds {n_distinct} distinct whole numbers as floats and is taken for a measurement; "
            "if they are classes, pass integers."
        )
        notes = (("integer_valued_floats", sentence),)
    if n_distinct == 2 and set(np.unique(values)) == {0.0, 1.0}:
        return _Encoded(values[:, None], (name,), 0, ())  # an indicator: its zeros save work, its scale is fine
    # R² does not see a label's scale or offset; a common one keeps the sums well conditioned.
    return _Encoded((centred / spread)[:, None], (name,), 0, notes)


def _constant(name: str, values: np.ndarray) -> _Encoded:
    sentence = f"{name} is {_text(values[0])!r} in every row and was left out."
    return _Encoded(np.empty((len(values), 0)), (), 0, (("constant_label", sentence),))


def _no_contrast(variables: dict[str, np.ndarray]) -> str:
    name, values = next(iter(variables.items()))
    return (
        f"labels must tell rows apart; {name} is {_text(values[0])!r} in all {len(values)} rows (one class only). "
        "Pass labels with at least two classes, or a measurement that varies."
    )


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
