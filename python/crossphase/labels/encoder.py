"""Labels as numeric columns, made a range of rows at a time: classes stay codes, so memory does not grow with their number."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from crossphase.errors import InputValueError
from crossphase.labels.raw import text_of, typed_variables


@dataclass(frozen=True, slots=True)
class LabelVariable:
    """Which columns one label variable became."""

    name: str
    first: int  # its columns are first ... stop - 1
    stop: int
    is_classes: bool
    centre: float = 0.0  # of a measurement: its column is (value - centre) / scale
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class LabelEncoding:
    """What the numeric columns of labels mean; equal encodings give equal labels equal columns."""

    column_names: tuple[str, ...]  # (n_columns,): "species=oak" for a class, the variable's name for a measurement
    variables: tuple[LabelVariable, ...]  # those that vary, in the order of their columns
    n_classes: int  # one-hot columns in all; 0 if every label is a measurement
    notes: tuple[tuple[str, str], ...]  # (code, sentence) of what a user should know about the encoding

    @property
    def n_columns(self) -> int:
        return len(self.column_names)

    def to_dict(self) -> dict[str, Any]:
        """Plain objects that JSON can hold; `from_dict` takes them back."""
        return {
            "column_names": list(self.column_names),
            "variables": [dataclasses.asdict(variable) for variable in self.variables],
            "n_classes": self.n_classes,
            "notes": [list(note) for note in self.notes],
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Self:
        """The encoding that `to_dict` wrote.

        Raises
        ------
        InputValueError
            It is not one: an entry is missing, of another type, or the variables do not fill the columns.
        """
        try:
            encoding = cls(
                tuple(str(name) for name in given["column_names"]),
                tuple(_variable_of(variable) for variable in given["variables"]),
                int(given["n_classes"]),
                tuple((str(code), str(sentence)) for code, sentence in given["notes"]),
            )
        except (KeyError, TypeError, ValueError) as error:
            raise InputValueError(f"this is not a label encoding ({type(error).__name__}: {error}).") from None
        ends = [0, *(variable.stop for variable in encoding.variables)]
        widths_fit = all(v.first == end and v.stop > v.first for v, end in zip(encoding.variables, ends, strict=False))
        n_classes = sum(v.stop - v.first for v in encoding.variables if v.is_classes)
        if not widths_fit or ends[-1] != encoding.n_columns or n_classes != encoding.n_classes:
            raise InputValueError(
                f"this is not a label encoding: its variables end at column {ends[-1]} with {n_classes} classes; it names "
                f"{encoding.n_columns} columns and {encoding.n_classes} classes."
            )
        return encoding


@dataclass(frozen=True, slots=True, eq=False)
class LabelEncoder:
    """Labels of all rows in a few bytes a row, given out as numeric columns a range of rows at a time."""

    encoding: LabelEncoding
    is_labelled: np.ndarray  # (n_samples,), booleans
    _values: tuple[np.ndarray, ...]  # a variable each, (n_samples,): class codes from 0, or the column itself

    @property
    def column_names(self) -> tuple[str, ...]:
        return self.encoding.column_names

    @property
    def variables(self) -> tuple[LabelVariable, ...]:
        return self.encoding.variables

    @property
    def n_classes(self) -> int:
        return self.encoding.n_classes

    @property
    def notes(self) -> tuple[tuple[str, str], ...]:
        return self.encoding.notes

    @property
    def n_columns(self) -> int:
        return self.encoding.n_columns

    @property
    def n_samples(self) -> int:
        return len(self.is_labelled)

    @property
    def n_labelled(self) -> int:
        return int(np.count_nonzero(self.is_labelled))

    def rows(self, first: int, stop: int) -> np.ndarray:
        """Columns ``(stop - first, n_columns)``, float64, of rows first to stop - 1; 0 where a row has no label."""
        if not 0 <= first <= stop <= self.n_samples:
            raise InputValueError(
                f"first and stop must satisfy 0 <= first <= stop <= {self.n_samples}, the labels' rows; got {first} and {stop}."
            )
        known = np.flatnonzero(self.is_labelled[first:stop])
        columns = np.zeros((stop - first, self.n_columns))
        for variable, values in zip(self.variables, self._values, strict=True):
            there = values[first:stop][known]
            if variable.is_classes:
                columns[known, variable.first + there.astype(np.intp)] = 1.0
            else:
                columns[known, variable.first] = there
        return columns

    def take(self, positions: np.ndarray) -> LabelEncoder:
        """The labels of some rows, in that order, in the same columns; -1 is a row without a label."""
        is_labelled = (positions >= 0) & self.is_labelled[positions]
        return replace(self, is_labelled=is_labelled, _values=tuple(values[positions] for values in self._values))

    def fingerprint(self) -> str:
        """SHA-256 of all rows and of what their columns mean."""
        digest = hashlib.sha256(json.dumps(self.encoding.to_dict()).encode())
        for values in (self.is_labelled, *self._values):
            digest.update(np.ascontiguousarray(values).data)
        return digest.hexdigest()


def label_encoder(labels: Any, *, allow_missing: bool = True) -> LabelEncoder:
    """Labels ready to be made numeric a range of rows at a time, for data too large to hold a column a class.

    Parameters
    ----------
    labels, allow_missing
        As for `crossphase.encode_labels`, which makes all rows at once.

    Returns
    -------
    LabelEncoder
        ``encoder.rows(first, stop)`` equals those rows of ``encode_labels(labels).values``.

    Raises
    ------
    InputValueError, InputTypeError
        As `crossphase.encode_labels`.

    Notes
    -----
    A class takes 1, 2 or 4 bytes a row, a measurement 8, an indicator of 0 and 1 a single one.
    """
    typed, is_labelled = typed_variables(labels, allow_missing=allow_missing)
    encoded = [_encode(name, values) for name, values in typed.items()]
    if not any(e.names for e in encoded):
        raise InputValueError(_no_contrast(typed))
    notes = [note for e in encoded for note in e.notes]
    n, n_labelled = len(is_labelled), int(np.count_nonzero(is_labelled))
    if n_labelled < n:
        notes.append(("unlabelled_rows", f"{n - n_labelled} of {n} rows have no label; {n_labelled} do."))
    encoding = LabelEncoding(
        tuple(name for e in encoded for name in e.names),
        _placed(typed, encoded),
        sum(e.n_classes for e in encoded),
        tuple(notes),
    )
    return LabelEncoder(encoding, is_labelled, tuple(_on_all_rows(e.values, is_labelled) for e in encoded if e.names))


@dataclass(frozen=True, slots=True, eq=False)
class _Encoded:
    """What one variable became, on the labelled rows."""

    values: np.ndarray  # (n_labelled,): class codes, or a column
    names: tuple[str, ...]  # of its columns; none for a constant
    n_classes: int
    notes: tuple[tuple[str, str], ...]
    centre: float = 0.0
    scale: float = 1.0


def _placed(typed: Mapping[str, np.ndarray], encoded: list[_Encoded]) -> tuple[LabelVariable, ...]:
    stops = np.cumsum([len(e.names) for e in encoded])
    return tuple(
        LabelVariable(name, int(stop) - len(e.names), int(stop), e.n_classes > 0, e.centre, e.scale)
        for name, e, stop in zip(typed, encoded, stops, strict=True)
        if e.names
    )


def _on_all_rows(values: np.ndarray, is_labelled: np.ndarray) -> np.ndarray:
    if len(values) == len(is_labelled):
        return values
    on_all = np.zeros(len(is_labelled), dtype=values.dtype)
    on_all[is_labelled] = values
    return on_all


def _variable_of(given: Mapping[str, Any]) -> LabelVariable:
    return LabelVariable(
        str(given["name"]),
        int(given["first"]),
        int(given["stop"]),
        bool(given["is_classes"]),
        float(given["centre"]),
        float(given["scale"]),
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
    names = tuple(f"{name}={text_of(c)}" for c in classes)
    return _Encoded(codes.astype(np.min_scalar_type(len(classes) - 1)), names, len(classes), notes)


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
        return _Encoded(values.astype(np.uint8), (name,), 0, ())  # an indicator: its zeros save work, its scale is fine
    # R² does not see a label's scale or offset; a common one keeps the sums well conditioned.
    return _Encoded(centred / spread, (name,), 0, notes, float(largest * scaled.mean()), float(largest * spread))


def _constant(name: str, values: np.ndarray) -> _Encoded:
    sentence = f"{name} is {text_of(values[0])!r} in every row and was left out."
    return _Encoded(values[:0], (), 0, (("constant_label", sentence),))


def _no_contrast(variables: dict[str, np.ndarray]) -> str:
    name, values = next(iter(variables.items()))
    return (
        f"labels must tell rows apart; {name} is {text_of(values[0])!r} in all {len(values)} rows (one class only). "
        "Pass labels with at least two classes, or a measurement that varies."
    )
