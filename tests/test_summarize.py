"""One pass over files of any size: the same bytes whatever interrupts it, and a sentence for what cannot go on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import problems
from crossphase import CrossMoments, InputTypeError, InputValueError, OutputError, PairState, summarize, summarize_pair
from crossphase.labels import label_encoder
from crossphase.sources import open_rows
from crossphase.sources.matched_rows import MatchedRows
from crossphase.summarize import Progress

N = 9000


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A pair of files and labels of which some are missing."""
    rng = problems.generator(1)
    np.save(tmp_path / "x.npy", rng.standard_normal((N, 6)).astype(np.float32))
    np.save(tmp_path / "y.npy", rng.standard_normal((N, 4)))
    (tmp_path / "labels.csv").write_text("\n".join(["kind", *("" if i % 9 == 4 else "abc"[i % 3] for i in range(N))]))
    return tmp_path


@pytest.fixture
def _blocks_of_1024_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(summarize, "_block_rows", lambda *_: 1024)


def given_files(folder: Path) -> tuple[Path, Path, Path]:
    return folder / "x.npy", folder / "y.npy", folder / "labels.csv"


@settings(max_examples=25)
@given(n_rows=st.integers(1, 5000), n_threads=st.integers(1, 4))
def test_bytes_do_not_depend_on_blocks_or_threads(n_rows: int, n_threads: int) -> None:
    rng = problems.generator(2)
    X, Y, labels = rng.standard_normal((5000, 3)), rng.standard_normal((5000, 2)), rng.integers(0, 3, 5000)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(summarize, "sample_capacity", lambda _: 300)
        expected = summarize_pair(X, Y, labels).to_bytes()
        patch.setattr(summarize, "_block_rows", lambda *_: max(n_rows, 50))
        assert summarize_pair(X, Y, labels, n_threads=n_threads).to_bytes() == expected


def test_files_arrays_and_maps_hold_the_same_rows(files: Path) -> None:
    x, y, labels = given_files(files)
    of_files = summarize_pair(x, y, labels)
    X, Y = np.load(x), np.load(y)
    for views in (
        (X, Y),
        (np.load(x, mmap_mode="r"), np.load(y, mmap_mode="r")),
        (np.asfortranarray(X), Y[::-1][::-1]),
    ):
        state = summarize_pair(*views, labels)
        assert state.moments.to_bytes() == of_files.moments.to_bytes()
        assert all(a.tobytes() == b.tobytes() for a, b in zip(state.sample.parts, of_files.sample.parts, strict=True))
    sources = open_rows(x, "X"), open_rows(str(y), "Y"), label_encoder(["abc"[i % 3] for i in range(N)])
    assert summarize_pair(*sources).dataset.fingerprint_x == of_files.dataset.fingerprint_x


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "bfloat16 void", ">f4"])
def test_every_sample_type_is_kept_as_it_is(dtype: str) -> None:
    parts = problems.generator(3).standard_normal((2, 1500, 3))
    X, Y = (problems.CASTS[dtype](part) if dtype in problems.CASTS else part.astype(dtype) for part in parts)
    state = summarize_pair(X, Y)
    expected = CrossMoments(3, 3, precision=state.precision).update(
        problems.exact_float64(X), problems.exact_float64(Y)
    )
    assert state.moments.to_bytes() == expected.to_bytes()
    bits = X.view(np.uint16) if dtype.startswith("bf") else X.astype(X.dtype.newbyteorder("="))
    for held in (state.sample.X, PairState.from_bytes(state.to_bytes()).sample.X):
        assert held.dtype == bits.dtype
        assert held.tobytes() == bits.tobytes()
    assert state.dataset.dtype_x == {">f4": "float32"}.get(dtype, dtype.removesuffix(" void"))


def test_counts_are_not_taken_for_bfloat16() -> None:
    counts = np.ones((20, 2), dtype=np.uint16)
    with pytest.raises(InputTypeError, match="X must be float16"):
        summarize_pair(counts, counts)


