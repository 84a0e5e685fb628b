"""From a path, with or without the name of a member, or an array to a source of rows."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from crossphase.errors import InputValueError
from crossphase.sources.array_rows import ArrayRows
from crossphase.sources.npy import open_npy
from crossphase.sources.source import RowSource
from crossphase.sources.watched_file import WatchedFile

SEPARATOR = "::"  # between a path and the member of a container

_OPENERS: dict[str, Callable[[WatchedFile, str], RowSource]] = {".npy": open_npy}


def open_rows(spec: Any, name: str) -> RowSource:
    """A source of rows: from a path, ``"path::member"``, an array, or a source itself."""
    if isinstance(spec, str | os.PathLike):
        file = WatchedFile.open(spec, name)
        if file.path.suffix not in _OPENERS:
            raise InputValueError(f"{name} must be a file of rows ({', '.join(_OPENERS)}); got {file.path}.")
        return _OPENERS[file.path.suffix](file, str(spec))
    if isinstance(spec, RowSource):
        return spec
    return ArrayRows(spec, name)
