"""Columns of Arrow batches as matrices: from their buffers, without a Python object for any value."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.sources.members import Location, Member, choose_rows
from crossphase.sources.optional import load

_PANDAS_INDEX = re.compile(r"__index_level_\d+__")  # never a feature
_GAP = 16  # values


class MatrixColumns(NamedTuple):
    """Where the features are: in one column of lists, or in one column each."""

    names: tuple[str, ...]
    is_list: bool
    width: int  # 0: that of the lists, which only the data tell
    dtype: np.dtype[Any]


def matrix_columns(schema: Any, wanted: str, name: str, path: Path) -> MatrixColumns:
    """The columns of a schema that make a matrix: the one named, the only one of lists, or all if all are floats."""
    pa = load("pyarrow", "reading Arrow and parquet files")
    for field in schema:
        if [other.name for other in schema].count(field.name) > 1:
            raise InputValueError(f"{name}: {path} names a column twice: {field.name!r}.")
    members = [column_member(field) for field in schema]
    if not wanted and not any(member.holds_rows for member in members):
        features = {field.name: _float_dtype(field.type) for field in schema if not _PANDAS_INDEX.fullmatch(field.name)}
        dtypes = [dtype for dtype in features.values() if dtype is not None]
        if dtypes:
            others = [feature for feature, dtype in features.items() if dtype is None]
            if others:
                raise InputValueError(
                    f"{name}: {path} must have columns of floating-point numbers only, or one column of lists of them; it has "
                    f"{len(dtypes)} such columns beside {', '.join(others[:12])}. Write the features to a table of their own."
                )
            return MatrixColumns(tuple(features), False, len(dtypes), np.result_type(*dtypes))
    column = choose_rows(members, wanted, name, path)
    kind = storage_type(schema.field(column).type)
    dtype = _float_dtype(kind.value_type) if _is_list(kind) else None
    if dtype is None:
        raise InputTypeError(
            f"{name} must have a list of float16, float32 or float64 in each row; {Location(path, column)} holds {kind}."
        )
    return MatrixColumns((column,), True, kind.list_size if pa.types.is_fixed_size_list(kind) else 0, dtype)


def rows_of(batch: Any, columns: MatrixColumns, first_row: int, name: str, where: object) -> np.ndarray:
    """Rows of one record batch; `first_row` is the number of its first row, for messages."""
    batch.validate()  # offsets and lengths fit the buffers; a lying file must not make us read beyond them
    if columns.is_list:
        return _rows_of_lists(batch.column(columns.names[0]), columns, first_row, name, where)
    # Each column stays whole, to be transposed once by whoever copies the rows out; the gap between columns keeps their
    # values from falling into the same set of a cache where the count of rows is a power of two (2.5 times as fast).
    padded = np.empty((len(columns.names), batch.num_rows + _GAP), columns.dtype)[:, : batch.num_rows]
    for j, column in enumerate(columns.names):
        values = batch.column(column)
        _require_no_nulls(values, first_row, name, f"column {column!r} of {where}")
        padded[j] = _values(values)
    return padded.T


def storage_type(kind: Any) -> Any:
    """The type that an extension type (a tensor's, say) is stored as."""
    return kind.storage_type if isinstance(kind, load("pyarrow", "reading Arrow files").BaseExtensionType) else kind


def first_width(batch: Any, columns: MatrixColumns, name: str, where: object) -> int:
    """Length of the first list."""
    length = batch.column(columns.names[0])[0].as_py()
    if length is None:
        raise InputValueError(f"{name}: row 0 of {where} is missing (null); drop that row in both views.")
    return len(length)


def _rows_of_lists(array: Any, columns: MatrixColumns, first_row: int, name: str, where: object) -> np.ndarray:
    pa = load("pyarrow", "reading Arrow files")
    array = getattr(array, "storage", array)
    _require_no_nulls(array, first_row, name, where)
    n_rows, width = len(array), columns.width
    if pa.types.is_fixed_size_list(array.type):
        values = array.values.slice(array.offset * width, n_rows * width)
    else:
        offsets = _values(array.offsets)
        lengths = np.diff(offsets)
        if (lengths != width).any():
            row = int(np.argmax(lengths != width))
            raise InputValueError(
                f"{name}: row {first_row + row} of {where} has {lengths[row]} features; the first row has {width}."
            )
        values = array.values.slice(int(offsets[0]), n_rows * width)
    if len(values) != n_rows * width:
        raise InputValueError(f"{name}: {where} ends in row {first_row + len(values) // width}.")
    if values.null_count:
        row = first_row + int(np.argmax(values.is_null().to_numpy(zero_copy_only=False))) // width
        raise InputValueError(
            f"{name}: row {row} of {where} has a missing feature (null); drop that row in both views."
        )
    return _values(values).reshape(n_rows, width)


def _values(array: Any) -> np.ndarray:
    """The numbers of an array without nulls, as a view of its buffer."""
    dtype = np.dtype(array.type.to_pandas_dtype())
    buffer = array.buffers()[1]
    if buffer is None or not len(array):
        return np.empty(0, dtype)
    return np.frombuffer(buffer, dtype, count=len(array), offset=array.offset * dtype.itemsize)


def _require_no_nulls(array: Any, first_row: int, name: str, where: object) -> None:
    if array.null_count:
        row = first_row + int(np.argmax(array.is_null().to_numpy(zero_copy_only=False)))
        raise InputValueError(
            f"{name}: row {row} of {where} is missing (null; {array.null_count} near it); drop such rows in both views."
        )


def _is_list(kind: Any) -> bool:
    types = load("pyarrow", "reading Arrow files").types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _float_dtype(kind: Any) -> np.dtype[Any] | None:
    types = load("pyarrow", "reading Arrow files").types
    return np.dtype(kind.to_pandas_dtype()) if types.is_floating(kind) else None


def column_member(field: Any) -> Member:
    """A column as a message lists it."""
    kind = storage_type(field.type)
    if _is_list(kind):
        size = f"{kind.list_size} " if hasattr(kind, "list_size") else ""
        return Member(field.name, None, f"lists of {size}{kind.value_type}", _float_dtype(kind.value_type) is not None)
    return Member(field.name, None, str(kind), False)
