"""One pass over a pair of views of any size: checkpointed, resumed, and the same bytes however it went."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from crossphase import _core
from crossphase._scalars import check_choice, check_integer, check_number
from crossphase._threads import resolve_n_threads
from crossphase.errors import InputTypeError, InputValueError
from crossphase.moments import CrossMoments
from crossphase.pair_state import PairState, difference
from crossphase.paired_rows import PairedRows, open_pair
from crossphase.precision import Precision, resolve_precision
from crossphase.reference.moments import to_float64
from crossphase.row_sample import RowSampler, sample_capacity
from crossphase.sources import RowSource, read_ahead
from crossphase.sources.matched_rows import MatchedRows

_GRID_ROWS = (
    _core.cpu.block_rows
)  # the moments' own grid: blocks that end on it are reduced where they lie, never copied
_MOST_BLOCK_BYTES = 16 * 2**20
# Blocks and the moments' matrices come and go by turns, in several threads, and what is freed stays in the holes between: 160 MB
# of them after 2 GB of 512 + 512 columns. Giving them back takes 1 ms, reading and adding a block 60.
_BLOCKS_A_TRIM = 8


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a pass has come."""

    done_rows: int  # of this pass, those of a checkpoint included
    total_rows: int
    bytes_per_second: float  # since this call began to read
    seconds_left: float


def summarize_pair(
    X: Any,
    Y: Any,
    labels: Any = None,
    *,
    ids: Sequence[Any] | None = None,
    rows: tuple[int, int | None] | None = None,
    precision: str = "auto",
    checkpoint: str | os.PathLike[str] | None = None,
    checkpoint_every_s: float = 30.0,
    progress: Callable[[Progress], None] | None = None,
    n_threads: int | None = None,
    backend: str | None = None,
) -> PairState:
    """Read a pair of views once, in blocks of rows, and keep what a diagnosis needs.

    Parameters
    ----------
    X, Y : array, memory map, path, or `crossphase.sources.RowSource`
        Shapes (n_samples, n_features_x) and (n_samples, n_features_y); see `crossphase.sources.open_rows`.
    labels : array, list, mapping, data frame, path, or `crossphase.labels.LabelEncoder`, optional
        As for `crossphase.encode_labels`; rows may lack one.
    ids : (ids_x, ids_y) or (ids_x, ids_y, ids_labels), optional
        Names of the rows, to match them by (`crossphase.match_rows`); rows keep the order of X.
    rows : (first, stop), optional
        The part of the data set to read, to its end if `stop` is None, for states that are made apart and merged. Labels are
        those of all rows still.
    precision : {"auto", "f64", "f32", "bf16x6", "bf16x3", "bf16"}
        Of the products of the moments; "auto" goes by the types of X and Y (`CrossMoments`).
    checkpoint : path, optional
        Where the state is written to on the way, whole or not at all. If it is there already, of the same data, rows, labels and
        precision, the pass goes on behind its last row; otherwise it is refused and left alone.
    checkpoint_every_s : float
        Seconds between two writes; it is written at the end as well.
    progress : callable, optional
        Called with a `Progress` after every block.

    Raises
    ------
    InputValueError, InputTypeError
        A value is not finite (the message has its absolute row), a file changed meanwhile, numbers of rows differ, or the
        checkpoint is damaged or of something else.
    OutputError
        The checkpoint cannot be written; one that is there is unchanged.

    Notes
    -----
    Memory: the state, and two blocks of rows of at most 16 MB, or 1024 rows a thread where that is more.
    """
    threads = resolve_n_threads(n_threads)
    every = check_number(checkpoint_every_s, "checkpoint_every_s", least=0)
    arithmetic = check_choice(precision, "precision", Precision)
    pair = open_pair(X, Y, labels, ids)
    first, stop = _checked_rows(rows, pair.n_samples)
    reading = _Pass(pair, first, arithmetic, threads, backend)
    file = None if checkpoint is None else _usable_checkpoint(checkpoint, reading.moments)
    if file is not None and file.exists():
        kept = _resumable(file, reading, stop)
        if kept.row_ranges == [(first, stop)]:
            pair.require_unchanged()
            return kept
        reading.resume(kept)
    try:
        _read_on(reading, stop, file, every, progress)
    except KeyboardInterrupt as interrupt:
        if file is not None and file.exists():
            interrupt.add_note(
                f"{file} holds what had been read when it was last written; the same call goes on from there."
            )
        elif file is not None:
            interrupt.add_note(f"nothing was kept: {file} is first written after {every:g} s of reading.")
        raise
    return _kept(reading, file)


