"""``crossphase moments`` and ``crossphase merge``, run as a user runs them: another process, files, a terminal, kills."""

from __future__ import annotations

import os
import pty
import re
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import problems
from crossphase import PairState, summarize_pair
from crossphase.exit_codes import EXIT_BAD_INPUT, EXIT_FAILED, EXIT_INTERRUPTED

pytest.importorskip("typer")
from typer.testing import CliRunner

from crossphase.cli import app

COMMAND = [sys.executable, "-m", "crossphase"]
N = 3000
PARTIAL = "s.safetensors.partial"


def run(*arguments: object, **options: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=120, check=False, **options
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = problems.generator(1)
    np.save(tmp_path / "x.npy", rng.standard_normal((N, 6)).astype(np.float32))
    np.save(tmp_path / "y.npy", rng.standard_normal((N, 4)))
    np.save(tmp_path / "labels.npy", np.arange(N) % 3)
    return tmp_path


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A pair that takes a second or more, in sixteen blocks; most of it a hole in the file."""
    for name in ("x", "y"):
        values = np.lib.format.open_memmap(tmp_path / f"{name}.npy", "w+", np.float32, (1_000_000, 32))
        values[::5000] = problems.generator(ord(name)).standard_normal((200, 32))
        values.flush()
    return tmp_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_state_and_its_parts_are_the_same_file(folder: Path) -> None:
    whole = run("moments", "x.npy", "y.npy", "--labels", "labels.npy", "-o", "s.safetensors", cwd=folder)
    assert (whole.returncode, whole.stderr) == (0, "")
    assert whole.stdout == "s.safetensors: rows 0 to 2999 of 3000, 6 + 4 features, 3 label columns.\n"
    state = PairState.load(folder / "s.safetensors")
    expected = summarize_pair(folder / "x.npy", folder / "y.npy", folder / "labels.npy")
    assert state.to_bytes() == expected.to_bytes()
    assert PARTIAL not in names(folder)

    data = ("x.npy", "y.npy", "--labels", "labels.npy")
    early = run("moments", *data, "--rows", "0:1000", "-o", "a.safetensors", "--n-threads", 1, cwd=folder)
    assert early.stdout.endswith("Missing: rows 1000 to 2999.\n")
    assert run("moments", *data, "--rows", "1500:", "-o", "c.safetensors", cwd=folder).returncode == 0
    gap = run("merge", "c.safetensors", "a.safetensors", "-o", "ac.safetensors", cwd=folder)
    assert (gap.returncode, gap.stderr) == (0, "")
    assert gap.stdout == (
        "ac.safetensors: rows 0 to 999, 1500 to 2999 of 3000, 6 + 4 features, 3 label columns.\nMissing: rows 1000 to 1499.\n"
    )
    assert run("moments", *data, "--rows", "1000:1500", "-o", "b.safetensors", cwd=folder).returncode == 0
    merged = run("merge", "ac.safetensors", "b.safetensors", "-o", "all.safetensors", cwd=folder)
    assert (merged.returncode, merged.stdout.count("\n")) == (0, 1)
    assert (folder / "all.safetensors").read_bytes() == (folder / "s.safetensors").read_bytes()


def test_rows_are_matched_by_name(folder: Path) -> None:
    order = problems.generator(2).permutation(N)
    np.save(folder / "y2.npy", np.load(folder / "y.npy")[order[:-1]])
    np.save(folder / "ids_x.npy", np.arange(N))
    np.save(folder / "ids_y.npy", order[:-1])
    ids = ("--ids-x", "ids_x.npy", "--ids-y", "ids_y.npy", "--ids-labels", "ids_y.npy")
    np.save(folder / "labels2.npy", order[:-1] % 3)
    done = run("moments", "x.npy", "y2.npy", *ids, "--labels", "labels2.npy", "-o", "s.safetensors", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert (
        "\n2999 pairs matched by id, 0 of them without a label; left out: 1 rows of X, 0 of Y, 0 labels.\n"
        in done.stdout
    )
    rows = np.sort(order[:-1])
    expected = summarize_pair(*(np.load(folder / name)[rows] for name in ("x.npy", "y.npy", "labels.npy")))
    assert PairState.load(folder / "s.safetensors").moments.to_bytes() == expected.moments.to_bytes()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("moments x.npy y.npy -o s.npz", "error: --output must end in .safetensors; got s.npz."),
        ("moments x.npy y.npy -o nowhere/s.safetensors", "nowhere does not exist; create it first."),
        ("moments x.npy y.npy -o x.safetensors", "x.safetensors is one of the inputs; choose another name."),
        (
            "moments nan.npy cut.npy --labels x.safetensors::k -o x.safetensors",
            "x.safetensors is one of the inputs; choose another name.",
        ),
        (
            "diagnose nan.npy cut.npy --groups x.safetensors::k --checkpoint x.safetensors",
            "--checkpoint: x.safetensors is one of the inputs",
        ),
        (
            "moments shards y.npy -o shards/s.safetensors",
            "is inside shards, which is one of the inputs; write it elsewhere.",
        ),
        ("moments x.npy y.npy -o fifo.safetensors", "fifo.safetensors is not a regular file."),
        ("moments x.npy y.npy", "Missing option '--output'"),
        ("moments x.npy -o s.safetensors", "Missing argument 'Y'"),
        ("moments x.npy nothing.npy -o s.safetensors", "error: Y: no such file: nothing.npy"),
        ("moments x.npy cut.npy -o s.safetensors", "error: Y: cut.npy is not whole: its header says (3000, 4)"),
        ("moments x.npy nan.npy -o s.safetensors", "error: Y must be finite; got nan at row 2999, column 3"),
        ("moments x.npy y.npy --rows 5 -o s.safetensors", "error: --rows must be FIRST:STOP"),
        ("moments x.npy y.npy --rows 5:9999 -o s.safetensors", "0 <= first < stop <= 3000"),
        ("moments x.npy y.npy --ids-x labels.npy -o s.safetensors", "error: --ids-x and --ids-y go together"),
        ("moments x.npy y.npy --rows a:5 -o s.safetensors", "error: --rows must be FIRST:STOP"),
        ("moments x.npy y.npy --precision f16 -o s.safetensors", "'f16' is not one of 'auto', 'f64', 'f32'"),
        ("moments x.npy y.npy --checkpoint-every -1 -o s.safetensors", "must be a finite number >= 0"),
        ("merge a.safetensors a.safetensors -o s.safetensors", "a.safetensors both hold rows 0 to 99"),
        (
            "merge a.safetensors b.safetensors -o s.safetensors",
            "b.safetensors are of different data sets: only one has",
        ),
        ("merge a.safetensors bad.safetensors -o s.safetensors", "error: bad.safetensors is damaged: "),
        ("merge a.safetensors x.npy -o s.safetensors", "error: x.npy is no file of crossphase"),
        (
            "diagnose a.safetensors b.safetensors",
            "error: X: a.safetensors is a state of summed rows (crossphase moments)",
        ),
        ("diagnose x.npy a.safetensors", "error: Y: a.safetensors is a state of summed rows (crossphase moments)"),
        (
            "diagnose x.npy y.npy labels.npy",
            "if these numbers are measurements. If these are the labels, write --labels before them.",
        ),
        ("diagnose x.npy y.npy --precision f16", "'f16' is not one of 'auto', 'f64', 'f32'"),
        ("merge a.safetensors gone.safetensors -o s.safetensors", "No such file or directory: gone.safetensors"),
        ("merge a.safetensors -o a.safetensors", "a.safetensors is one of the inputs; choose another name."),
    ],
)
def test_bad_input_is_one_sentence_and_writes_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch, arguments: str, sentence: str
) -> None:
    data = folder / "x.npy", folder / "y.npy"
    Y = np.load(data[1])
    Y[-1, -1] = np.nan
    np.save(folder / "nan.npy", Y)
    (folder / "cut.npy").write_bytes(data[1].read_bytes()[:5000])
    (folder / "x.safetensors").hardlink_to(folder / "y.npy")
    os.mkfifo(folder / "fifo.safetensors")
    (folder / "shards").mkdir()
    summarize_pair(*data, rows=(0, 100)).save(folder / "a.safetensors")
    summarize_pair(*data, folder / "labels.npy", rows=(100, N)).save(folder / "b.safetensors")
    (folder / "bad.safetensors").write_bytes((folder / "b.safetensors").read_bytes()[:-9])
    before = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    monkeypatch.chdir(folder)
    done = CliRunner().invoke(app, arguments.split())  # here, since a process for each would take its second
    assert done.exit_code == EXIT_BAD_INPUT
    assert done.stdout == ""
    assert sentence in " ".join(done.stderr.split())
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == before


def test_a_full_disk_leaves_the_old_state(folder: Path) -> None:
    old = folder / "s.safetensors"
    old.write_text("precious")
    done = run(
        *("moments", "x.npy", "y.npy", "-o", "s.safetensors"),
        cwd=folder,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert done.returncode == EXIT_FAILED
    assert "could not be written (File too large); an older file there is unchanged." in done.stderr
    assert old.read_text() == "precious"
    assert names(folder) == ["labels.npy", "s.safetensors", "x.npy", "y.npy"]


def started(folder: Path) -> subprocess.Popen[str]:
    """A pass that has written its first checkpoint and is far from done."""
    process = subprocess.Popen(
        [*COMMAND, "moments", "x.npy", "y.npy", "-o", "s.safetensors", "--checkpoint-every", "0"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell starts background jobs with SIGINT ignored, and children inherit that; a terminal's do not.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509  (no threads here)
    )
    while not (folder / PARTIAL).exists():
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    return process


def test_a_killed_pass_goes_on_and_ends_with_the_same_file(large: Path) -> None:
    assert run("moments", "x.npy", "y.npy", "-o", "whole.safetensors", cwd=large).returncode == 0
    process = started(large)
    process.kill()
    process.communicate()
    assert process.returncode == -signal.SIGKILL, "the pass ended before it could be killed"
    assert "s.safetensors" not in names(large)
    kept = PairState.load(large / PARTIAL).n_samples
    assert 0 < kept < 1_000_000
    moved = (large / PARTIAL).read_bytes()
    done = run("moments", "x.npy", "y.npy", "-o", "s.safetensors", cwd=large)
    assert (done.returncode, done.stderr) == (0, "")
    assert (large / "s.safetensors").read_bytes() == (large / "whole.safetensors").read_bytes()
    assert PARTIAL not in names(large)

    # What is left by a pass over other data is neither used nor overwritten.
    (large / PARTIAL).write_bytes(moved)
    np.save(large / "y.npy", np.ones((1_000_000, 32), dtype=np.float32))
    done = run("moments", "x.npy", "y.npy", "-o", "s.safetensors", cwd=large)
    assert done.returncode == EXIT_BAD_INPUT
    assert done.stderr == (
        f"error: checkpoint: {large / PARTIAL} is of another data set: Y differs in its content. It is unchanged; delete it, or "
        "choose another name.\n"
    )
    assert (large / PARTIAL).read_bytes() == moved


def test_ctrl_c_says_where_it_can_go_on(large: Path) -> None:
    process = started(large)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (EXIT_INTERRUPTED, "")
    assert err == (
        f"error: interrupted; {large / PARTIAL} holds what had been read when it was last written; the same call goes on from "
        "there.\n"
    )
    assert 0 < PairState.load(large / PARTIAL).n_samples < 1_000_000
    assert names(large) == [PARTIAL, "x.npy", "y.npy"]


def test_a_terminal_shows_how_far_it_is(large: Path) -> None:
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "moments", "x.npy", "y.npy", "-o", "s.safetensors"],
        cwd=large,
        stdout=subprocess.DEVNULL,
        stderr=follower,
        env={**os.environ, "TERM": "xterm-256color", "COLUMNS": "120"},
    )
    os.close(follower)
    chunks = []
    try:
        while chunk := os.read(leader, 4096):
            chunks.append(chunk)
    except OSError:  # the other side closed: how Linux ends a pseudo-terminal
        pass
    os.close(leader)
    assert process.wait(timeout=60) == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(chunks).decode())
    assert re.search(r"\d+ ?% of 1,000,000 rows  [\d,]+ MB/s  0:00:\d\d left", shown)