def test_a_part_of_the_rows(files: Path) -> None:
    x, y, labels = given_files(files)
    state = summarize_pair(x, y, labels, rows=(1500, 7001))
    assert state.row_ranges == [(1500, 7001)]
    direct = CrossMoments(6, 4, first_row=1500).update(np.load(x)[1500:7001], np.load(y)[1500:7001])
    assert state.moments.cov_xy.tobytes() == direct.cov_xy.tobytes()
    assert state.dataset == summarize_pair(x, y, labels).dataset
    assert summarize_pair(x, y, labels, rows=(7001, None)).row_ranges == [(7001, N)]


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    """A pair of 205 MB in sparse files, read in less than half of that: blocks of 16 MB, two at a time, and a sample of 10 MB."""
    for name in "xy":
        np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", np.float32, (400_000, 64))
    script = """if True:
        import resource, sys
        from crossphase import summarize_pair
        def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        before = peak()
        assert summarize_pair("x.npy", "y.npy").n_samples == 400_000
        print(peak() - before)
    """
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 100e6


# Bad rows -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_blocks_of_1024_rows")
@pytest.mark.parametrize(("name", "value"), [("x", np.nan), ("y", np.inf), ("y", -np.inf)])
def test_a_value_that_is_no_number_is_named_by_its_row_in_the_file(files: Path, name: str, value: float) -> None:
    values = np.load(files / f"{name}.npy")
    values[[7001, 7100], 2] = value
    np.save(files / f"{name}.npy", values)
    sentence = (
        f"{name.upper()} must be finite; got {value} at row 7001, column 2 \\(2 such values in rows 6144 to 7167\\)"
    )
    with pytest.raises(InputValueError, match=sentence):
        summarize_pair(*given_files(files), rows=(1000, N), checkpoint=files / "c", checkpoint_every_s=0)
    assert PairState.load(files / "c").row_ranges == [(1000, 6144)]


@pytest.mark.usefixtures("_blocks_of_1024_rows")
@pytest.mark.parametrize("change", ["grown", "rewritten", "gone"])
def test_a_file_that_changes_meanwhile_is_refused(files: Path, change: str) -> None:
    x, y, labels = given_files(files)

    def meddle(progress: Progress) -> None:
        if progress.done_rows == 4096:
            if change == "grown":
                with x.open("ab") as stream:
                    stream.write(b"more")
            elif change == "rewritten":
                os.utime(x, ns=(0, 0))
            else:
                x.unlink()

    with pytest.raises(InputValueError, match=r"X: .*x\.npy (has changed since it was opened|is gone|cannot be read)"):
        summarize_pair(x, y, labels, checkpoint=files / "c", checkpoint_every_s=0, progress=meddle)
    assert PairState.load(files / "c").row_ranges == [(0, 3072)]


def test_a_change_at_the_very_end_is_noticed(files: Path) -> None:
    x, y, labels = given_files(files)
    with pytest.raises(InputValueError, match="has changed"):
        summarize_pair(x, y, labels, progress=lambda _: os.utime(y, ns=(0, 0)))


X, Y = np.ones((50, 3)), np.ones((50, 2))


