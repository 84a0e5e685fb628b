"""Files of states: whole or not at all, and every damage noticed."""

from __future__ import annotations

import errno
import json
import os
import re
import resource
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import problems
from crossphase import CrossMoments, InputTypeError, InputValueError, OutputError, safetensors_file
from crossphase.atomic_file import replace_file

ARRAYS = {
    "f64": np.linspace(-1, 1, 6).reshape(2, 3),
    "f32": np.arange(5, dtype=np.float32),
    "f16": np.array([[6e-8, np.inf]], dtype=np.float16),
    "bfloat16": np.array([0x3F80, 0x7FC0], dtype=np.uint16),
    "counts": np.array([-(2**63), 2**63 - 1]),
    "flags": np.array([0, 1, 1], dtype=np.uint8),
    "nothing": np.empty((3, 0)),
    "strided": np.arange(12.0).reshape(3, 4)[:, ::2],
    "number": np.array(3.0),
}
METADATA = {"content": '{"a": [1, "}"]}', "format": "test", "unicode": "Δ"}


WHOLE = safetensors_file.to_bytes(ARRAYS, METADATA)


@pytest.fixture
def state() -> CrossMoments:
    parts = [problems.generator(5).standard_normal((3000, width)) for width in (7, 5, 2)]
    return CrossMoments(7, 5, 2, first_row=500).update(*parts)


def listing(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


# The format ---------------------------------------------------------------------------------------------------------


def test_what_is_written_is_read(tmp_path: Path) -> None:
    target = tmp_path / "a.safetensors"
    safetensors_file.write(target, ARRAYS, METADATA)
    content = safetensors_file.read(target)
    assert target.read_bytes() == safetensors_file.to_bytes(ARRAYS, METADATA)
    assert content.tensors.keys() == ARRAYS.keys()
    for name, values in ARRAYS.items():
        assert content.tensors[name].dtype == values.dtype
        assert content.tensors[name].shape == values.shape
        assert content.tensors[name].tobytes() == values.tobytes()
    assert {name: content.metadata[name] for name in METADATA} == METADATA


def test_the_format_is_safetensors() -> None:
    """Read as the format's description says, without our reader."""
    data = safetensors_file.to_bytes(ARRAYS, METADATA)
    n_header = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n_header])
    assert (8 + n_header) % 8 == 0
    assert all(isinstance(value, str) for value in header.pop("__metadata__").values())
    end = 0
    for name, values in ARRAYS.items():
        start, stop = header[name]["data_offsets"]
        assert start == end
        assert data[8 + n_header + start : 8 + n_header + stop] == values.tobytes()
        end = stop
    assert 8 + n_header + end == len(data)


def test_writing_makes_no_second_copy(tmp_path: Path) -> None:
    big = np.ones((1000, 1000))
    tracemalloc.start()
    safetensors_file.write(tmp_path / "a.safetensors", {"a": big, "b": big}, {})
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 1e6


def test_every_cut_is_noticed(tmp_path: Path) -> None:
    data = safetensors_file.to_bytes(ARRAYS, METADATA)
    target = tmp_path / "cut.safetensors"
    for size in range(0, len(data), 7):
        target.write_bytes(data[:size])
        with pytest.raises(InputValueError, match=re.escape(str(target))):
            safetensors_file.read(target)
    with pytest.raises(InputValueError, match="its arrays end after"):
        safetensors_file.from_bytes(data + b"\0", "longer")


