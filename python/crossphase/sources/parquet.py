"""Parquet files: one column of lists, or one float column for each feature, decoded page by page."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.sources.arrow_columns import MatrixColumns, first_width, matrix_columns, rows_of
from crossphase.sources.forward_rows import PIECE_BYTES, ForwardRows
from crossphase.sources.optional import load
from crossphase.sources.watched_file import WatchedFile

_BUFFER_BYTES = 1 << 16  # of encoded bytes, a column


def open_parquet(file: WatchedFile, member: str, spec: str) -> ParquetRows:
    """The matrix of a parquet file."""
    where = f"{file.path}::{member}" if member else str(file.path)
    try:
        with open_file(file) as parquet:
            columns = matrix_columns(parquet.schema_arrow, member, file.name, file.path)
            groups = [parquet.metadata.row_group(group).num_rows for group in range(parquet.num_row_groups)]
            if min(groups, default=0) < 0 or sum(groups) != parquet.metadata.num_rows:
                raise InputValueError(f"{file.name}: {where} is damaged; its row groups hold {sum(groups)} rows.")
            if columns.is_list and columns.width == 0 and sum(groups):
                batch = next(parquet.iter_batches(batch_size=1, columns=list(columns.names)))
                columns = columns._replace(width=first_width(batch, columns, file.name, where))
    except (InputValueError, InputTypeError, ImportError):
        raise
    except Exception as error:  # pyarrow raises what its decoders do
        raise InputValueError(f"{file.name}: {file.path} is not a whole parquet file ({error}).") from error
    return ParquetRows(spec, file, member, columns, groups)


def open_file(file: WatchedFile) -> Any:
    """The file in pyarrow's hands, with limits on what its metadata may claim."""
    return load("pyarrow.parquet", "reading parquet files").ParquetFile(
        file.path,
        buffer_size=_BUFFER_BYTES,
        thrift_string_size_limit=file.size,
        thrift_container_size_limit=file.size,
    )


class ParquetRows(ForwardRows):
    """Rows of a parquet file; a block before the last one starts again at its row group."""

    def __init__(self, spec: str, file: WatchedFile, member: str, columns: MatrixColumns, groups: list[int]) -> None:
        super().__init__(spec, file, member, (sum(groups), columns.width), columns.dtype)
        self._columns = columns
        self._starts = np.concatenate([[0], np.cumsum(groups)]).tolist()

    def _restart_row(self, row: int) -> int:
        return int(self._starts[bisect_right(self._starts, row) - 1])

    def _pieces(self, start: int) -> Iterator[np.ndarray]:
        n_rows = max(1, PIECE_BYTES // (self.n_features * self.dtype.itemsize))
        row = start
        with open_file(self.file) as parquet:
            for group in range(bisect_right(self._starts, start) - 1, len(self._starts) - 1):
                for batch in parquet.iter_batches(n_rows, [group], list(self._columns.names), use_threads=False):
                    yield rows_of(batch, self._columns, row, self.name, self.where)
                    row += batch.num_rows
                if row != self._starts[group + 1]:
                    raise InputValueError(
                        f"{self.name}: row group {group} of {self.where} ends after row {row}, not {self._starts[group + 1]}."
                    )
