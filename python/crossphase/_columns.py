"""Names of columns, where a view has them."""

from __future__ import annotations

from typing import Any

import numpy as np

from crossphase.errors import InputValueError


def column_names(values: Any) -> np.ndarray | None:
    """The names of a data frame's columns, in order; None for anything else."""
    names = getattr(values, "columns", None)
    return None if names is None else np.asarray(names, dtype=object)


def require_same_columns(names: np.ndarray | None, known: np.ndarray | None, view: str) -> None:
    """Raise InputValueError naming the first column that is not where it was at fit; views without names pass."""
    if names is None or known is None or list(names) == list(known):
        return
    if len(names) != len(known):
        raise InputValueError(f"{view} has {len(names)} columns and had {len(known)} at fit.")
    first = next(i for i, (a, b) in enumerate(zip(names, known, strict=True)) if a != b)
    raise InputValueError(
        f"{view}'s columns must be named and ordered as at fit; column {first} is {names[first]!r} and was {known[first]!r}."
    )
