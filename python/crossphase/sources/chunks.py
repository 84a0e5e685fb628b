"""Arrays stored in chunks: which rows to decode together, and which chunks not to decode at all."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

from crossphase.errors import InputValueError
from crossphase.sources.forward_rows import PIECE_BYTES

MOST_CHUNK_BYTES = 1 << 28  # a chunk is decoded whole, whatever rows are asked for


class ChunkGrid(NamedTuple):
    """Shape of an array and of its chunks."""

    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    itemsize: int

    @property
    def counts(self) -> tuple[int, ...]:
        """Chunks along each axis."""
        return tuple(-(-size // chunk) for size, chunk in zip(self.shape, self.chunks, strict=True))

    @property
    def n_chunks(self) -> int:
        """Chunks that a complete array has."""
        return math.prod(self.counts)

    def check(self, name: str, where: object) -> None:
        """Raise InputValueError for chunks without a size, or that memory should not be given to."""
        if any(chunk < 1 for chunk in self.chunks):
            raise InputValueError(f"{name}: {where} is damaged; its chunks have shape {self.chunks}.")
        n_bytes = math.prod(self.chunks) * self.itemsize
        if n_bytes > MOST_CHUNK_BYTES:
            raise InputValueError(
                f"{name}: a chunk of {where} has shape {self.chunks}, which takes {n_bytes} bytes of memory; at most "
                f"{MOST_CHUNK_BYTES} are decoded at a time. Write it again in smaller chunks."
            )

    def require_complete(self, n_stored: int, name: str, where: object) -> None:
        """Raise InputValueError if chunks are missing, in whose place the format would invent values."""
        if n_stored != self.n_chunks:
            raise InputValueError(
                f"{name}: {where} is not whole: {n_stored} of its {self.n_chunks} chunks are there. Write the rest (and "
                "chunks of zeros too: write_empty_chunks=True in zarr)."
            )

    def restart_row(self, row: int) -> int:
        """The first row of the band of chunks that holds `row`, or the row itself where bands are too high to keep."""
        return row if self._is_high else row - row % self.chunks[0]

    def bands(self, start: int) -> Iterator[tuple[int, int]]:
        """Ranges of rows to decode together, from a restart row to the end."""
        row_bytes = self.shape[1] * self.itemsize
        n_rows = max(1, MOST_CHUNK_BYTES // row_bytes)
        if not self._is_high:
            n_rows = self.chunks[0] * max(1, PIECE_BYTES // (self.chunks[0] * row_bytes))
        for first in range(start, self.shape[0], n_rows):
            yield first, min(first + n_rows, self.shape[0])

    @property
    def _is_high(self) -> bool:
        return self.chunks[0] * self.shape[1] * self.itemsize > MOST_CHUNK_BYTES
