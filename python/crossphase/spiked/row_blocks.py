"""Random rows on an absolute grid of blocks: the same bytes in any chunks, on any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase._scalars import check_integer, check_number
from crossphase._seeds import derived_generator, seed_sequence
from crossphase._threads import resolve_n_threads, single_threaded_blas
from crossphase.errors import InputTypeError

BLOCK_ROWS = 1024
CHUNK_ROWS = 8 * BLOCK_ROWS  # 64 MiB of float64 with 512 + 512 features
ROWS_STREAM = 0x726F7773  # "rows": keeps the rows' streams apart from the bases' and from children a caller spawns

DrawBlock = Callable[[np.random.Generator, Sequence[np.ndarray]], None]  # fills BLOCK_ROWS rows of each array


@dataclass(frozen=True, slots=True)
class RowRequest:
    """Which rows to draw, and how."""

    n_samples: int
    chunk_rows: int
    seed: np.random.SeedSequence
    degrees_of_freedom: float | None
    dtype: np.dtype[Any]
    n_threads: int


def row_request(
    n_samples: Any, rng: Any, *, chunk_rows: Any, degrees_of_freedom: Any, dtype: Any, n_threads: Any
) -> RowRequest:
    """Check everything, before the first row is drawn."""
    n_samples = check_integer(n_samples, "n_samples", least=1)
    chunk_rows = n_samples if chunk_rows is None else check_integer(chunk_rows, "chunk_rows", least=1)
    if degrees_of_freedom is not None:
        degrees_of_freedom = check_number(degrees_of_freedom, "degrees_of_freedom", above=2)
    try:
        which = np.dtype(dtype)
    except TypeError:
        which = None
    if which not in (np.dtype(np.float32), np.dtype(np.float64)):
        raise InputTypeError(f"dtype must be float32 or float64; got {dtype!r}.")
    threads = resolve_n_threads(n_threads)
    return RowRequest(n_samples, chunk_rows, seed_sequence(rng), degrees_of_freedom, which, threads)


def stream_rows(draw_block: DrawBlock, widths: Sequence[int], request: RowRequest) -> Iterator[list[np.ndarray]]:
    """Chunks of rows, each a list of arrays of the given widths.

    Block b is drawn as a whole, by one thread, from stream (ROWS_STREAM, b) of the seed, however few of its rows are wanted:
    so a row depends on the seed and its position alone.
    """
    carried: dict[int, list[np.ndarray]] = {}  # the block that the last chunk ended in
    for start in range(0, request.n_samples, request.chunk_rows):
        stop = min(start + request.chunk_rows, request.n_samples)
        chunk = [np.empty((stop - start, width), request.dtype) for width in widths]

        def fill(block: int, start: int = start, stop: int = stop, chunk: list[np.ndarray] = chunk) -> None:
            first, last = block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS
            if start <= first and last <= stop:
                _draw(draw_block, request, block, [array[first - start : last - start] for array in chunk])
                return
            rows = carried.pop(block, None)
            if rows is None:
                rows = [np.empty((BLOCK_ROWS, array.shape[1]), array.dtype) for array in chunk]
                _draw(draw_block, request, block, rows)
            wanted_first, wanted_last = max(first, start), min(last, stop)
            for array, source in zip(chunk, rows, strict=True):
                array[wanted_first - start : wanted_last - start] = source[wanted_first - first : wanted_last - first]
            if wanted_last == stop < request.n_samples:
                carried[block] = rows

        blocks = range(start // BLOCK_ROWS, -(-stop // BLOCK_ROWS))
        n_threads = min(request.n_threads, len(blocks))
        with single_threaded_blas():
            if n_threads == 1:
                for block in blocks:
                    fill(block)
            else:
                with ThreadPoolExecutor(n_threads) as pool:
                    list(pool.map(fill, blocks))
        yield chunk


def _draw(draw_block: DrawBlock, request: RowRequest, block: int, arrays: Sequence[np.ndarray]) -> None:
    draw_block(derived_generator(request.seed, ROWS_STREAM, block), arrays)


def tail_scale(generator: np.random.Generator, degrees_of_freedom: float) -> np.ndarray:
    """Factor of every row of a block that makes Gaussian rows multivariate t with the same covariance, shape (rows, 1).

    A t row with scale matrix S is a Gaussian row of covariance S times sqrt(df / W), W ~ chi²(df), and has covariance
    S df / (df - 2), since E[1 / W] = 1 / (df - 2). So sqrt((df - 2) / W) keeps the covariance that the Gaussian rows had.
    """
    chi2 = generator.chisquare(degrees_of_freedom, (BLOCK_ROWS, 1))
    return np.asarray(np.sqrt((degrees_of_freedom - 2) / chi2))


def place(coordinates: np.ndarray, basis: np.ndarray | None, out: np.ndarray) -> None:
    """Rows of coordinates written out in a basis; None is the coordinate axes."""
    if basis is None:
        out[...] = coordinates
    else:
        np.matmul(coordinates.astype(out.dtype, copy=False), basis.astype(out.dtype, copy=False).T, out=out)