@pytest.mark.parametrize(
    ("arguments", "options", "error", "sentence"),
    [
        ((X, Y[:49]), {}, InputValueError, "X and Y must have the same number of rows.*got 50 and 49"),
        ((X, Y, ["a", "b"] * 24), {}, InputValueError, "one value for each row of X and Y; got 48 labels for 50 rows"),
        ((X, Y), {"rows": (0, 51)}, InputValueError, "0 <= first < stop <= 50.*got 0 and 51"),
        ((X, Y), {"rows": (9, 9)}, InputValueError, "0 <= first < stop <= 50.*got 9 and 9"),
        ((X, Y), {"rows": (-1, 9)}, InputValueError, r"rows\[0\] must be at least 0; got -1"),
        ((X, Y), {"rows": 9}, InputTypeError, r"rows must be \(first, stop\), two row numbers; got 9"),
        ((X, Y), {"precision": "f16"}, InputValueError, "precision must be one of"),
        ((X, Y), {"checkpoint_every_s": -1}, InputValueError, "checkpoint_every_s must be a finite number >= 0"),
        ((X, Y), {"checkpoint": "/nowhere/c"}, InputValueError, "the folder /nowhere does not exist or cannot"),
        ((X, Y), {"checkpoint": "/dev/full"}, InputValueError, "/dev/full is not a regular file"),
        ((X, Y), {"checkpoint": "c", "backend": "reference"}, InputValueError, "checkpoint needs backend='cpu'"),
        ((X, Y), {"n_threads": 0}, InputValueError, "n_threads must be at least 1"),
        ((X, Y), {"ids": "ab"}, InputTypeError, r"ids must be \(ids_x, ids_y\) or"),
        (
            (X, Y),
            {"ids": (range(50), range(49))},
            InputValueError,
            "ids_y must have one id for each of the 50 rows; got 49",
        ),
        ((X, Y), {"ids": (range(50),) * 3}, InputValueError, "no labels were given"),
        (
            (X, Y),
            {"ids": (range(50), range(50, 100))},
            InputValueError,
            "no id in common: 50 beginning with 0, 50 .* 50",
        ),
        ((X, Y, ["a", "b"] * 24), {"ids": (range(50),) * 2}, InputValueError, "48 labels for 50 rows"),
        (("/nowhere.npy", Y), {}, FileNotFoundError, "X: no such file: /nowhere.npy"),
    ],
)
def test_bad_settings_are_named(arguments, options, error, sentence) -> None:
    with pytest.raises(error, match=sentence):
        summarize_pair(*arguments, **options)


# Rows matched by name -----------------------------------------------------------------------------------------------


def test_rows_matched_by_name(files: Path) -> None:
    """Y shuffled, with rows that X lacks, and the other way round; labels of some, in another order still."""
    x, y, _ = given_files(files)
    rng = problems.generator(6)
    order = rng.permutation(N)[: N - 500]
    np.save(files / "y2.npy", np.vstack([np.load(y)[order], np.ones((70, 4))]))
    ids_x = [f"s{i}" for i in range(N)]
    ids_y = [f"s{i}" for i in order] + [f"t{i}" for i in range(70)]
    labelled = rng.permutation(N)[:3000]
    labels = [("even", "odd")[i % 2] for i in labelled]
    state = summarize_pair(x, files / "y2.npy", labels, ids=(ids_x, ids_y, [f"s{i}" for i in labelled]))
    rows = np.sort(order)
    is_labelled = np.isin(rows, labelled)
    columns = np.column_stack([is_labelled & (rows % 2 == 0), is_labelled & (rows % 2 == 1), is_labelled])
    direct = CrossMoments(6, 4, 3).update(np.load(x)[rows], np.load(y)[rows], columns.astype(float))
    assert state.moments.to_bytes() == direct.to_bytes()
    assert np.array_equal(state.sample.Y, np.load(y)[rows][state.sample.positions])
    assert state.dataset.n_samples == N - 500
    assert state.dataset.unmatched == (
        f"8500 pairs matched by id, {8500 - is_labelled.sum()} of them without a label; left out: 500 rows of X, 70 of Y, "
        f"{3000 - is_labelled.sum()} labels."
    )
    assert state.dataset.n_labelled == is_labelled.sum()
    # Two lists of ids: the labels are those of the rows of X.
    known = summarize_pair(x, files / "y2.npy", [("even", "odd")[i % 2] for i in range(N)], ids=(ids_x, ids_y))
    assert np.array_equal(known.sample.labels[:, 1], rows[known.sample.positions] % 2)
    assert known.dataset.fingerprint_y == state.dataset.fingerprint_y
    assert summarize_pair(x, y, ids=(ids_x, ids_x)).dataset.unmatched is None
    swapped = summarize_pair(x, files / "y2.npy", ids=(ids_x, ids_y[::-1]))
    assert swapped.dataset.fingerprint_y != state.dataset.fingerprint_y