class _Pass:
    """What has been read so far."""

    def __init__(self, pair: PairedRows, first: int, precision: Precision, n_threads: int, backend: str | None) -> None:
        self.pair = pair
        self.dataset = dataset = pair.dataset()
        self.n_threads = n_threads
        self.first_row = self.next_row = first
        self.has_unlabelled = 0 < dataset.n_labelled < dataset.n_samples
        widths = (dataset.n_features_x, dataset.n_features_y, pair.n_label_columns + self.has_unlabelled)
        if precision is Precision.AUTO:
            precision = resolve_precision((pair.x.dtype, pair.y.dtype))
        self.moments = CrossMoments(*widths, first_row=first, precision=precision, n_threads=n_threads, backend=backend)
        self.sampler = RowSampler(sample_capacity(dataset.n_features_x + dataset.n_features_y))

    def resume(self, state: PairState) -> None:
        """Go on behind the rows of a state that begins where this pass does."""
        self.next_row = state.row_ranges[-1][1]
        self.moments = state.moments
        self.sampler = RowSampler.resume(state.sample)

    def take(self, x: np.ndarray, y: np.ndarray) -> None:
        """The next rows."""
        stop = self.next_row + len(x)
        labels, is_labelled = self.pair.label_rows(self.next_row, stop)
        columns = np.column_stack([labels, is_labelled]) if self.has_unlabelled else labels
        try:
            self.moments.update(_as_given(x), _as_given(y), columns if columns.shape[1] else None)
        except InputValueError:
            for source, block in ((self.pair.x, x), (self.pair.y, y)):
                self._require_finite(source, block)
            raise
        self.sampler.add(self.next_row, x, y, labels, is_labelled)
        self.next_row = stop

    def state(self) -> PairState:
        """Of the rows taken, which must be some."""
        encoding = None if self.pair.labels is None else self.pair.labels.encoding
        return PairState(self.dataset, self.moments, self.sampler.sample(), encoding)

    def _require_finite(self, source: RowSource, block: np.ndarray) -> None:
        count, row, column = _core.cpu.find_non_finite(block, n_threads=self.n_threads)
        if count:
            position = self.next_row + row
            in_file = f" (row {source.rows[position]} of its file)" if isinstance(source, MatchedRows) else ""
            raise InputValueError(
                f"{source.name} must be finite; got {to_float64(block[row, column])} at row {position}{in_file}, column "
                f"{column} ({count} such value{'s' if count > 1 else ''} in rows {self.next_row} to "
                f"{self.next_row + len(block) - 1}). Drop or impute those rows in both views."
            )


def _read_on(
    reading: _Pass, stop: int, file: Path | None, every: float, progress: Callable[[Progress], None] | None
) -> None:
    """Take all rows before `stop` that are not there yet."""
    first = reading.next_row
    began = written = time.monotonic()
    row_bytes = reading.pair.row_bytes
    n_rows = _block_rows(row_bytes, reading.n_threads)
    with closing(read_ahead.blocks(reading.pair.x, reading.pair.y, first, stop, n_rows)) as blocks:
        for number, (_, (x, y)) in enumerate(blocks):
            reading.take(x, y)
            del x, y
            if number % _BLOCKS_A_TRIM == 0:
                _core.return_freed_memory()
            now = time.monotonic()
            if progress is not None:
                rate = (reading.next_row - first) / (now - began)
                progress(
                    Progress(
                        done_rows=reading.next_row - reading.first_row,
                        total_rows=stop - reading.first_row,
                        bytes_per_second=rate * row_bytes,
                        seconds_left=(stop - reading.next_row) / rate,
                    )
                )
            if file is not None and now - written >= every and reading.next_row < stop:
                _kept(reading, file)
                written = time.monotonic()


