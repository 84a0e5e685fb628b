"""Our own files: named arrays and strings in the safetensors format, sealed with a SHA-256 of the whole.

Eight bytes, the length of the header (little-endian); the header, JSON: per array its dtype, shape and place, and strings
under ``__metadata__``; the arrays' bytes, without gaps. https://huggingface.co/docs/safetensors
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from crossphase import _core
from crossphase.atomic_file import replace_file
from crossphase.errors import InputValueError

_DTYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"),
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "BF16": np.dtype("<u2"),  # the bits, as everywhere here
    "I64": np.dtype("<i8"),
    "U8": np.dtype("u1"),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_OPENING = b'{"__metadata__":{"sha256":"'  # how our headers begin; then the seal, of the file with zeros in its place
_UNSEALED = b"0" * 64
_SEAL = slice(len(_OPENING), len(_OPENING) + len(_UNSEALED))  # within the header
_MOST_HEADER_BYTES = 100_000_000  # the format's own limit


@dataclass(frozen=True, slots=True, eq=False)
class SafetensorsContent:
    """What a file holds."""

    tensors: dict[str, np.ndarray]
    metadata: dict[str, str]


def write(target: str | os.PathLike[str], tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    """Replace `target` by a file of these arrays (float64, float32, float16, int64, uint8; uint16 is bfloat16) and strings.

    Arrays are written one after the other: no second copy of those that are C-contiguous. Raises what
    `crossphase.atomic_file.replace_file` does.
    """
    with replace_file(target) as stream:
        _write(stream, tensors, metadata)


def to_bytes(tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> bytes:
    """The content of the file that `write` would make."""
    stream = io.BytesIO()
    _write(stream, tensors, metadata)
    return stream.getvalue()


def read(path: str | os.PathLike[str]) -> SafetensorsContent:
    """What `write` wrote.

    Nothing is allocated before its size is known to be in the file.

    Raises
    ------
    InputValueError
        The file is damaged, cut short, or not one of ours.
    FileNotFoundError, PermissionError, IsADirectoryError
    """
    file = Path(path)
    if file.exists() and not file.is_file() and not file.is_dir():  # opening a pipe would wait for its writer
        raise InputValueError(f"{file} is not a regular file.")
    with file.open("rb") as stream:
        return _read(stream, os.fstat(stream.fileno()).st_size, str(file))


def from_bytes(data: bytes | bytearray | memoryview, name: str) -> SafetensorsContent:
    """As `read`, of the content of a file; `name` stands for the file in messages."""
    return _read(io.BytesIO(data), len(memoryview(data).cast("B")), name)


def metadata_of(kind: str, schema_version: int, description: Mapping[str, Any]) -> dict[str, str]:
    """Strings that go with a state's arrays: what it is, by which library, and its description as JSON."""
    return {
        "format": kind,
        "schema_version": str(schema_version),
        "crossphase_version": _core.__version__,
        "content": json.dumps(description, separators=(",", ":")),
    }


def description_in(content: SafetensorsContent, kind: str, schema_version: int, name: str) -> dict[str, Any]:
    """The description that `metadata_of` was given; raises InputValueError if it is of another kind or schema."""
    metadata = content.metadata
    if metadata.get("format") != kind:
        raise InputValueError(f"{name} must hold a {kind}; it holds {metadata.get('format', 'something else')}.")
    if metadata.get("schema_version") != str(schema_version):
        raise InputValueError(
            f"{name} has schema {metadata.get('schema_version')}, written by crossphase {metadata.get('crossphase_version')}; "
            f"this is crossphase {_core.__version__}, which reads schema {schema_version}. Use that version, or a newer one."
        )
    try:
        description = json.loads(metadata["content"])
    except (KeyError, ValueError, RecursionError):
        description = None
    if not isinstance(description, dict):
        raise InputValueError(f"{name} does not describe its {kind}.")
    return description


