"""Labels, groups and ids from the same containers as the matrices: one name or number a row, read whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.sources.arrow_columns import column_member, storage_type
from crossphase.sources.arrow_ipc import open_batches
from crossphase.sources.categories import decoded
from crossphase.sources.hdf5 import read_hdf5_array
from crossphase.sources.members import Location, choose_any, split_location
from crossphase.sources.npz import read_npz_array
from crossphase.sources.optional import load
from crossphase.sources.parquet import open_file
from crossphase.sources.safetensors import read_safetensors_array
from crossphase.sources.watched_file import WatchedFile
from crossphase.sources.zarr_store import is_store, read_zarr_array

_ARRAY_READERS = {
    ".npz": read_npz_array,
    ".safetensors": read_safetensors_array,
    ".h5": read_hdf5_array,
    ".hdf5": read_hdf5_array,
    ".h5ad": read_hdf5_array,
}
_TABLES = {".parquet", ".arrow", ".feather", ".ipc"}
COLUMN_FORMATS = ", ".join([*_ARRAY_READERS, *sorted(_TABLES)]) + " or a zarr store"


def holds_columns(path: str | os.PathLike[str]) -> bool:
    """Whether `read_columns` would take this path."""
    file = split_location(os.fspath(path)).path
    return file.suffix in _ARRAY_READERS or file.suffix in _TABLES or is_store(file)


def read_columns(path: str | os.PathLike[str], name: str) -> dict[str, np.ndarray] | np.ndarray:
    """An array of a container (``"path::member"``), or all scalar columns of a table; missing values are None."""
    location = split_location(os.fspath(path))
    if is_store(location.path):
        return read_zarr_array(location.path, location.member, name)
    file = WatchedFile.open(location.path, name)
    if location.path.suffix in _TABLES:
        return _read_table(file, location)
    values = _ARRAY_READERS[location.path.suffix](file, location.member)
    if values.dtype.hasobject and values.ndim != 1:
        raise InputTypeError(f"{name}: {location} must be an array of numbers or strings; it holds {values.dtype}.")
    return values


def _read_table(file: WatchedFile, location: Location) -> dict[str, np.ndarray] | np.ndarray:
    wanted = location.member
    try:
        if location.path.suffix == ".parquet":
            with open_file(file) as parquet:
                names = _scalar_columns(parquet.schema_arrow, wanted, file.name, location.path)
                table = parquet.read(columns=names)
        else:
            pa = load("pyarrow", "reading Arrow files")
            with open_batches(file) as opened:
                names = _scalar_columns(opened.schema, wanted, file.name, location.path)
                batches = [batch.select(names) for batch in opened.batches]
                schema = pa.schema([opened.schema.field(column) for column in names])
                table = pa.Table.from_batches(batches, schema)
        table.validate(full=True)
    except (InputValueError, InputTypeError, ImportError):
        raise
    except Exception as error:  # pyarrow raises what its decoders do
        raise InputValueError(f"{file.name}: {location.path} is not a whole table ({error}).") from error
    if table.num_rows == 0:
        raise InputValueError(f"{file.name}: {location} has no rows.")
    columns = {column: _values(table.column(column), file.name, location, column) for column in names}
    return columns[wanted] if wanted else columns


def _scalar_columns(schema: Any, wanted: str, name: str, path: Path) -> list[str]:
    types = load("pyarrow", "reading Arrow files").types
    scalar = [field.name for field in schema if not types.is_nested(storage_type(field.type))]
    if wanted or not scalar:
        members = [column_member(field) for field in schema]
        return [choose_any(members, wanted, name, path)]
    return scalar


def _values(column: Any, name: str, location: Location, title: str) -> np.ndarray:
    pa = load("pyarrow", "reading Arrow files")
    if pa.types.is_dictionary(column.type):
        parts = [
            decoded(
                chunk.indices.cast(pa.int64()).fill_null(-1).to_numpy(),
                _values(chunk.dictionary, name, location, title),
            )
            for chunk in column.chunks
        ]
        return np.concatenate(parts)
    if pa.types.is_string(column.type) or pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type):
        cells = column.to_pylist()
        return np.array(cells, dtype=object) if column.null_count else np.array(cells)
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type) or pa.types.is_boolean(column.type)):
        raise InputTypeError(
            f"{name}: column {title!r} of {location.path} must hold numbers or strings; it holds {column.type}."
        )
    if column.null_count:
        return np.array(column.to_pylist(), dtype=object)
    return np.asarray(column.to_numpy(zero_copy_only=False))
