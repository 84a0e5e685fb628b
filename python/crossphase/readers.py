"""Files to arrays: memory-mapped, never unpickled, with a sentence for each way a file can be wrong."""

from __future__ import annotations

import csv
import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.sources import open_rows
from crossphase.sources.columns import COLUMN_FORMATS, holds_columns, read_columns
from crossphase.sources.members import split_location
from crossphase.sources.npy import MAGIC
from crossphase.sources.watched_file import existing_file

_INTEGER = re.compile(r"\s*[+-]?(0|[1-9]\d{0,17})\s*")
_DECIMAL = re.compile(r"\s*[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_TEXT_DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}


def read_samples(path: str | os.PathLike[str], name: str) -> np.ndarray:
    """One sample matrix: the memory map of a ``.npy`` file, or all rows of what `crossphase.sources.open_rows` opens.

    `name` is the argument's name in messages.
    """
    if Path(path).suffix == ".npy" and not Path(path).is_dir():
        return _map_npy(existing_file(path, name), name)
    source = open_rows(path, name)
    values = source.read(0, source.n_samples)
    return values.view("V2") if values.dtype == np.uint16 else values  # bfloat16, told from counts


def read_labels(path: str | os.PathLike[str]) -> Any:
    """Labels of a ``.npy`` file, the named columns of a ``.csv``, ``.tsv`` or ``.txt`` file, or those of a container.

    A container's array or column is named as ``"table.parquet::class"`` or ``"cells.h5ad::obs/cell_type"``.
    """
    if holds_columns(path):
        return read_columns(path, "labels")
    file = existing_file(path, "labels")
    if file.suffix == ".npy":
        return np.array(_map_npy(file, "labels"))
    if file.suffix in _TEXT_DELIMITERS:
        return _read_table(file, _TEXT_DELIMITERS[file.suffix], "labels", allow_missing=True)
    raise InputValueError(f"labels must be a .npy, .csv, .tsv or .txt file, or {COLUMN_FORMATS}; got {file}.")


def read_column(path: str | os.PathLike[str], name: str) -> np.ndarray:
    """One name or number a row, as `groups` and `ids` are: a ``.npy`` file, a table of one column, or a container's."""
    if holds_columns(path):
        columns = read_columns(path, name)
    else:
        file = existing_file(path, name)
        if file.suffix == ".npy":
            return np.array(_map_npy(file, name))
        if file.suffix not in _TEXT_DELIMITERS:
            raise InputValueError(f"{name} must be a .npy, .csv, .tsv or .txt file, or {COLUMN_FORMATS}; got {file}.")
        columns = _read_table(file, _TEXT_DELIMITERS[file.suffix], name)
    if not isinstance(columns, dict):
        return columns
    if len(columns) > 1:
        raise InputValueError(f"{name}: {path} must have one column; got {len(columns)}: {', '.join(columns)}.")
    return next(iter(columns.values()))


def read_label_files(paths: Sequence[str | os.PathLike[str]]) -> dict[str, Any]:
    """Label variables of several files, named after the files and their columns."""
    variables: dict[str, Any] = {}
    for path in paths:
        file, member = split_location(os.fspath(path))
        stem, content = Path(member or file).stem, read_labels(path)
        if isinstance(content, dict):
            columns = {f"{stem}.{name}": values for name, values in content.items()}
        elif content.ndim == 2:
            columns = {f"{stem}.{j}": content[:, j] for j in range(content.shape[1])}
        else:
            columns = {stem: content}
        if variables.keys() & columns.keys():
            raise InputValueError(
                f"labels: two files are named {stem}; rename one, so that their columns can be told apart."
            )
        variables.update(columns)
    return variables


def read_json(path: str | os.PathLike[str], name: str) -> Any:
    """What a JSON file holds; `name` is the argument's name in messages."""
    file = existing_file(path, name)
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputValueError(f"{name}: {file} is not JSON ({error}).") from None


def _map_npy(file: Path, name: str) -> np.ndarray:
    with file.open("rb") as stream:
        if stream.read(len(MAGIC)) != MAGIC:
            raise InputValueError(f"{name}: {file} is not a whole .npy file (it does not begin like one).")
    try:
        return np.asarray(np.load(file, mmap_mode="r", allow_pickle=False))
    except Exception as error:  # NumPy's header parser raises what Python's tokenizer does
        if "Python objects" in str(error) or "allow_pickle" in str(error):
            raise InputTypeError(
                f"{name}: {file} holds pickled Python objects, which are never loaded: they could run any code. Save a plain "
                "array instead, e.g. numpy.save(path, array.astype('float32')), or strings as array.astype(str)."
            ) from error
        raise InputValueError(f"{name}: {file} is not a whole .npy file ({error}).") from error


def _read_table(file: Path, delimiter: str, name: str, *, allow_missing: bool = False) -> dict[str, np.ndarray]:
    """The columns by name; where they may be missing, empty cells become None."""
    try:
        with file.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.reader(stream, delimiter=delimiter, strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputValueError(f"{name}: {file} is not a UTF-8 table ({error}); save it as UTF-8.") from error
    if len(rows) < 2:
        raise InputValueError(
            f"{name}: {file} must have a line of column names and a line for each row; got {len(rows)}."
        )
    header = rows[0]
    if len(header) == 1 and any(mark in header[0] for mark in ";\t|") and delimiter == ",":
        raise InputValueError(f"{name}: {file} has one column, named {header[0]!r}; separate cells with commas.")
    if not all(column.strip() for column in header):
        raise InputValueError(
            f"{name}: {file} has a column without a name (an index?); write the table without it (pandas: index=False)."
        )
    if len(set(header)) < len(header):
        raise InputValueError(f"{name}: {file} names a column twice: {header}.")
    while len(rows) > 2 and not rows[-1]:
        rows.pop()  # blank lines at the end
    for number, row in enumerate(rows[1:], start=2):
        if not row and len(header) == 1:
            row.append("")  # an empty line is an empty cell
        if len(row) != len(header):
            raise InputValueError(
                f"{name}: line {number} of {file} has {len(row)} cells; the first line has {len(header)}."
            )
    columns = {}
    for j, column in enumerate(header):
        cells = [row[j] for row in rows[1:]]
        empty = [row for row, cell in enumerate(cells) if not cell.strip()]
        if empty and (not allow_missing or len(empty) == len(cells)):
            raise InputValueError(f"{name}: column {column!r} of {file} is empty in row {empty[0]}; fill it in.")
        typed = _typed([cell for cell in cells if cell.strip()])
        if empty:
            there = np.array([bool(cell.strip()) for cell in cells])
            with_gaps = np.full(len(cells), None, dtype=object)
            with_gaps[there] = typed.tolist()
            typed = with_gaps
        columns[column] = typed
    return columns


def _typed(cells: list[str]) -> np.ndarray:
    """Integers if every cell is one, else floats if every cell is one, else strings."""
    # "01", "1_2" and "1e2" beside "100" are names of classes that Python would read as equal or other numbers.
    if all(_INTEGER.fullmatch(cell) for cell in cells):
        return np.array([int(cell) for cell in cells])
    if all(_DECIMAL.fullmatch(cell) for cell in cells):
        return np.array([float(cell) for cell in cells])
    return np.array(cells)