@settings(max_examples=1000)
@given(st.data())
def test_every_flipped_bit_is_noticed(data: st.DataObject) -> None:
    damaged = bytearray(WHOLE)
    place = data.draw(st.integers(0, 8 * len(damaged) - 1))
    damaged[place // 8] ^= 1 << place % 8
    with pytest.raises(InputValueError, match="the copy is"):
        safetensors_file.from_bytes(damaged, "the copy")


LYING = {  # entries of a header, and what the sentence says of them
    "far": ({"dtype": "F64", "shape": [2**40], "data_offsets": [0, 2**43]}, "ends behind the file's"),
    "wide": ({"dtype": "F64", "shape": [2**40], "data_offsets": [0, 8]}, "does not have 8 bytes"),
    "overflow": ({"dtype": "F64", "shape": [2**61, 2**61, 0], "data_offsets": [0, 0]}, "an impossible shape"),
    "deep": ({"dtype": "F64", "shape": [1] * 100, "data_offsets": [0, 8]}, "an impossible shape"),
    "negative": ({"dtype": "F64", "shape": [-1], "data_offsets": [0, -8]}, "no count"),
    "truth": ({"dtype": "F64", "shape": [True], "data_offsets": [0, 8]}, "no count"),
    "backwards": ({"dtype": "F64", "shape": [1], "data_offsets": [8, 0]}, "does not have -8 bytes"),
    "gap": ({"dtype": "F64", "shape": [0], "data_offsets": [8, 8]}, "not where the one before it ends"),
    "short": ({"dtype": "F64", "shape": [1], "data_offsets": [0]}, "not described"),
    "dtype": ({"dtype": "C64", "shape": [1], "data_offsets": [0, 8]}, "not described"),
    "text": ("F64", "not described"),
}


@pytest.mark.parametrize("lie", LYING)
def test_lying_headers_cost_nothing(lie: str) -> None:
    entry, sentence = LYING[lie]
    seal = {"__metadata__": {"sha256": "0" * 64}}
    header = json.dumps({**seal, "a": entry}, separators=(",", ":")).encode()
    tracemalloc.start()
    with pytest.raises(InputValueError, match=sentence):
        safetensors_file.from_bytes(len(header).to_bytes(8, "little") + header + bytes(8), "it")
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "0 bytes are too few"),
        ((2**20).to_bytes(8, "little") + b"{}", "10 bytes are too few"),
        ((2**63).to_bytes(8, "little") + b"{}", "no file of crossphase"),
        ((2).to_bytes(8, "little") + b"{}", "no file of crossphase"),
        ((27).to_bytes(8, "little") + b'{"__metadata__":{"sha256":"', "header cannot be read"),
        ((30).to_bytes(8, "little") + b'{"__metadata__":{"sha256":"",1', "header cannot be read"),
        ((33).to_bytes(8, "little") + b'{"__metadata__":{"sha256":"","a":', "header cannot be read"),
        ((36).to_bytes(8, "little") + b'{"__metadata__":{"sha256":"","a":1}}', "metadata are not strings"),
        (
            (100_031).to_bytes(8, "little") + b'{"__metadata__":{"sha256":"","a' + b"[" * 100_000,
            "header cannot be read",
        ),
    ],
)
def test_what_is_no_file_of_ours(data: bytes, sentence: str) -> None:
    with pytest.raises(InputValueError, match=sentence):
        safetensors_file.from_bytes(data, "it")


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputValueError, match="not a regular file"):
        safetensors_file.read(tmp_path / "pipe")