def test_a_bad_row_among_matched_ones_is_named_as_in_its_file(files: Path) -> None:
    x, y, _ = given_files(files)
    values = np.load(y)
    values[40, 1] = np.nan
    np.save(y, values)
    ids = np.arange(N)
    with pytest.raises(
        InputValueError, match=r"Y must be finite; got nan at row 8959 \(row 40 of its file\), column 1"
    ):
        summarize_pair(x, y, ids=(ids, ids[::-1]))


@given(
    rows=st.lists(st.integers(0, 399), min_size=1, max_size=80),
    skipped=st.sampled_from([0, 24, 240, 10**6]),
    most=st.sampled_from([1, 24, 100, 10**6]),
)
def test_matched_rows_are_those_asked_for(rows: list[int], skipped: int, most: int) -> None:
    values = np.arange(1200.0).reshape(400, 3)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("crossphase.sources.matched_rows._SKIPPED_BYTES", skipped)
        patch.setattr("crossphase.sources.matched_rows._MOST_BYTES", most)
        source = MatchedRows(open_rows(values, "X"), np.array(rows))
        assert np.array_equal(source.read(0, len(rows)), values[rows])
        assert np.array_equal(source.read(len(rows) // 2, len(rows)), values[rows][len(rows) // 2 :])


def test_matched_rows_are_read_in_few_and_small_pieces() -> None:
    reads = []

    class Seen:
        n_samples, n_features, dtype, name = 10**9, 1024, np.dtype(np.float32), "X"

        def read(self, first: int, stop: int) -> np.ndarray:
            reads.append((first, stop))
            return np.zeros((stop - first, 1024), dtype=np.float32)

    source = MatchedRows(Seen(), np.array([5, 7, 20, 21, 10**8, 22, 10**8 + 5000, *range(30, 30_000, 10)]))
    source.read(0, source.n_samples)
    assert max(stop - first for first, stop in reads) * 4096 <= 16 * 2**20
    assert [(first, stop) for first, stop in reads if first >= 10**8] == [
        (10**8, 10**8 + 1),
        (10**8 + 5000, 10**8 + 5001),
    ]
    assert len(reads) == 2 + -(-30_000 // 4096)


# Progress, checkpoints, interruptions -------------------------------------------------------------------------------


@pytest.mark.usefixtures("_blocks_of_1024_rows")
def test_progress_is_told_after_every_block(files: Path) -> None:
    seen: list[Progress] = []
    summarize_pair(*given_files(files), rows=(1000, N), progress=seen.append)
    assert [now.done_rows for now in seen] == [24, *range(1048, 8000, 1024), 8000]
    assert {now.total_rows for now in seen} == {8000}
    assert all(now.bytes_per_second > 0 for now in seen)
    assert all(now.seconds_left > 0 for now in seen[:-1])
    assert seen[-1].seconds_left == 0


class StoppedError(Exception):
    pass


def stop_behind(row: int, error: type[BaseException] = StoppedError):
    def stop(progress: Progress) -> None:
        if progress.done_rows > row:
            raise error

    return stop


@pytest.mark.usefixtures("_blocks_of_1024_rows")
def test_a_pass_goes_on_from_its_checkpoint(files: Path) -> None:
    data, checkpoint = given_files(files), files / "c.partial"
    expected = summarize_pair(*data).to_bytes()
    for row, kept in ((2000, 1024), (3000, 2048), (3000, 2048), (8000, 7168)):
        with pytest.raises(StoppedError):
            summarize_pair(*data, checkpoint=checkpoint, checkpoint_every_s=0, progress=stop_behind(row))
        assert PairState.load(checkpoint).row_ranges == [(0, kept)]
    first_rows: list[int] = []
    done = summarize_pair(*data, checkpoint=checkpoint, progress=lambda now: first_rows.append(now.done_rows))
    assert done.to_bytes() == checkpoint.read_bytes() == expected
    assert first_rows[0] == 8192
    age = checkpoint.stat().st_mtime_ns
    assert summarize_pair(*data, checkpoint=checkpoint, progress=stop_behind(0)).to_bytes() == expected
    assert checkpoint.stat().st_mtime_ns == age


@pytest.mark.usefixtures("_blocks_of_1024_rows")
def test_checkpoints_are_written_now_and_then(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every tick of this clock is a second: one at the start, one a block, one a checkpoint."""
    ticks = iter(range(1000))
    monkeypatch.setattr(summarize.time, "monotonic", lambda: float(next(ticks)))
    saved: list[int] = []
    save = PairState.save
    monkeypatch.setattr(PairState, "save", lambda state, path: (saved.append(state.n_samples), save(state, path)))
    summarize_pair(*given_files(files), checkpoint=files / "c", checkpoint_every_s=3)
    assert saved == [3072, 6144, N]


@pytest.mark.usefixtures("_blocks_of_1024_rows")
def test_ctrl_c_leaves_the_checkpoint_and_says_so(files: Path) -> None:
    data, checkpoint = given_files(files), files / "c"
    expected = summarize_pair(*data).to_bytes()
    with pytest.raises(KeyboardInterrupt) as interrupt:
        summarize_pair(
            *data, checkpoint=checkpoint, checkpoint_every_s=0, progress=stop_behind(5000, KeyboardInterrupt)
        )
    assert interrupt.value.__notes__ == [
        f"{checkpoint} holds what had been read when it was last written; the same call goes on from there."
    ]
    assert not [thread for thread in threading.enumerate() if "crossphase" in thread.name]
    assert PairState.load(checkpoint).row_ranges == [(0, 4096)]
    assert summarize_pair(*data, checkpoint=checkpoint).to_bytes() == expected
    with pytest.raises(KeyboardInterrupt) as interrupt:
        summarize_pair(*data, checkpoint=files / "d", progress=stop_behind(0, KeyboardInterrupt))
    assert interrupt.value.__notes__ == [f"nothing was kept: {files / 'd'} is first written after 30 s of reading."]
    with pytest.raises(KeyboardInterrupt) as interrupt:
        summarize_pair(*data, progress=stop_behind(0, KeyboardInterrupt))
    assert not hasattr(interrupt.value, "__notes__")


def test_a_checkpoint_is_a_path(files: Path) -> None:
    with pytest.raises(InputTypeError, match=r"checkpoint must be the path of a file; got 5\."):
        summarize_pair(*given_files(files), checkpoint=5)  # type: ignore[arg-type]


def test_a_checkpoint_of_something_else_is_refused_and_left_alone(files: Path) -> None:
    x, y, labels = given_files(files)
    checkpoint = files / "c"
    summarize_pair(x, y, labels, rows=(0, 5000), checkpoint=checkpoint)
    before = checkpoint.read_bytes(), checkpoint.stat().st_mtime_ns
    np.save(files / "z.npy", np.load(y) + 1)
    refused = [
        ((x, files / "z.npy", labels), {}, "is of another data set: Y differs in its content"),
        ((x, y), {}, "is of another data set: only one has labels"),
        ((x, y, labels), {"rows": (1000, N)}, "holds rows 0 to 4999; this pass is over rows 1000 to 8999"),
        ((x, y, labels), {"precision": "f32"}, "has precision f64; this pass has f32"),
        ((x, y, labels), {"rows": (0, 4000)}, "holds rows 0 to 4999; this pass is over rows 0 to 3999"),
    ]
    for data, options, sentence in refused:
        with pytest.raises(
            InputValueError, match=f"checkpoint: {checkpoint} {sentence}. It is unchanged; delete it, or"
        ):
            summarize_pair(*data, checkpoint=checkpoint, **options)
        assert (checkpoint.read_bytes(), checkpoint.stat().st_mtime_ns) == before
    checkpoint.write_bytes(before[0][:-1])
    with pytest.raises(InputValueError, match=f"checkpoint: {checkpoint} is damaged: .* It is unchanged; delete it"):
        summarize_pair(x, y, labels, checkpoint=checkpoint)
    assert checkpoint.read_bytes() == before[0][:-1]


def test_a_checkpoint_with_a_gap_is_refused(files: Path) -> None:
    data = given_files(files)
    summarize_pair(*data, rows=(0, 10)).merge(summarize_pair(*data, rows=(20, 30))).save(files / "c")
    with pytest.raises(InputValueError, match="holds rows 0 to 9 and 20 to 29; this pass is over rows 0 to 8999"):
        summarize_pair(*data, checkpoint=files / "c")


@pytest.mark.usefixtures("_blocks_of_1024_rows")
def test_a_full_disk_keeps_the_last_checkpoint(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, checkpoint = given_files(files), files / "c"
    expected = summarize_pair(*data).to_bytes()
    fsync, calls = os.fsync, []

    def full_at_the_fifth(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 5:  # file and folder, twice, and the third file
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", full_at_the_fifth)
    with pytest.raises(OutputError, match=f"{checkpoint} could not be written .No space left on device.; an older"):
        summarize_pair(*data, checkpoint=checkpoint, checkpoint_every_s=0)
    assert PairState.load(checkpoint).row_ranges == [(0, 2048)]
    assert sorted(path.name for path in files.iterdir()) == ["c", "labels.csv", "x.npy", "y.npy"]
    assert summarize_pair(*data, checkpoint=checkpoint).to_bytes() == expected


PASS = """if True:
    import sys
    from crossphase import summarize, summarize_pair
    summarize._block_rows = lambda *_: 1024
    summarize.sample_capacity = lambda _: 2000
    def say(progress): print(progress.done_rows, flush=True)
    print(summarize_pair(*sys.argv[1:4], checkpoint=sys.argv[4], checkpoint_every_s=0, progress=say).digest())
"""


def test_a_pass_killed_again_and_again_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL at twelve moments, most of them while a checkpoint is being written: one follows on every block."""
    rng = problems.generator(8)
    x, y, labels, checkpoint = (tmp_path / name for name in ("x.npy", "y.npy", "labels.npy", "c"))
    np.save(x, rng.standard_normal((60_000, 5)).astype(np.float16))
    np.save(y, rng.standard_normal((60_000, 4)))
    np.save(labels, np.arange(60_000) % 5)
    monkeypatch.setattr(summarize, "sample_capacity", lambda _: 2000)
    expected = summarize_pair(x, y, labels).digest()

    chance = random.Random(20)
    kept = 0
    for _ in range(12):
        child = subprocess.Popen(
            [sys.executable, "-c", PASS, x, y, labels, checkpoint], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        for _ in range(chance.randint(1, 5)):
            child.stdout.readline()
        try:
            child.wait(chance.uniform(0, 0.004))
        except subprocess.TimeoutExpired:
            child.send_signal(signal.SIGKILL)
        child.communicate()
        assert child.returncode == -signal.SIGKILL
        if checkpoint.exists():
            ((first, stop),) = PairState.load(checkpoint).row_ranges
            assert first == 0
            assert kept <= stop < 60_000
            kept = stop
    assert kept > 0
    done = subprocess.run(
        [sys.executable, "-c", PASS, x, y, labels, checkpoint], capture_output=True, text=True, check=True, timeout=60
    )
    first_line, *_, digest = done.stdout.split()
    assert int(first_line) > kept
    assert digest == expected == PairState.load(checkpoint).digest()
    # A kill between a new file's naming and its renaming leaves it there, but whole.
    for leftover in set(tmp_path.iterdir()) - {x, y, labels, checkpoint}:
        assert PairState.load(leftover).n_samples < 60_000
