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

_INTEGER = re.compile(r"\s*[+-]?(0|[1-9]\d{0,17})\s*")
_DECIMAL = re.compile(r"\s*[+-]?((0|[1-9]\d*)(\.\d*)?|\.\d+)([eE][+-]?\d+)?\s*")
_NPY_MAGIC = b"\x93NUMPY"
_TEXT_DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}


def read_samples(path: str | os.PathLike[str], name: str) -> np.ndarray:
    """Memory map of a ``.npy`` file that holds one sample matrix; `name` is the argument's name in messages."""
    file = _existing_file(path, name)
    if file.suffix != ".npy":
        raise InputValueError(
            f"{name} must be a .npy file; got {file}. Convert it first, e.g. "
            "numpy.save('x.npy', numpy.loadtxt('x.csv', delimiter=',', skiprows=1)), or for an archive "
            "numpy.save('x.npy', numpy.load('x.npz')['name'])."
        )
    return _map_npy(file, name)


def read_labels(path: str | os.PathLike[str]) -> Any:
    """Labels of a ``.npy`` file, or the columns of a ``.csv``, ``.tsv`` or ``.txt`` file whose first line names them."""
    file = _existing_file(path, "labels")
    if file.suffix == ".npy":
        return np.array(_map_npy(file, "labels"))
    if file.suffix in _TEXT_DELIMITERS:
        return _read_table(file, _TEXT_DELIMITERS[file.suffix], "labels", allow_missing=True)
    raise InputValueError(f"labels must be a .npy, .csv, .tsv or .txt file; got {file}.")


def read_column(path: str | os.PathLike[str], name: str) -> np.ndarray:
    """One name or number a row, as `groups` and `ids` are: a ``.npy`` file, or a table of one column under its name."""
    file = _existing_file(path, name)
    if file.suffix == ".npy":
        return np.array(_map_npy(file, name))
    if file.suffix not in _TEXT_DELIMITERS:
        raise InputValueError(f"{name} must be a .npy, .csv, .tsv or .txt file; got {file}.")
    columns = _read_table(file, _TEXT_DELIMITERS[file.suffix], name)
    if len(columns) > 1:
        raise InputValueError(f"{name}: {file} must have one column; got {len(columns)}: {', '.join(columns)}.")
    return next(iter(columns.values()))


def read_label_files(paths: Sequence[str | os.PathLike[str]]) -> dict[str, Any]:
    """Label variables of several files, named after the files and their columns."""
    variables: dict[str, Any] = {}
    for path in paths:
        stem, content = Path(path).stem, read_labels(path)
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
    file = _existing_file(path, name)
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise InputValueError(f"{name}: {file} is not JSON ({error}).") from None


def _existing_file(path: str | os.PathLike[str], name: str) -> Path:
    file = Path(path)
    if not file.exists():
        raise FileNotFoundError(f"{name}: no such file: {file}")
    if file.is_dir():
        raise IsADirectoryError(f"{name} must be a file; {file} is a directory.")
    try:
        is_empty = file.stat().st_size == 0
        file.open("rb").close()
    except OSError as error:
        raise InputValueError(f"{name}: {file} cannot be read ({error.strerror}).") from error
    if is_empty:
        raise InputValueError(f"{name}: {file} is empty (0 bytes).")
    return file


def _map_npy(file: Path, name: str) -> np.ndarray:
    with file.open("rb") as stream:
        if stream.read(len(_NPY_MAGIC)) != _NPY_MAGIC:
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
