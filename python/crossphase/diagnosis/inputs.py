"""What ``diagnose`` was given, and whether its rows are held in memory or read once."""

from __future__ import annotations

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.pair_state import PairState
from crossphase.readers import read_samples
from crossphase.sources import RowSource, open_rows
from crossphase.sources.members import split_location

# Of values in files, X and Y together: up to here rows are read into memory, beyond it in one pass.
IN_MEMORY_BYTES = 2**30


def is_state(X: Any, Y: Any) -> bool:
    """Whether X is what one pass kept, or the file of that: a ``.safetensors`` file that comes without a Y."""
    if isinstance(Y, PairState):
        raise InputTypeError(
            "Y is a state of rows that were summed, X and Y of them: diagnose it alone, diagnose(state); states of parts are "
            "merged first (PairState.merge)."
        )
    if isinstance(X, PairState):
        return True
    return Y is None and isinstance(X, str | os.PathLike) and Path(X).suffix == ".safetensors"


def state_of(X: Any, given: dict[str, Any], n_threads: int) -> PairState:
    """The state that X is; raises InputTypeError for what cannot come beside one."""
    for name, value in given.items():
        if value is not None:
            remedy = {
                "labels": "are part of it: make it with them (crossphase.summarize_pair)",
                "ids": "match rows before they are summed: make the state with them (crossphase.summarize_pair)",
            }.get(name, "must be left out")
            raise InputTypeError(f"X is a state of rows that were summed; {name} {remedy}.")
    return X if isinstance(X, PairState) else PairState.load(X, n_threads=n_threads)


def opened(values: Any, name: str) -> Any:
    """An array as it is, a ``.npy`` file as a memory map, any other file as a source of rows."""
    if not isinstance(values, str | os.PathLike):
        return values
    path, member = split_location(os.fspath(values))
    is_npy = path.suffix == ".npy" and not member and not path.is_dir()
    return read_samples(values, name) if is_npy else open_rows(values, name)


def stored_bytes(values: Any) -> int:
    """Of values that are in a file; 0 for those in memory."""
    if isinstance(values, RowSource):
        return values.n_samples * values.n_features * values.dtype.itemsize
    return int(values.nbytes) if isinstance(values, np.ndarray) and _is_mapped(values) else 0


def in_memory(values: Any) -> Any:
    """All rows of a source; anything else as it is."""
    if not isinstance(values, RowSource):
        return values
    rows = values.read(0, values.n_samples)
    values.require_unchanged()
    return rows.view("V2") if rows.dtype == np.uint16 else rows  # bfloat16, as arrays of users hold it


def require_no_precision(precision: Any) -> None:
    """Refuse an option of the one pass where there is none."""
    if precision is not None:
        raise InputValueError(
            f"precision is of sums made in one pass; X and Y are in memory, or at most {IN_MEMORY_BYTES // 2**30} GiB, and are "
            'summed in "f64". Leave it out, or pass checkpoint= to read them in one pass.'
        )


def _is_mapped(array: np.ndarray) -> bool:
    """Whether an array, a view of one included, is a file mapped into memory."""
    base: Any = array
    while isinstance(base, np.ndarray):
        base = base.base
    return isinstance(base, mmap.mmap)
