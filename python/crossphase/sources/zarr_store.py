"""Zarr stores in a directory, versions 2 and 3.

Chunks that are not there are an error, not fill values, and only codecs that turn bytes into bytes are run: version 2 knows
a codec that unpickles.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.sources.chunks import ChunkGrid
from crossphase.sources.forward_rows import ForwardRows
from crossphase.sources.members import Location, Member, choose_any, choose_rows, dtype_name
from crossphase.sources.optional import load
from crossphase.sources.source import check_shape, holds_floats, value_dtype
from crossphase.sources.watched_file import WatchedFile, fingerprint_of

_METADATA = ("zarr.json", ".zarray", ".zgroup")
_SAFE_CODECS = {
    *("adler32", "blosc", "bytes", "bz2", "crc32", "crc32c", "delta", "fletcher32", "gzip", "lz4", "lzma", "packbits"),
    *("sharding_indexed", "shuffle", "transpose", "vlen-utf8", "zlib", "zstd"),
}
_N_FILES = 16  # whose pieces enter a fingerprint


def is_store(folder: Path) -> bool:
    """Whether a directory is a zarr store."""
    return any((folder / metadata).is_file() for metadata in _METADATA)


def open_zarr(folder: Path, member: str, name: str, spec: str) -> ZarrRows:
    """One matrix of a store."""
    array, member = _find(folder, member, name, choose_rows)
    where = Location(folder, member)
    shape = check_shape(array.shape, name, where)
    dtype = value_dtype(array.dtype, name, where)
    grid = ChunkGrid(shape, array.shards or array.chunks, array.dtype.itemsize)
    return ZarrRows(spec, WatchedFile.open(_metadata_file(folder / member), name), member, dtype, grid)


def read_zarr_array(folder: Path, member: str, name: str) -> np.ndarray:
    """A whole array, of numbers or strings."""
    array, member = _find(folder, member, name, choose_any)
    if array.dtype.hasobject or array.ndim > 2:
        raise InputTypeError(
            f"{name}: {Location(folder, member)} must be one or two axes of numbers or strings; it is {array.shape} of "
            f"{array.dtype}."
        )
    try:
        return np.asarray(array[...])
    except Exception as error:  # whatever a codec raises on damaged bytes
        raise InputValueError(f"{name}: {Location(folder, member)} is damaged ({error}).") from error


class ZarrRows(ForwardRows):
    """Rows of a zarr array; bands of chunks (of shards, where there are some) are decoded once when read in order."""

    def __init__(self, spec: str, file: WatchedFile, member: str, dtype: np.dtype[Any], grid: ChunkGrid) -> None:
        super().__init__(spec, file, member, grid.shape, dtype)
        self._grid = grid
        self._folder = file.path.parent  # of this array
        self._files = _files(self._folder)

    def fingerprint(self) -> str:
        """SHA-256 of names and sizes of the array's files, of its metadata and of pieces of evenly spaced chunks."""
        files = sorted(self._files)
        chosen = {files[i * (len(files) - 1) // _N_FILES] for i in range(_N_FILES + 1)} | {self.file.path.name}
        watched = [WatchedFile(self._folder / file, self.name, *self._files[file]) for file in sorted(chosen)]
        return fingerprint_of(watched, self.dtype, [(file, self._files[file][0]) for file in files])

    def require_unchanged(self) -> None:
        """Raise InputValueError if a file of the array came, went or was written to; `read` looks at the metadata alone."""
        if (now := _files(self._folder)) != self._files:
            changed = sorted(now.items() ^ self._files.items())[0][0]
            raise InputValueError(f"{self.name}: {self._folder / changed} has changed since the array was opened.")

    def _restart_row(self, row: int) -> int:
        return self._grid.restart_row(row)

    def _pieces(self, start: int) -> Iterator[np.ndarray]:
        array = _open(self._folder, self.name)
        for first, stop in self._grid.bands(start):
            values = np.asarray(array[first:stop])
            yield values.view(self.dtype) if self.dtype == np.uint16 else values


def _open(folder: Path, name: str) -> Any:
    zarr = load("zarr", "reading zarr stores")
    try:
        return zarr.open(folder, mode="r")
    except Exception as error:  # zarr and its JSON parsers raise many kinds
        raise InputValueError(f"{name}: {folder} is not a whole zarr store ({error}).") from error


def _find(folder: Path, member: str, name: str, choose: Any) -> tuple[Any, str]:
    """The array meant, complete and safe to decode, and its path in the store."""
    zarr = load("zarr", "reading zarr stores")
    root = _open(folder, name)
    member = member.strip("/")
    if isinstance(root, zarr.Array):
        if member:
            raise InputValueError(f"{name}: {folder} is one array and has no {member!r}.")
        array = root
    else:
        arrays = {path: item for path, item in root.members(max_depth=None) if isinstance(item, zarr.Array)}
        member = choose(
            [
                Member(path, item.shape, dtype_name(item.dtype), item.ndim == 2 and holds_floats(item.dtype))
                for path, item in arrays.items()
            ],
            member,
            name,
            folder,
        )
        array = arrays[member]
    _check(array, name, Location(folder, member), folder / member)
    return array, member


def _check(array: Any, name: str, where: object, folder: Path) -> None:
    metadata = array.metadata
    if array.metadata.zarr_format == 2:
        codecs = [codec.codec_id for codec in [*(metadata.filters or ()), metadata.compressor] if codec is not None]
    else:
        codecs = list(_codec_names(json.loads(json.dumps(metadata.to_dict()["codecs"], default=str))))
    unsafe = [codec for codec in codecs if codec not in _SAFE_CODECS]
    if unsafe:
        raise InputValueError(
            f"{name}: {where} needs the codec {unsafe[0]!r}, which is not run; write it with zstd or blosc."
        )
    grid = ChunkGrid(array.shape, array.shards or array.chunks, array.dtype.itemsize)
    grid.check(name, where)
    grid.require_complete(_n_stored(metadata, grid, folder), name, where)


def _n_stored(metadata: Any, grid: ChunkGrid, folder: Path) -> int:
    """Chunks that are there, under the names that the store looks for; other files are none."""
    files = _files(folder).keys() - {*_METADATA, ".zattrs", ".zmetadata"}
    if len(files) < grid.n_chunks:  # whose names need not be tried: a shape may claim any number of them
        return len(files)
    return sum(metadata.encode_chunk_key(place) in files for place in np.ndindex(*grid.counts))


def _codec_names(codecs: Any) -> Iterator[str]:
    """Names of codecs, and of those inside them (sharding)."""
    for codec in codecs:
        yield codec["name"]
        for inner in ("codecs", "index_codecs"):
            yield from _codec_names(codec.get("configuration", {}).get(inner, ()))


def _metadata_file(folder: Path) -> Path:
    return next(folder / metadata for metadata in _METADATA if (folder / metadata).is_file())


def _files(folder: Path) -> dict[str, tuple[int, int]]:
    """Size and time stamp of every file below a directory."""
    files = {}
    for parent, _, names in os.walk(folder):
        for file in names:
            path = Path(parent) / file
            status = path.stat()
            files[path.relative_to(folder).as_posix()] = (status.st_size, status.st_mtime_ns)
    return files
