"""The safetensors format: eight bytes of length, a JSON header, then the tensors without holes.

Nothing is trusted: the header must fit into the file, and offsets must agree with shapes, dtypes, each other and the
file's size.  Source: the format's description, https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np

from crossphase.errors import InputValueError
from crossphase.sources.members import Member, choose_any, choose_rows
from crossphase.sources.plain_rows import PlainRows
from crossphase.sources.watched_file import WatchedFile

MOST_HEADER_BYTES = 100_000_000  # the format's own bound
_MOST_AXES = 64  # as NumPy's arrays
_DTYPES = {
    "F64": "<f8",
    "F32": "<f4",
    "F16": "<f2",
    "BF16": "V2",
    "I64": "<i8",
    "I32": "<i4",
    "I16": "<i2",
    "I8": "i1",
    "U64": "<u8",
    "U32": "<u4",
    "U16": "<u2",
    "U8": "u1",
    "BOOL": "?",
}


class _Tensor(NamedTuple):
    shape: tuple[int, ...]
    dtype: str  # as the header writes it
    first: int  # byte of the file
    stop: int


def open_safetensors(file: WatchedFile, member: str, spec: str) -> PlainRows:
    """One matrix of the file."""
    tensors = _tensors(file)
    if not member and tensors.keys() >= {"sample.X", "sample.Y"}:
        raise InputValueError(
            f"{file.name}: {file.path} is a state of summed rows (crossphase moments), not a matrix of rows. Diagnose it "
            "alone, without a second view or labels; states of parts are merged first (crossphase merge)."
        )
    member = choose_rows(_members(tensors), member, file.name, file.path)
    tensor = tensors[member]
    return PlainRows(spec, file, tensor.first, tensor.shape, _dtype(tensor, file, member), False, member)


def read_safetensors_array(file: WatchedFile, member: str) -> np.ndarray:
    """A whole tensor."""
    tensors = _tensors(file)
    member = choose_any(_members(tensors), member, file.name, file.path)
    tensor = tensors[member]
    content = file.read_bytes(tensor.first, tensor.stop - tensor.first)
    return np.frombuffer(content, _dtype(tensor, file, member)).reshape(tensor.shape)


def _dtype(tensor: _Tensor, file: WatchedFile, member: str) -> np.dtype[Any]:
    if tensor.dtype not in _DTYPES:
        raise InputValueError(
            f"{file.name} must be float16, bfloat16, float32 or float64; {file.path}::{member} is {tensor.dtype}."
        )
    return np.dtype(_DTYPES[tensor.dtype])


def _members(tensors: dict[str, _Tensor]) -> list[Member]:
    return [
        Member(name, t.shape, t.dtype, len(t.shape) == 2 and t.dtype in ("F64", "F32", "F16", "BF16"))
        for name, t in tensors.items()
    ]


def _tensors(file: WatchedFile) -> dict[str, _Tensor]:
    broken = f"{file.name}: {file.path} is not a whole safetensors file"
    length = file.read_bytes(0, 8)
    n_header = int.from_bytes(length, "little")
    if len(length) < 8 or n_header > min(MOST_HEADER_BYTES, file.size - 8):
        raise InputValueError(f"{broken} (its header would take {n_header} bytes; the file has {file.size}).")
    try:
        header = json.loads(file.read_bytes(8, n_header), object_pairs_hook=_without_repeats)
        tensors = {name: _tensor(entry, 8 + n_header) for name, entry in header.items() if name != "__metadata__"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputValueError(f"{broken} (its header cannot be read: {type(error).__name__}: {error}).") from error
    end = 8 + n_header
    for name, tensor in sorted(tensors.items(), key=lambda item: (item[1].first, item[1].stop)):
        n_bytes = _n_bytes(tensor)
        if tensor.first != end or tensor.stop < tensor.first or n_bytes not in (None, tensor.stop - tensor.first):
            raise InputValueError(
                f"{broken} ({name!r} of shape {tensor.shape} and dtype {tensor.dtype} lies at bytes {tensor.first} to "
                f"{tensor.stop}; it should begin at {end} and take {n_bytes} bytes)."
            )
        end = tensor.stop
    if end != file.size:
        raise InputValueError(f"{broken} (its tensors end at byte {end}; the file has {file.size}).")
    return tensors


def _tensor(entry: dict[str, Any], start: int) -> _Tensor:
    numbers = [*entry["shape"], *entry["data_offsets"]]
    if len(entry["data_offsets"]) != 2 or len(entry["shape"]) > _MOST_AXES:
        raise ValueError(f"a tensor has at most {_MOST_AXES} axes and two offsets")
    if any(type(number) is not int or number < 0 for number in numbers):
        raise ValueError(f"sizes and offsets must be integers of at least 0; got {numbers}")
    first, stop = entry["data_offsets"]
    return _Tensor(tuple(entry["shape"]), str(entry["dtype"]), start + first, start + stop)


def _n_bytes(tensor: _Tensor) -> int | None:
    """What shape and dtype take, as a Python integer that cannot overflow; None for a dtype that is not ours."""
    if tensor.dtype not in _DTYPES:
        return None
    count = np.dtype(_DTYPES[tensor.dtype]).itemsize
    for size in tensor.shape:
        count *= size
    return count


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entries = dict(pairs)
    if len(entries) < len(pairs):
        raise ValueError("a name is there twice")
    return entries
