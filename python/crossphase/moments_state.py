"""`CrossMoments` as arrays and JSON, and back: what is kept, so that the rows that follow give the same bytes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from crossphase import _core, safetensors_file
from crossphase.errors import InputTypeError, InputValueError
from crossphase.safetensors_file import SafetensorsContent, description_in, metadata_of

if TYPE_CHECKING:
    from crossphase.moments import CrossMoments

SCHEMA_VERSION = 1
_KIND = "crossphase.CrossMoments"


def save(moments: CrossMoments, path: str | os.PathLike[str]) -> None:
    """Write a state; see `CrossMoments.save`."""
    tensors, description = to_arrays(moments)
    safetensors_file.write(path, tensors, metadata_of(_KIND, SCHEMA_VERSION, description))


def to_bytes(moments: CrossMoments) -> bytes:
    """The content of the file that `save` would make."""
    tensors, description = to_arrays(moments)
    return safetensors_file.to_bytes(tensors, metadata_of(_KIND, SCHEMA_VERSION, description))


def load(path: str | os.PathLike[str], n_threads: int | None) -> CrossMoments:
    """Read a state; see `CrossMoments.load`."""
    return _restored(safetensors_file.read(path), str(path), n_threads)


def from_bytes(data: bytes | bytearray | memoryview, n_threads: int | None) -> CrossMoments:
    """The state that `to_bytes` was given."""
    return _restored(safetensors_file.from_bytes(data, "data"), "data", n_threads)


def to_arrays(moments: CrossMoments) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """All that the state holds: its arrays by name, and the rest as JSON can have it.

    Raises
    ------
    InputTypeError
        The state is of the reference backend, which keeps every row.
    """
    if moments.backend == "reference":
        raise InputTypeError(
            "a state of backend 'reference' keeps every row and is not saved; use backend='cpu', or save the rows."
        )
    *leading, trees, partial_rows = moments._state.__getstate__()
    arrays: dict[str, np.ndarray] = {}
    places = []
    for first_block, n_blocks, n_samples, *parts in trees:
        places.append([first_block, n_blocks, n_samples])
        for number, part in enumerate(parts):  # mean, scatter
            arrays[f"moments.tree_{first_block}.{number}"] = part
    for first_row, rows in partial_rows:
        arrays[f"moments.rows_{first_row}"] = rows
    description = {
        "widths": [moments.n_features_x, moments.n_features_y, moments.n_labels],
        "precision": moments.precision,
        "leading": leading,
        "trees": places,
        "partial_rows": [first_row for first_row, _ in partial_rows],
    }
    return arrays, description


def from_arrays(
    arrays: Mapping[str, np.ndarray], description: Mapping[str, Any], name: str, n_threads: int | None = None
) -> CrossMoments:
    """The state that `to_arrays` was given.

    Raises
    ------
    InputValueError
        What is given could not have come from a state; `name` stands for its file in the message.
    """
    from crossphase.moments import CrossMoments  # noqa: PLC0415  (which imports this module)

    try:
        widths = description["widths"]
        moments = CrossMoments(
            *widths,
            first_row=description["leading"][1],
            precision=description["precision"],
            n_threads=n_threads,
            backend="cpu",
        )
        *leading, _, _ = moments._state.__getstate__()
        if leading != description["leading"]:  # columns, next row, arithmetic
            raise ValueError(f"it begins with {description['leading']} instead of {leading}")
        trees = [
            (*place, *(arrays[f"moments.tree_{place[0]}.{number}"] for number in range(2)))
            for place in description["trees"]
        ]
        partial_rows = [(row, arrays[f"moments.rows_{row}"]) for row in description["partial_rows"]]
        state = _core.cpu.CrossMoments.__new__(_core.cpu.CrossMoments)
        state.__setstate__((*leading, trees, partial_rows))
    except (LookupError, TypeError, ValueError, RuntimeError) as error:  # pybind11's failed casts are RuntimeErrors
        raise InputValueError(f"{name} does not hold the moments it should ({error}).") from error
    moments._state = state
    return moments


def _restored(content: SafetensorsContent, name: str, n_threads: int | None) -> CrossMoments:
    return from_arrays(content.tensors, description_in(content, _KIND, SCHEMA_VERSION, name), name, n_threads)
