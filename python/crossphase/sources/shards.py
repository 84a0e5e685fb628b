"""A directory of files of one format, their rows one after another in the natural order of their names."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from crossphase.errors import InputValueError
from crossphase.sources.concatenated_rows import ConcatenatedRows
from crossphase.sources.members import Location
from crossphase.sources.source import RowSource

# Notes that writers leave beside the data. Any other stranger may be a shard under a temporary name.
_NOTES = {".json", ".txt", ".md", ".crc", ".yaml"}


def open_shards(
    folder: Path, member: str, name: str, spec: str, formats: set[str], open_file: Callable[[Location], RowSource]
) -> RowSource:
    """All row files of a directory as one source."""
    files = sorted(
        (f for f in folder.iterdir() if not f.name.startswith((".", "_")) and f.suffix not in _NOTES),
        key=_natural_order,
    )
    if not files:
        raise InputValueError(f"{name}: {folder} is a directory without row files ({', '.join(sorted(formats))}).")
    for file in files:
        if file.suffix not in formats or not file.is_file():
            raise InputValueError(
                f"{name}: {folder} must hold row files only ({', '.join(sorted(formats))}); {file.name} is none. Is it half "
                "written? Move it elsewhere."
            )
        if file.suffix != files[0].suffix:
            raise InputValueError(
                f"{name}: {folder} must hold files of one format; {files[0].name} and {file.name} differ."
            )
    sources = [open_file(Location(file, member)) for file in files]
    return ConcatenatedRows(spec, name, sources)


def _natural_order(file: Path) -> list[tuple[int, int, str]]:
    """x_2 before x_10: runs of digits compare as numbers."""
    return [(1, int(part), part) if part.isdecimal() else (0, 0, part) for part in re.split(r"(\d+)", file.name)]
