"""Which array of a container is meant."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from crossphase.errors import InputValueError

SEPARATOR = "::"  # between the path and the member
_MOST_LISTED = 12


class Member(NamedTuple):
    """One array of a container, as the sentence that lists them shows it."""

    name: str
    shape: tuple[int, ...] | None  # None: only the data would tell
    dtype: str
    holds_rows: bool  # two axes of floating-point numbers


class Location(NamedTuple):
    """A path and, if it was written, the member after ``::``."""

    path: Path
    member: str

    def __str__(self) -> str:
        return f"{self.path}{SEPARATOR}{self.member}" if self.member else str(self.path)


def dtype_name(dtype: np.dtype[Any]) -> str:
    """A type of values as that sentence names it."""
    if dtype.kind in "UST":
        return "strings"
    return "bfloat16" if dtype == np.dtype("V2") else dtype.name


def split_location(spec: str) -> Location:
    """``"path::member"`` in its parts; a file whose own name has ``::`` in it is a path."""
    path, separator, member = spec.partition(SEPARATOR)
    return Location(Path(path), member) if separator and not Path(spec).exists() else Location(Path(spec), "")


def choose_rows(members: Iterable[Member], wanted: str, name: str, path: Path) -> str:
    """The member named, or the only one that holds rows."""
    members = list(members)
    if wanted:
        return _find(members, wanted, name, path)
    candidates = [member for member in members if member.holds_rows]
    if len(candidates) == 1:
        return candidates[0].name
    if not candidates:
        raise InputValueError(
            f"{name}: {path} has no matrix of floating-point numbers with shape (n_samples, n_features); it holds "
            f"{_listed(members)}."
        )
    raise InputValueError(
        f"{name}: {path} has {len(candidates)} matrices; name one as {path.name}{SEPARATOR}NAME: {_listed(candidates)}."
    )


def choose_any(members: Iterable[Member], wanted: str, name: str, path: Path) -> str:
    """The member named, or the only one there is."""
    members = list(members)
    if wanted:
        return _find(members, wanted, name, path)
    if len(members) == 1:
        return members[0].name
    raise InputValueError(f"{name}: name one array as {path.name}{SEPARATOR}NAME; {path} holds {_listed(members)}.")


def _find(members: list[Member], wanted: str, name: str, path: Path) -> str:
    if all(member.name != wanted for member in members):
        raise InputValueError(f"{name}: {path} has no {wanted!r}; it holds {_listed(members)}.")
    return wanted


def _listed(members: list[Member]) -> str:
    shown = [f"{member.name} ({_described(member)})" for member in members[:_MOST_LISTED]]
    if len(members) > _MOST_LISTED:
        shown.append(f"{len(members) - _MOST_LISTED} more")
    return ", ".join(shown) or "nothing"


def _described(member: Member) -> str:
    shape = None if member.shape is None else " × ".join(map(str, member.shape)) or "scalar"
    return member.dtype if shape is None else f"{shape}, {member.dtype}"