def _write(stream: BinaryIO, tensors: Mapping[str, np.ndarray], metadata: Mapping[str, str]) -> None:
    header: dict[str, Any] = {"__metadata__": {"sha256": _UNSEALED.decode(), **metadata}}
    stop = 0
    for name, values in tensors.items():
        start, stop = stop, stop + values.nbytes
        header[name] = {"dtype": _NAMES[values.dtype], "shape": list(values.shape), "data_offsets": [start, stop]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # arrays begin at a multiple of their item size
    digest = hashlib.sha256()
    for part in (len(text).to_bytes(8, "little"), text):
        digest.update(part)
        stream.write(part)
    for values in tensors.values():
        content = np.ascontiguousarray(values).reshape(-1).data.cast("B") if values.size else b""
        digest.update(content)
        stream.write(content)
    stream.seek(8 + _SEAL.start)
    stream.write(digest.hexdigest().encode())


def _read(stream: io.BufferedIOBase, size: int, name: str) -> SafetensorsContent:
    head = stream.read(8)
    n_header = int.from_bytes(head, "little")
    if len(head) == 8 and n_header > _MOST_HEADER_BYTES:
        raise InputValueError(f"{name} is no file of crossphase: it does not begin like one.")
    if len(head) < 8 or n_header > size - 8:
        raise _damaged(name, f"its {size} bytes are too few for its header")
    header = stream.read(n_header)
    if not header.startswith(_OPENING):
        raise InputValueError(f"{name} is no file of crossphase: it does not begin like one.")
    entries, metadata = _parse(header, name)
    digest = hashlib.sha256(head + header[: _SEAL.start] + _UNSEALED + header[_SEAL.stop :])
    tensors: dict[str, np.ndarray] = {}
    end = 0
    for key, entry in entries.items():
        dtype, shape, start, stop = _checked(entry, key, name)
        if start != end or stop > size - 8 - n_header:
            raise _damaged(
                name, f"array {key!r} is not where the one before it ends, or ends behind the file's {size} bytes"
            )
        end = stop
        try:
            values = np.empty(shape, dtype)
        except ValueError as error:  # too many dimensions, or too large beside a zero
            raise _damaged(name, f"array {key!r} has an impossible shape ({error})") from None
        if values.size:
            content = values.reshape(-1).data.cast("B")
            if stream.readinto(content) != len(content):
                raise _damaged(name, f"array {key!r} ends too early")
            digest.update(content)
        tensors[key] = values
    if end != size - 8 - n_header:
        raise _damaged(name, f"its arrays end after {8 + n_header + end} of {size} bytes")
    if digest.hexdigest().encode() != header[_SEAL]:
        raise _damaged(name, "its content does not match its checksum")
    return SafetensorsContent(tensors, metadata)


def _parse(header: bytes, name: str) -> tuple[dict[str, Any], dict[str, str]]:
    try:
        entries = json.loads(header)
        metadata = entries.pop("__metadata__")
    except (ValueError, RecursionError, KeyError, AttributeError) as error:
        raise _damaged(name, f"its header cannot be read ({error})") from None
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise _damaged(name, "its metadata are not strings")
    return entries, metadata


def _checked(entry: Any, key: str, name: str) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    """dtype, shape, first byte and end of one array, if they fit each other."""
    try:
        dtype, shape, (start, stop) = _DTYPES[entry["dtype"]], tuple(entry["shape"]), entry["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise _damaged(name, f"array {key!r} is not described as it should be") from None
    numbers = (*shape, start, stop)
    if not all(type(number) is int and number >= 0 for number in numbers):
        raise _damaged(name, f"array {key!r} has a size or a place that is no count")
    if math.prod(shape) * dtype.itemsize != stop - start:
        raise _damaged(name, f"array {key!r} of shape {shape} does not have {stop - start} bytes")
    return dtype, shape, start, stop


def _damaged(name: str, how: str) -> InputValueError:
    return InputValueError(f"{name} is damaged: {how}.")
