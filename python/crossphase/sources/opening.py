"""From a path, with or without the name of a member, or an array to a source of rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from crossphase.errors import InputValueError
from crossphase.sources.array_rows import ArrayRows
from crossphase.sources.arrow_ipc import open_arrow
from crossphase.sources.hdf5 import open_hdf5
from crossphase.sources.members import Location, split_location
from crossphase.sources.npy import open_npy
from crossphase.sources.npz import open_npz
from crossphase.sources.parquet import open_parquet
from crossphase.sources.safetensors import open_safetensors
from crossphase.sources.shards import open_shards
from crossphase.sources.source import RowSource
from crossphase.sources.watched_file import WatchedFile
from crossphase.sources.zarr_store import is_store, open_zarr

_OPENERS: dict[str, Callable[[WatchedFile, str, str], RowSource]] = {
    ".npy": open_npy,
    ".npz": open_npz,
    ".safetensors": open_safetensors,
    ".parquet": open_parquet,
    ".arrow": open_arrow,
    ".feather": open_arrow,
    ".ipc": open_arrow,
    ".h5": open_hdf5,
    ".hdf5": open_hdf5,
    ".h5ad": open_hdf5,
}
ROW_FORMATS = f"{', '.join(_OPENERS)}, a zarr store, or a directory of files of one of these formats"


def open_rows(spec: Any, name: str) -> RowSource:
    """Open a sample matrix that is read in blocks of rows, whatever its size.

    Parameters
    ----------
    spec : path, ``"path::member"``, array, or RowSource
        A file of one of `ROW_FORMATS`; of a container with several matrices, name one (``"cells.h5ad::obsm/X_pca"``). A
        directory's files are taken in natural order (x_2 before x_10). Arrays and memory maps are what `as_samples` takes.
    name : str
        The argument's name in messages.

    Raises
    ------
    FileNotFoundError, InputValueError
        No such file, or one that is truncated, whose header lies, or that has no such member.
    InputTypeError
        The values are not float16, bfloat16, float32 or float64; pickled objects are never loaded.
    ImportError
        The format needs a package of ``crossphase[formats]``.
    """
    if isinstance(spec, str | os.PathLike):
        return _open_location(split_location(os.fspath(spec)), name)
    if isinstance(spec, RowSource):
        return spec
    return ArrayRows(spec, name)


def is_row_file(path: Any) -> bool:
    """Whether `open_rows` would take this path for a file, store or directory of rows; nothing is opened."""
    file = split_location(os.fspath(path)).path
    return file.suffix in _OPENERS or file.is_dir()


def _open_location(location: Location, name: str) -> RowSource:
    path, member = location
    spec = str(location._replace(path=path.absolute()))  # for processes with another working directory
    if path.is_dir():
        if is_store(path):
            return open_zarr(path, member, name, spec)
        return open_shards(path, member, name, spec, set(_OPENERS), lambda part: _open_location(part, name))
    file = WatchedFile.open(path, name)
    if path.suffix not in _OPENERS:
        raise InputValueError(
            f"{name} must be a file of rows ({ROW_FORMATS}); got {path}. Convert it first, e.g. "
            "numpy.save('x.npy', numpy.loadtxt('x.csv', delimiter=',', skiprows=1))."
        )
    return _OPENERS[path.suffix](file, member, spec)
