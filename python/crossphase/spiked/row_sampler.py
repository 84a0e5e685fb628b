"""Random rows on an absolute grid of blocks: the same bytes in any chunks, on any number of threads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import DTypeLike

from crossphase._scalars import check_integer, check_number
from crossphase._seeds import Seed, derived_generator, seed_sequence
from crossphase._threads import resolve_n_threads, single_threaded_blas
from crossphase.errors import InputTypeError, InputValueError

# Measured with 512 + 512 features, one thread: 34.5 µs a row with blocks of 512, 38.6 with 1024 (their temporaries come in
# fresh pages), 35.6 with 128 (smaller matrix products).
BLOCK_ROWS = 512
CHUNK_ROWS = 4096  # 32 MiB of float64 with 512 + 512 features; twice that cost more in fresh pages than it gained
MOST_ROWS = 2**40  # of 2^20 float64 columns: as many bytes as an index can count
ROWS_STREAM = 0x726F7773  # "rows": keeps the rows' streams apart from the bases' and from children a caller spawns

Sample = TypeVar("Sample")


class RowSampler(ABC, Generic[Sample]):
    """`sample` and `stream` of a model that says how one block of rows is drawn."""

    @property
    @abstractmethod
    def _widths(self) -> Sequence[int]:
        """Columns of each array of a sample."""

    @property
    @abstractmethod
    def _largest_variance(self) -> float:
        """Of any coordinate."""

    @abstractmethod
    def _draw_block(
        self, generator: np.random.Generator, degrees_of_freedom: float | None, out: Sequence[np.ndarray]
    ) -> None:
        """Fill BLOCK_ROWS rows of each array."""

    @abstractmethod
    def _as_sample(self, arrays: Sequence[np.ndarray]) -> Sample:
        """The arrays under the names the model gives them."""

    def sample(
        self,
        n_samples: int,
        rng: Seed = 0,
        *,
        degrees_of_freedom: float | None = None,
        dtype: DTypeLike = np.float64,
        n_threads: int | None = None,
    ) -> Sample:
        """Draw rows, all in memory at once. Population means are 0.

        Parameters
        ----------
        n_samples : int, >= 1
        rng : int, numpy.random.SeedSequence or numpy.random.Generator, default 0
            A generator draws the seed, so that its next sample differs.
        degrees_of_freedom : float, > 2, optional
            Rows are multivariate Student t, scaled to the same population covariances: signal, noise and nuisance of a row
            share one heavy-tailed factor, so they are uncorrelated but not independent. Default: Gaussian.
        dtype : float32 or float64
            float32 rows are the float64 rows to within single precision, and quicker to draw.
        n_threads : int, optional
            Default: ``CROSSPHASE_NUM_THREADS``, else one a core.

        Raises
        ------
        InputValueError, InputTypeError
            An argument is out of its range or of another type, or float32 cannot hold rows of the model's scale.

        Notes
        -----
        Rows are drawn in blocks of 512, each from its own stream of the seed: bytes depend on the model, the seed, the row's
        position and the dtype, not on threads or chunks, and a longer sample begins with the shorter one. They may change
        with the version of NumPy, and with the BLAS and the processor it runs on.
        """
        n_samples = check_integer(n_samples, "n_samples", least=1, most=MOST_ROWS)
        (rows,) = self.stream(
            n_samples,
            rng,
            chunk_rows=n_samples,
            degrees_of_freedom=degrees_of_freedom,
            dtype=dtype,
            n_threads=n_threads,
        )
        return rows

    def stream(
        self,
        n_samples: int,
        rng: Seed = 0,
        *,
        chunk_rows: int = CHUNK_ROWS,
        degrees_of_freedom: float | None = None,
        dtype: DTypeLike = np.float64,
        n_threads: int | None = None,
    ) -> Iterator[Sample]:
        """The rows of `sample`, the same bytes, in chunks of `chunk_rows`, the last one shorter.

        Memory is that of the chunks the caller holds, of the next one, and of a few blocks of 512 rows a thread. A chunk
        occupies as many threads as it has blocks: more than eight need larger chunks.
        """
        n_samples = check_integer(n_samples, "n_samples", least=1, most=MOST_ROWS)
        chunk_rows = check_integer(chunk_rows, "chunk_rows", least=1)
        if degrees_of_freedom is not None:
            degrees_of_freedom = check_number(degrees_of_freedom, "degrees_of_freedom", above=2)
        which = _check_dtype(dtype, self._largest_variance)
        seed, threads = seed_sequence(rng), resolve_n_threads(n_threads)

        def draw_block(block: int, out: Sequence[np.ndarray]) -> None:
            self._draw_block(derived_generator(seed, ROWS_STREAM, block), degrees_of_freedom, out)

        def chunks() -> Iterator[Sample]:  # apart from the checks, which must not wait for the first chunk
            carried: dict[int, list[np.ndarray]] = {}  # the block that the last chunk ended in
            for start in range(0, n_samples, chunk_rows):
                rows = min(chunk_rows, n_samples - start)
                arrays = [np.empty((rows, width), which) for width in self._widths]
                _fill_chunk(arrays, start, draw_block, carried, threads)
                yield self._as_sample(arrays)

        return chunks()


def _fill_chunk(
    arrays: list[np.ndarray],
    start: int,
    draw_block: Callable[[int, Sequence[np.ndarray]], None],
    carried: dict[int, list[np.ndarray]],
    n_threads: int,
) -> None:
    """Fill rows `start` and on. Every block is drawn whole, however few of its rows fall into the chunk."""
    stop = start + len(arrays[0])

    def fill(block: int) -> None:
        first, last = block * BLOCK_ROWS, (block + 1) * BLOCK_ROWS
        if start <= first and last <= stop:
            draw_block(block, [array[first - start : last - start] for array in arrays])
            return
        rows = carried.pop(block, None)
        if rows is None:
            rows = [np.empty((BLOCK_ROWS, array.shape[1]), array.dtype) for array in arrays]
            draw_block(block, rows)
        begin, end = max(first, start), min(last, stop)
        for array, source in zip(arrays, rows, strict=True):
            array[begin - start : end - start] = source[begin - first : end - first]
        if end < last:
            carried[block] = rows

    blocks = range(start // BLOCK_ROWS, -(-stop // BLOCK_ROWS))
    with single_threaded_blas():
        if n_threads == 1 or len(blocks) == 1:
            for block in blocks:
                fill(block)
            return
        with ThreadPoolExecutor(min(n_threads, len(blocks))) as pool:
            for _ in pool.map(fill, blocks):
                pass


def tail_scale(generator: np.random.Generator, degrees_of_freedom: float) -> np.ndarray:
    """Factor of every row of a block that makes Gaussian rows multivariate t of the same covariance, shape (rows, 1).

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


def _check_dtype(dtype: DTypeLike, largest_variance: float) -> np.dtype[Any]:
    try:
        which = np.dtype(dtype)
    except TypeError:
        which = np.dtype(object)
    if which not in (np.float32, np.float64):
        raise InputTypeError(f"dtype must be float32 or float64; got {dtype!r}.")
    # Eight powers of ten are left to the tails on either side of float32's range, 1e-38 to 3e38.
    if which == np.float32 and largest_variance > 0 and not 1e-60 <= largest_variance <= 1e60:
        raise InputValueError(
            "dtype must be float64 where the largest variance is not within 1e-60 and 1e60; "
            f"got float32 and {largest_variance:.3g}. Rescale the model or draw float64."
        )
    return which
