"""Members of .npz archives: stored ones are read by position, deflated ones forward."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from crossphase.errors import InputValueError
from crossphase.sources.forward_rows import PIECE_BYTES, ForwardRows
from crossphase.sources.members import Member, choose_any, choose_rows, dtype_name
from crossphase.sources.npy import MOST_HEADER_BYTES, NpyHeader, read_header, refuse_objects
from crossphase.sources.plain_rows import PlainRows
from crossphase.sources.source import RowSource, holds_floats, value_dtype
from crossphase.sources.watched_file import WatchedFile

_MOST_DEFLATED = 1032  # bytes that one deflated byte can stand for (zlib, "Maximum Expansion Factor")
_MOST_TRANSPOSED = 1 << 28  # bytes of a deflated Fortran-ordered member that are kept in memory
_LOCAL_HEADER = 30


class _Entry(NamedTuple):
    info: zipfile.ZipInfo
    header: NpyHeader


def open_npz(file: WatchedFile, member: str, spec: str) -> RowSource:
    """One matrix of an archive."""
    entries = _entries(file)
    member = choose_rows(_members(entries), member, file.name, file.path)
    info, header = entries[member]
    refuse_objects(header, file.name, f"{file.path}::{member}")
    if info.compress_type == zipfile.ZIP_STORED:
        offset = _data_offset(file, info) + header.n_bytes
        return PlainRows(spec, file, offset, header.shape, header.dtype, header.is_fortran, member)
    return DeflatedRows(spec, file, member, info, header)


def read_npz_array(file: WatchedFile, member: str) -> np.ndarray:
    """A whole member, of any plain dtype."""
    entries = _entries(file)
    member = choose_any(_members(entries), member, file.name, file.path)
    info, header = entries[member]
    refuse_objects(header, file.name, f"{file.path}::{member}")
    try:
        with zipfile.ZipFile(file.path) as archive, archive.open(info) as stream:
            content = stream.read()  # at most what the directory says, which `_entry` has checked
    except Exception as error:  # whatever zipfile and zlib raise on damaged bytes
        raise InputValueError(f"{file.name}: {file.path}::{member} is damaged ({error}).") from error
    if len(content) != info.file_size:
        raise InputValueError(
            f"{file.name}: {file.path}::{member} ends after {len(content)} of {info.file_size} bytes."
        )
    values = np.frombuffer(content, header.dtype, offset=header.n_bytes)
    return values.reshape(header.shape, order="F" if header.is_fortran else "C")


class DeflatedRows(ForwardRows):
    """A deflated member; a block before the last one inflates the member again from its beginning."""

    def __init__(self, spec: str, file: WatchedFile, member: str, info: zipfile.ZipInfo, header: NpyHeader) -> None:
        where = f"{file.path}::{member}"
        super().__init__(spec, file, member, header.shape, value_dtype(header.dtype, file.name, where))
        self._info, self._header = info, header
        if header.is_fortran and header.n_data_bytes > _MOST_TRANSPOSED:
            raise InputValueError(
                f"{file.name}: {where} is compressed and in Fortran order, so that no row can be read before almost all is "
                "inflated; save it with numpy.savez (not compressed) or as numpy.ascontiguousarray(array)."
            )

    def _restart_row(self, row: int) -> int:  # noqa: ARG002  (a deflated stream has one beginning)
        return 0

    def _pieces(self, start: int) -> Iterator[np.ndarray]:
        row_bytes = self.n_features * self._header.dtype.itemsize
        n_rows = self.n_samples if self._header.is_fortran else max(1, PIECE_BYTES // row_bytes)
        with zipfile.ZipFile(self.file.path) as archive, archive.open(self._info) as stream:
            stream.read(self._header.n_bytes)
            for first in range(start, self.n_samples, n_rows):
                shape = (min(n_rows, self.n_samples - first), self.n_features)
                content = stream.read(shape[0] * row_bytes)
                if len(content) < shape[0] * row_bytes:
                    return
                values = np.frombuffer(content, self._header.dtype)
                values = values.reshape(shape, order="F" if self._header.is_fortran else "C")
                yield values.view(self.dtype) if self.dtype == np.uint16 else values


def _entries(file: WatchedFile) -> dict[str, _Entry]:
    """Every array of the archive with its header, sizes checked against each other and against the file.

    Pickled members stay in the list: they do no harm to who asks for another.
    """
    entries = {}
    try:
        with zipfile.ZipFile(file.path) as archive:
            for info in archive.infolist():
                if info.filename.endswith(".npy"):
                    member = info.filename.removesuffix(".npy")
                    entries[member] = _entry(archive, info, file, f"{file.path}::{member}")
    except InputValueError:
        raise
    except Exception as error:  # whatever zipfile and zlib raise on damaged bytes
        raise InputValueError(f"{file.name}: {file.path} is not a whole .npz file ({error}).") from error
    return entries


def _entry(archive: zipfile.ZipFile, info: zipfile.ZipInfo, file: WatchedFile, where: str) -> _Entry:
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) or info.flag_bits & 1:
        raise InputValueError(f"{file.name}: {where} is encrypted, or not stored or deflated as numpy.savez does.")
    most = info.compress_size * (1 if info.compress_type == zipfile.ZIP_STORED else _MOST_DEFLATED)
    if info.compress_size > file.size or info.file_size > most:
        raise InputValueError(
            f"{file.name}: {where} claims {info.file_size} bytes in {info.compress_size} of a file of {file.size}, which "
            "cannot be."
        )
    with archive.open(info) as stream:
        header = read_header(stream.read(MOST_HEADER_BYTES), file.name, where)
    if not header.dtype.hasobject and header.n_bytes + header.n_data_bytes != info.file_size:
        raise InputValueError(
            f"{file.name}: {where} is not whole: its header says {header.shape} of {header.dtype}, which takes "
            f"{header.n_data_bytes} bytes; the archive holds {info.file_size - header.n_bytes}."
        )
    return _Entry(info, header)


def _members(entries: dict[str, _Entry]) -> list[Member]:
    return [
        Member(name, header.shape, dtype_name(header.dtype), len(header.shape) == 2 and holds_floats(header.dtype))
        for name, (_, header) in entries.items()
    ]


def _data_offset(file: WatchedFile, info: zipfile.ZipInfo) -> int:
    """Where a stored member's bytes begin: behind the local header, whose extra field need not be the directory's."""
    local = file.read_bytes(info.header_offset, _LOCAL_HEADER)
    if len(local) < _LOCAL_HEADER or not local.startswith(b"PK\x03\x04"):
        raise InputValueError(f"{file.name}: {file.path} is not a whole .npz file (no member at {info.header_offset}).")
    return (
        info.header_offset
        + _LOCAL_HEADER
        + int.from_bytes(local[26:28], "little")
        + int.from_bytes(local[28:30], "little")
    )