# Replacing files ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["nameless", "named"])
def folder(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, on a file system with and one without nameless files."""
    if request.param == "named":
        opened = os.open

        def without(path, flags, *rest, **options):
            if flags & os.O_TMPFILE == os.O_TMPFILE:
                raise OSError(errno.EOPNOTSUPP, "Operation not supported")
            return opened(path, flags, *rest, **options)

        monkeypatch.setattr(os, "open", without)
    return tmp_path


def test_a_new_file_has_the_usual_mode_and_an_old_one_keeps_its_own(folder: Path) -> None:
    usual = folder / "usual"
    usual.touch()
    for name, mode in (("new", usual.stat().st_mode), ("old", 0o100640)):
        if name == "old":
            (folder / name).touch()
            (folder / name).chmod(0o640)
        with replace_file(folder / name) as stream:
            stream.write(b"content")
        assert (folder / name).read_bytes() == b"content"
        assert (folder / name).stat().st_mode == mode
    assert listing(folder) == ["new", "old", "usual"]


def test_a_link_stays_and_what_it_points_to_is_replaced(folder: Path) -> None:
    (folder / "real").write_bytes(b"old")
    (folder / "link").symlink_to("real")
    with replace_file(folder / "link") as stream:
        stream.write(b"new")
    assert (folder / "link").is_symlink()
    assert (folder / "real").read_bytes() == b"new"


def write_half(target: Path, error: BaseException) -> None:
    with replace_file(target) as stream:
        stream.write(b"half")
        raise error


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("bug"), MemoryError()])
def test_an_exception_on_the_way_leaves_the_old_file(folder: Path, error: BaseException) -> None:
    (folder / "target").write_bytes(b"old")
    with pytest.raises(type(error)):
        write_half(folder / "target", error)
    assert (folder / "target").read_bytes() == b"old"
    assert listing(folder) == ["target"]


@pytest.mark.parametrize("call", ["fsync", "chmod"])
@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EIO, errno.EDQUOT])
def test_a_failed_call_leaves_the_old_file(folder: Path, monkeypatch: pytest.MonkeyPatch, call: str, code: int) -> None:
    def fails(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    (folder / "target").write_bytes(b"old")
    monkeypatch.setattr(os, call, fails)
    with (
        pytest.raises(OutputError, match=rf"target could not be written \({os.strerror(code)}\); an older file"),
        replace_file(folder / "target") as stream,
    ):
        stream.write(b"new")
    assert (folder / "target").read_bytes() == b"old"
    assert listing(folder) == ["target"]


def test_the_file_is_on_disk_before_its_name_and_the_name_at_the_end(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = []
    fsync, replace = os.fsync, Path.replace

    def seen_fsync(descriptor: int) -> None:
        order.append("folder" if Path(f"/proc/self/fd/{descriptor}").is_dir() else "file")
        fsync(descriptor)

    def seen_replace(path: Path, target: Path) -> Path:
        order.append("rename")
        return replace(path, target)

    monkeypatch.setattr(os, "fsync", seen_fsync)
    monkeypatch.setattr(Path, "replace", seen_replace)
    with replace_file(folder / "target") as stream:
        stream.write(b"new")
    assert order == ["file", "rename", "folder"]


@pytest.mark.parametrize("target", ["pipe", "folder", "/dev/full"])
def test_only_regular_files_are_replaced(tmp_path: Path, target: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    with pytest.raises(InputValueError, match="not a regular file"), replace_file(tmp_path / target):
        pass
    assert not (tmp_path / target).is_file()


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"nowhere/target could not be written \(No such file"),
        replace_file(tmp_path / "nowhere" / "target"),
    ):
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_named(tmp_path: Path, state: CrossMoments) -> None:
    tmp_path.chmod(0o500)
    with pytest.raises(OutputError, match=r"could not be written \(Permission denied\)"):
        state.save(tmp_path / "a.safetensors")


def test_a_full_disk_leaves_the_old_state(tmp_path: Path) -> None:
    """No file of that process may grow past 4 kB."""
    target = tmp_path / "a.safetensors"
    CrossMoments(1, 1).update(np.ones((2, 1)), np.ones((2, 1))).save(target)
    old = target.read_bytes()
    script = "import numpy as np, crossphase; ones = np.ones((1024, 30)); m = crossphase.CrossMoments(30, 30).update(ones, ones)"
    done = subprocess.run(
        [sys.executable, "-c", f"{script}; m.save({str(target)!r})"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)),
    )
    assert "OutputError" in done.stderr
    assert "could not be written (File too large); an older file there is unchanged." in done.stderr
    assert target.read_bytes() == old
    assert listing(tmp_path) == ["a.safetensors"]


# CrossMoments -------------------------------------------------------------------------------------------------------


@settings(max_examples=30)
@given(
    cut=st.integers(1, 5000),
    first_row=st.sampled_from([0, 1, 700, 1024, 5000]),
    widths=st.sampled_from([(3, 2, 0), (17, 1, 2), (40, 30, 5)]),
)
def test_a_saved_state_goes_on_with_the_same_bytes(cut: int, first_row: int, widths: tuple[int, int, int]) -> None:
    parts = [problems.generator(11).standard_normal((5001, width)) for width in widths]
    labels = [parts[2]] if widths[2] else [None]
    whole = CrossMoments(*widths, first_row=first_row).update(parts[0], parts[1], labels[0])
    early = CrossMoments(*widths, first_row=first_row)
    early.update(*(None if part is None else part[:cut] for part in (*parts[:2], *labels)))
    restored = CrossMoments.from_bytes(early.to_bytes())
    assert restored.to_bytes() == early.to_bytes()
    assert restored.row_ranges == early.row_ranges
    restored.update(*(None if part is None else part[cut:] for part in (*parts[:2], *labels)))
    assert restored.to_bytes() == whole.to_bytes()
    assert restored.cov_xy.tobytes() == whole.cov_xy.tobytes()


def test_save_and_load(tmp_path: Path, state: CrossMoments) -> None:
    state.save(tmp_path / "m.safetensors")
    loaded = CrossMoments.load(tmp_path / "m.safetensors", n_threads=1)
    assert loaded.to_bytes() == state.to_bytes() == (tmp_path / "m.safetensors").read_bytes()
    assert (loaded.n_features_x, loaded.n_features_y, loaded.n_labels) == (7, 5, 2)
    assert (
        loaded.merge(CrossMoments(7, 5, 2).update(np.ones((5, 7)), np.ones((5, 5)), np.ones((5, 2)))).n_samples == 3005
    )
    assert listing(tmp_path) == ["m.safetensors"]


def test_an_empty_state_keeps_its_place() -> None:
    restored = CrossMoments.from_bytes(CrossMoments(2, 1, first_row=77).to_bytes())
    restored.update(np.ones((1, 2)), np.ones((1, 1)))
    assert restored.row_ranges == [(77, 78)]


def test_a_state_takes_half_a_matrix_a_tree() -> None:
    """Each power of two of the rows is a tree: the lower triangle in float64, in tiles of 16, and little else."""
    X, Y = problems.generator(2).standard_normal((2, 3 * 1024, 640))
    size = len(CrossMoments(640, 640).update(X, Y).to_bytes())
    assert size <= 2 * 14e6
    assert 2 * (1280 * 1281 // 2) * 8 <= size <= 2 * (80 * 81 // 2 * 256 * 8 + 1280 * 8) + 2000


def test_the_reference_backend_is_not_saved() -> None:
    kept = CrossMoments(2, 1, backend="reference").update(np.ones((3, 2)), np.ones((3, 1)))
    with pytest.raises(InputTypeError, match="backend 'reference' keeps every row and is not saved"):
        kept.to_bytes()


def repacked(data: bytes, change) -> bytes:
    """A file of other content, sealed anew."""
    content = safetensors_file.from_bytes(data, "data")
    metadata = {name: value for name, value in content.metadata.items() if name != "sha256"}
    description = json.loads(metadata["content"])
    change(metadata, description, content.tensors)
    if metadata.get("content"):
        metadata["content"] = json.dumps(description)
    return safetensors_file.to_bytes(content.tensors, metadata)


CHANGES = {
    "newer schema": (
        lambda meta, desc, arrays: meta.update(schema_version="2", crossphase_version="9.1"),
        r"data has schema 2, written by crossphase 9\.1; this is crossphase .*, which reads schema 1",
    ),
    "other kind": (
        lambda meta, desc, arrays: meta.update(format="crossphase.PairState"),
        "must hold a crossphase.Cross",
    ),
    "no kind": (lambda meta, desc, arrays: meta.pop("format"), "it holds something else"),
    "no description": (lambda meta, desc, arrays: meta.pop("content"), "does not describe its crossphase.CrossMoments"),
    "no widths": (lambda meta, desc, arrays: desc.pop("widths"), "does not hold the moments it should"),
    "other widths": (
        lambda meta, desc, arrays: desc.update(widths=[7, 5, 3]),
        r"begins with \[14, 3500, \d\] instead of \[15, 3500, \d\]",
    ),
    "no width": (lambda meta, desc, arrays: desc.update(widths=[14, 0, 0]), "n_features_y must be at least 1"),
    "words": (lambda meta, desc, arrays: desc.update(widths="abc"), "does not hold the moments it should"),
    "unknown precision": (lambda meta, desc, arrays: desc.update(precision="f8"), "got 'f8'"),
    "text for numbers": (lambda meta, desc, arrays: desc.update(trees=[["a", 1, 1024]]), "does not hold the moments"),
    "lost tree": (lambda meta, desc, arrays: desc.update(trees=[[0, 4, 4096]]), "does not hold the moments it should"),
    "lost array": (lambda meta, desc, arrays: arrays.popitem(), "does not hold the moments it should"),
    "other shape": (
        lambda meta, desc, arrays: arrays.update({name: np.ones((3, 3)) for name in arrays}),
        "does not hold the moments it should",
    ),
    "other size": (
        lambda meta, desc, arrays: arrays.update({name: np.ones(3) for name in arrays}),
        "does not hold the moments it should",
    ),
    "earlier end": (
        lambda meta, desc, arrays: desc.update(leading=[14, 1024, desc["leading"][2]]),
        "the snapshot is damaged",
    ),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_no_state_could_have_left_is_refused(state: CrossMoments, change: str) -> None:
    how, sentence = CHANGES[change]
    with pytest.raises(InputValueError, match=sentence):
        CrossMoments.from_bytes(repacked(state.to_bytes(), how))


def test_repacking_alone_changes_nothing(state: CrossMoments) -> None:
    data = repacked(state.to_bytes(), lambda *_: None)
    assert CrossMoments.from_bytes(data).to_bytes() == state.to_bytes()
