"""Arrow IPC files (feather version 2) and streams: record batches, read by position where they are plain.

Where lists of a fixed size are neither compressed nor null, their numbers lie in the file one after another: the map of
the file only tells where, and blocks are read by position as from a .npy file. Anything else is decoded batch by batch.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import Any, NamedTuple

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.sources.arrow_columns import MatrixColumns, first_width, matrix_columns, rows_of
from crossphase.sources.concatenated_rows import ConcatenatedRows
from crossphase.sources.forward_rows import ForwardRows
from crossphase.sources.optional import load
from crossphase.sources.plain_rows import PlainRows
from crossphase.sources.source import RowSource
from crossphase.sources.watched_file import WatchedFile, fingerprint_of

_FILE_MAGIC = b"ARROW1"


class _Batch(NamedTuple):
    n_rows: int
    offset: int | None  # of the first number in the file; None if it must be decoded


def open_arrow(file: WatchedFile, member: str, spec: str) -> RowSource:
    """The matrix of an Arrow IPC file or stream."""
    where = f"{file.path}::{member}" if member else str(file.path)
    try:
        columns, batches = _scan(file, member, where)
    except (InputValueError, InputTypeError, ImportError):
        raise
    except Exception as error:  # pyarrow raises what its decoders do
        raise InputValueError(f"{file.name}: {file.path} is not a whole Arrow file ({error}).") from error
    if not batches or any(batch.offset is None for batch in batches):
        return ArrowRows(spec, file, member, columns, [batch.n_rows for batch in batches])
    parts = [
        PlainRows(spec, file, offset, (n_rows, columns.width), columns.dtype, False, member)
        for n_rows, offset in batches
        if offset is not None and n_rows
    ]
    return PlainArrowRows(spec, parts)


class PlainArrowRows(ConcatenatedRows):
    """Batches whose numbers lie in the file as they are."""

    def __init__(self, spec: str, parts: list[PlainRows]) -> None:
        super().__init__(spec, parts[0].name, parts)
        self._file, self._member = parts[0].file, parts[0].member

    def fingerprint(self) -> str:
        """See `RowSource.fingerprint`."""
        return fingerprint_of([self._file], (self.n_samples, self.n_features), self.dtype, self._member)

    def require_unchanged(self) -> None:
        """See `RowSource.require_unchanged`."""
        self._file.require_unchanged()


class ArrowRows(ForwardRows):
    """Batches that must be decoded, one at a time; a block before the last one starts again at its batch."""

    def __init__(self, spec: str, file: WatchedFile, member: str, columns: MatrixColumns, counts: list[int]) -> None:
        super().__init__(spec, file, member, (sum(counts), columns.width), columns.dtype)
        self._columns = columns
        self._starts = np.concatenate([[0], np.cumsum(counts)]).tolist()

    def _restart_row(self, row: int) -> int:
        return int(self._starts[bisect_right(self._starts, row) - 1])

    def _pieces(self, start: int) -> Iterator[np.ndarray]:
        row = start
        first = bisect_right(self._starts, start) - 1
        with open_batches(self.file, first_batch=first) as opened:
            for batch, stop in zip(opened.batches, self._starts[first + 1 :], strict=False):
                yield rows_of(batch, self._columns, row, self.name, self.where)
                row += batch.num_rows
                if row != stop:
                    raise InputValueError(
                        f"{self.name}: a record batch of {self.where} ends after row {row}, not {stop}."
                    )


class _Opened(NamedTuple):
    schema: Any
    batches: Iterator[Any]
    address: int  # of the map, if it is one


@contextmanager
def open_batches(file: WatchedFile, *, first_batch: int = 0, is_mapped: bool = False) -> Iterator[_Opened]:
    """The record batches, one after another."""
    pa = load("pyarrow", "reading Arrow files")
    ipc = load("pyarrow.ipc", "reading Arrow files")
    with (pa.memory_map if is_mapped else pa.OSFile)(str(file.path), "rb") as source:
        address = source.read_buffer(1).address if is_mapped else 0
        source.seek(0)
        if file.read_bytes(0, len(_FILE_MAGIC)) == _FILE_MAGIC:
            reader = ipc.open_file(source)
            batches = (reader.get_batch(i) for i in range(first_batch, reader.num_record_batches))
            yield _Opened(reader.schema, batches, address)
        else:
            stream = ipc.open_stream(source)
            yield _Opened(stream.schema, islice(stream, first_batch, None), address)


def _scan(file: WatchedFile, member: str, where: str) -> tuple[MatrixColumns, list[_Batch]]:
    """The columns, and how many rows each batch has and where they are; of plain batches no number is looked at."""
    batches = []
    with open_batches(file, is_mapped=True) as opened:
        columns = matrix_columns(opened.schema, member, file.name, file.path)
        for batch in opened.batches:
            batch.validate()
            if columns.is_list and columns.width == 0 and batch.num_rows:
                columns = columns._replace(width=first_width(batch, columns, file.name, where))
            batches.append(_Batch(batch.num_rows, _offset(batch, columns, opened.address, file.size)))
    return columns, batches


def _offset(batch: Any, columns: MatrixColumns, address: int, size: int) -> int | None:
    """Where the numbers of a batch begin in the file; None where they must be decoded or looked at."""
    if not columns.is_list:
        return None
    array = batch.column(columns.names[0])
    array = getattr(array, "storage", array)
    if not load("pyarrow", "reading Arrow files").types.is_fixed_size_list(array.type):
        return None
    values = array.values
    if array.null_count or values.null_count or array.offset or values.offset or values.buffers()[1] is None:
        return None
    offset = int(values.buffers()[1].address) - address
    is_inside = 0 <= offset <= size - len(array) * columns.width * columns.dtype.itemsize
    return offset if is_inside else None  # outside: it was decompressed into other memory
