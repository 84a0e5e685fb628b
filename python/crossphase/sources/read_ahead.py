"""Blocks of paired rows, the next of which is read while the caller works on this one."""

from __future__ import annotations

from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from crossphase._scalars import check_integer
from crossphase.errors import InputValueError
from crossphase.sources.source import RowSource


def blocks(
    source_x: RowSource, source_y: RowSource, first: int, stop: int, n_rows: int
) -> Generator[tuple[int, list[np.ndarray]], None, None]:
    """Rows ``first`` to ``stop - 1`` of both sources as ``(start, [rows of x, rows of y])``, in order.

    Blocks end at multiples of `n_rows`, so that a pass resumed at any row meets the same boundaries; two blocks of each
    source are in memory. What reading raises is raised here, and the one background thread ends with the iterator,
    whether it is exhausted, closed or dropped.

    Raises
    ------
    InputValueError
        Rows were asked for that a source does not have, or a file cannot be read.
    """
    check_integer(first, "first", least=0)
    check_integer(stop, "stop", least=first)
    check_integer(n_rows, "n_rows", least=1)
    sources = [source_x, source_y]
    for source in sources:
        if stop > source.n_samples:
            raise InputValueError(f"stop must be at most {source.n_samples}, the rows of {source.name}; got {stop}.")
    return _read(sources, first, stop, n_rows)


def _read(
    sources: list[RowSource], first: int, stop: int, n_rows: int
) -> Generator[tuple[int, list[np.ndarray]], None, None]:
    def block_end(start: int) -> int:
        return min((start // n_rows + 1) * n_rows, stop)

    def read(start: int) -> list[np.ndarray]:
        return [source.read(start, block_end(start)) for source in sources]

    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="crossphase-read-ahead") as pool:
        start = first
        ahead = pool.submit(read, start) if start < stop else None
        while ahead is not None:
            current = ahead.result()
            following = block_end(start)
            ahead = pool.submit(read, following) if following < stop else None
            yield start, current
            del current  # the caller's now: a third block must not stay alive while the next is awaited
            start = following