def _kept(reading: _Pass, file: Path | None) -> PairState:
    """The state now, in the file if there is to be one; of data that have not changed since they were opened."""
    reading.pair.require_unchanged()
    state = reading.state()
    if file is not None:
        state.save(file)
    return state


def _block_rows(row_bytes: int, n_threads: int) -> int:
    """Rows of a block: at most 16 MB, but a grid block a thread; a power of two of these, so that threads share it evenly."""
    n_rows = _GRID_ROWS
    while n_rows < _GRID_ROWS * n_threads or 2 * n_rows * row_bytes <= _MOST_BLOCK_BYTES:
        n_rows *= 2
    return n_rows


def _as_given(block: np.ndarray) -> np.ndarray:
    """bfloat16 bits as arrays of users hold them; counts are uint16 too."""
    return block.view("V2") if block.dtype == np.uint16 else block


def _checked_rows(rows: Any, n_samples: int) -> tuple[int, int]:
    if rows is None:
        return 0, n_samples
    if not isinstance(rows, tuple | list) or len(rows) != 2:
        raise InputTypeError(f"rows must be (first, stop), two row numbers; got {rows!r}.")
    first = check_integer(rows[0], "rows[0]", least=0)
    stop = n_samples if rows[1] is None else check_integer(rows[1], "rows[1]", least=0)
    if not first < stop <= n_samples:
        raise InputValueError(
            f"rows must be (first, stop) with 0 <= first < stop <= {n_samples}, the rows of the data; got {first} and {stop}."
        )
    return first, stop


def _usable_checkpoint(checkpoint: str | os.PathLike[str], moments: CrossMoments) -> Path:
    """The file, if it can be written when the time comes."""
    if not isinstance(checkpoint, str | os.PathLike):
        raise InputTypeError(f"checkpoint must be the path of a file; got {checkpoint!r}.")
    file = Path(checkpoint).resolve()
    if moments.backend == "reference":
        raise InputValueError("checkpoint needs backend='cpu': the reference backend keeps every row and is not saved.")
    if not file.parent.is_dir() or not os.access(file.parent, os.W_OK):
        raise InputValueError(f"checkpoint: the folder {file.parent} does not exist or cannot be written to.")
    if file.exists() and not file.is_file():
        raise InputValueError(f"checkpoint: {file} is not a regular file.")
    return file


def _resumable(file: Path, reading: _Pass, stop: int) -> PairState:
    """The state in a checkpoint, which must be of this pass; otherwise it is left alone."""
    begin_anew = "It is unchanged; delete it, or choose another name."
    try:
        kept = PairState.load(file, n_threads=reading.n_threads)
    except InputValueError as error:
        raise InputValueError(f"checkpoint: {error} {begin_anew}") from error
    first = reading.first_row
    what = difference(kept.dataset, reading.dataset)
    if what is not None:
        what = f"is of another data set: {what}"
    elif kept.precision != reading.moments.precision:
        what = f"has precision {kept.precision}; this pass has {reading.moments.precision}"
    elif len(kept.row_ranges) > 1 or kept.row_ranges[0][0] != first or kept.row_ranges[0][1] > stop:
        held = " and ".join(f"{start} to {end - 1}" for start, end in kept.row_ranges)
        what = f"holds rows {held}; this pass is over rows {first} to {stop - 1}"
    if what is not None:
        raise InputValueError(f"checkpoint: {file} {what}. {begin_anew}")
    return kept
