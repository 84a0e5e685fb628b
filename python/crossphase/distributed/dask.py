"""Summarize a pair on the workers of dask: dask arrays, or files that every worker opens for itself."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

from crossphase import _core
from crossphase._scalars import check_integer
from crossphase.distributed.dask_rows import BlockRows, DaskRows, is_dask_array
from crossphase.errors import InputValueError
from crossphase.labels import LabelEncoder
from crossphase.pair_state import PairState
from crossphase.paired_rows import open_pair
from crossphase.samples import as_samples
from crossphase.sources import RowSource
from crossphase.sources.array_rows import ArrayRows, fingerprint_of_pieces
from crossphase.sources.optional import load
from crossphase.summarize import summarize_pair as summarize_here

__all__ = ["is_dask_array", "summarize_pair"]

_GRID_ROWS = _core.cpu.block_rows  # the moments' own: a task that ends on it sends whole nodes of their tree
_TASK_BYTES = 2**28  # of X and Y; many times what the state takes that a task sends back


def summarize_pair(
    X: Any,
    Y: Any,
    labels: Any = None,
    *,
    ids: Sequence[Any] | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    client: Any = None,
    rows_per_task: int | None = None,
    precision: str = "auto",
    n_threads: int = 1,
) -> PairState:
    """As `crossphase.summarize_pair`, with the same bytes, on the workers of dask.

    Parameters
    ----------
    X, Y : dask array, path, RowSource, or array
        Dask arrays of shape (n_samples, n_features), in any chunks; files must have the same path on all workers, which get
        (path, range of rows) and no data.
    labels : as for `crossphase.summarize_pair`, or a dask array or series, optional
        Read and encoded here, then sent to the workers (1 to 8 bytes a row and variable).
    ids : as for `crossphase.summarize_pair`, optional
        Of files; dask arrays must have their rows in one order.
    checkpoint : None
        Dask keeps what is done while it runs; to go on after it ended, summarize and save ranges of rows.
    client : distributed.Client, optional
        Default: dask's current scheduler, threads of this process unless a client was made.
    rows_per_task : int, optional
        Rounded up to a multiple of 1024. Default: 256 MB of X and Y.
    precision, n_threads
        As for `crossphase.summarize_pair`; `n_threads` is that of one task.

    Raises
    ------
    InputValueError, InputTypeError
        As `crossphase.summarize_pair`; also if workers see different files under one path.
    ImportError
        Dask is not installed.

    Notes
    -----
    A task that is lost with its worker is run again by dask; a state depends on rows and positions alone, so the result
    does not tell. States merge in pairs of neighbours, on the workers.
    """
    dask = load("dask", "crossphase.distributed.dask")
    load("dask.array", "crossphase.distributed.dask")
    labels = labels.compute() if dask.is_dask_collection(labels) else labels
    x, y = _described(X, "X"), _described(Y, "Y")
    if checkpoint is not None:
        raise InputValueError(
            "checkpoint is of a pass in one process. On dask's workers leave it out; to go on after a failure, save the states "
            "of ranges of rows (crossphase.summarize_pair with rows=...) and merge them."
        )
    if ids is not None and (isinstance(x, DaskRows) or isinstance(y, DaskRows)):
        raise InputValueError(
            "ids match rows of files, not of dask arrays. Put their rows in one order first: match = "
            "crossphase.match_rows(ids_x, ids_y); X[match.rows_x], Y[match.rows_y]."
        )
    pair = open_pair(x, y, labels, ids)
    n_rows = _task_rows(rows_per_task, pair.row_bytes)
    ranges = [(first, min(first + n_rows, pair.n_samples)) for first in range(0, pair.n_samples, n_rows)]
    blocks = [_blocks(source, n_rows, len(ranges)) for source in (pair.x, pair.y)]
    encoder = None if pair.labels is None else dask.delayed(pair.labels)
    summarize, merge = dask.delayed(_summarize_rows, pure=False), dask.delayed(PairState.merge, pure=False)
    states = [
        summarize(x, y, encoder, rows, pair.n_samples, precision, n_threads)
        for x, y, rows in zip(*blocks, ranges, strict=True)
    ]
    while len(states) > 1:
        states = [merge(*states[i : i + 2]) if i + 1 < len(states) else states[i] for i in range(0, len(states), 2)]
    lazy = {side: source for side, source in (("x", pair.x), ("y", pair.y)) if isinstance(source, DaskRows)}
    # One computation, so that the chunks that the pieces are cut from are not made twice.
    wanted = [states[0], *(dask.delayed(source.pieces()) for source in lazy.values())]
    state: PairState
    state, *pieces = dask.compute(*wanted) if client is None else client.gather(client.compute(wanted))
    known = {"x": state.dataset.fingerprint_x, "y": state.dataset.fingerprint_y}
    for (side, source), cut in zip(lazy.items(), pieces, strict=True):
        rows = (ArrayRows(piece, source.name).read(0, len(piece)) for piece in cut)  # in native byte order
        known[side] = fingerprint_of_pieces((source.n_samples, source.n_features), source.dtype, rows)
    dataset = dataclasses.replace(state.dataset, fingerprint_x=known["x"], fingerprint_y=known["y"])
    return dataclasses.replace(state, dataset=dataset)


def _summarize_rows(
    x: Any, y: Any, labels: LabelEncoder | None, rows: tuple[int, int], n_samples: int, precision: str, n_threads: int
) -> PairState:
    """The state of some rows, on a worker: x and y are sources of all rows, or these rows themselves."""
    x, y = (
        values if isinstance(values, RowSource) else BlockRows(values, name, rows[0], n_samples)
        for values, name in ((x, "X"), (y, "Y"))
    )
    return summarize_here(x, y, labels, rows=rows, precision=precision, n_threads=n_threads)


def _described(values: Any, name: str) -> Any:
    """Arrays as dask arrays, so that a task is sent its rows only; what can be opened anywhere as it is."""
    if isinstance(values, str | os.PathLike | RowSource) and not isinstance(values, ArrayRows):
        return values
    if isinstance(values, ArrayRows):
        values = values.spec
    if not is_dask_array(values):
        values = load("dask.array", "crossphase.distributed.dask").from_array(as_samples(values, name).array)
    return DaskRows(values, name)


def _task_rows(rows_per_task: int | None, row_bytes: int) -> int:
    wanted = max(_TASK_BYTES // row_bytes, 1) if rows_per_task is None else rows_per_task
    return -(-check_integer(wanted, "rows_per_task", least=1) // _GRID_ROWS) * _GRID_ROWS


def _blocks(source: RowSource, n_rows: int, n_tasks: int) -> Sequence[Any]:
    """What each task gets of a source: the rows, or what to open."""
    if isinstance(source, DaskRows):
        return list(source.spec.rechunk({0: n_rows, 1: -1}).to_delayed().ravel())
    return [load("dask", "crossphase.distributed.dask").delayed(source)] * n_tasks  # sent once, not with every task
