"""The .npy format: a header of plain text, then the numbers."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy_format

from crossphase.errors import InputTypeError, InputValueError
from crossphase.sources.plain_rows import PlainRows
from crossphase.sources.watched_file import WatchedFile

MAGIC = b"\x93NUMPY"
MOST_HEADER_BYTES = 65536  # more than any array of numbers needs; NumPy reads 10 000 characters at most


class NpyHeader(NamedTuple):
    """What the header says, and where the numbers begin."""

    shape: tuple[int, ...]
    is_fortran: bool
    dtype: np.dtype[Any]
    n_bytes: int

    @property
    def n_data_bytes(self) -> int:
        """Bytes of the numbers, as a Python integer that cannot overflow."""
        count = 1
        for size in self.shape:
            count *= size
        return count * self.dtype.itemsize


def open_npy(file: WatchedFile, member: str, spec: str) -> PlainRows:
    """The matrix of a .npy file."""
    if member:
        raise InputValueError(f"{file.name}: {file.path} is one array and has no {member!r}.")
    header = read_header(file.read_bytes(0, MOST_HEADER_BYTES), file.name, file.path)
    refuse_objects(header, file.name, file.path)
    return PlainRows(spec, file, header.n_bytes, header.shape, header.dtype, header.is_fortran)


def refuse_objects(header: NpyHeader, name: str, where: object) -> None:
    """Raise InputTypeError if the values are pickled."""
    if header.dtype.hasobject:
        raise InputTypeError(
            f"{name}: {where} holds pickled Python objects, which are never loaded: they could run any code. Save a plain "
            "array instead, e.g. numpy.save(path, array.astype('float32')), or strings as array.astype(str)."
        )


def read_header(start: bytes, name: str, where: object) -> NpyHeader:
    """The header in the first bytes of a .npy file; no number is read and nothing is unpickled."""
    if not start.startswith(MAGIC):
        raise InputValueError(f"{name}: {where} is not a whole .npy file (it does not begin like one).")
    stream = BytesIO(start)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of files from Python 2
            version = npy_format.read_magic(stream)
            read = npy_format.read_array_header_1_0 if version == (1, 0) else npy_format.read_array_header_2_0
            shape, is_fortran, dtype = read(stream)
    except Exception as error:  # NumPy's header parser raises what Python's tokenizer does
        raise InputValueError(f"{name}: {where} is not a whole .npy file ({error}).") from error
    if any(isinstance(size, bool) or size < 0 for size in shape):
        raise InputValueError(f"{name}: {where} is not a whole .npy file (its header says shape {shape}).")
    return NpyHeader(shape, is_fortran, dtype, stream.tell())
