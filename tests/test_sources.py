"""Every format gives the rows that were written, bit for bit, in any blocks; and says which array it means."""

import os
import pickle
import re
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

import row_files
from crossphase.errors import InputTypeError, InputValueError
from crossphase.readers import read_labels
from crossphase.sources import RowSource, is_row_file, open_rows
from crossphase.sources.arrow_columns import matrix_columns, rows_of

N_SAMPLES, N_FEATURES = 131, 5
BLOCKS = [(0, 131), (0, 1), (1, 14), (14, 14), (14, 51), (51, 130), (130, 131), (12, 75), (0, 40)]
MATRICES = [
    (name, dtype)
    for name in row_files.WRITERS
    for dtype in row_files.DTYPES
    if not (dtype == "bfloat16" and any(word in name for word in ("parquet", "arrow", "feather", "zarr")))
    if not (name == "h5ad" and dtype not in ("float32", "float64"))
]


@pytest.fixture(params=MATRICES, ids="-".join)
def written(request, tmp_path):
    name, dtype = request.param
    values = row_files.matrix(N_SAMPLES, N_FEATURES, dtype)
    return row_files.WRITERS[name](tmp_path / "x", values), row_files.bits(values)


def test_blocks_are_the_rows_that_were_written(written):
    spec, values = written
    source = open_rows(spec, "X")
    assert isinstance(source, RowSource)
    assert (source.n_samples, source.n_features, source.dtype, source.name) == (131, 5, values.dtype, "X")
    for first, stop in BLOCKS:
        rows = source.read(first, stop)
        assert rows.shape == (stop - first, 5)
        assert rows.dtype == values.dtype
        assert rows.dtype.isnative
        assert rows.tobytes() == values[first:stop].tobytes()
        rows[:] = 0  # memory of its own: the next block is not touched
    source.require_unchanged()


def test_a_pickled_source_opens_again_and_carries_no_data(written):
    spec, values = written
    source = open_rows(spec, "X")
    source.read(0, 50)
    pickled = pickle.dumps(source)
    assert len(pickled) < 600  # a path, a name and the name of a function
    again = pickle.loads(pickled)
    assert again.read(50, 80).tobytes() == values[50:80].tobytes()
    assert again.fingerprint() == source.fingerprint()


def test_threads_may_read_at_once(written):
    spec, values = written
    source = open_rows(spec, "X")
    with ThreadPoolExecutor(4) as pool:
        reads = [pool.submit(source.read, first, first + 10) for first in [0, 120, 60, 30, 90] * 4]
        for read, first in zip(reads, [0, 120, 60, 30, 90] * 4, strict=True):
            assert read.result().tobytes() == values[first : first + 10].tobytes()


def test_rows_that_are_not_there(written):
    source = open_rows(written[0], "X")
    for first, stop in [(-1, 3), (0, 132), (5, 4), (200, 201)]:
        with pytest.raises(InputValueError, match=r"X: rows .* were asked for; there are 131"):
            source.read(first, stop)


@pytest.mark.parametrize("name", row_files.WRITERS)
def test_a_fingerprint_tells_contents_not_places(name, tmp_path):
    """The same for a copy under another name and time; another for other contents of the same size."""
    spec = row_files.WRITERS[name](tmp_path / "x", row_files.matrix(N_SAMPLES, N_FEATURES, "float32"))
    path, separator, member = str(spec).partition("::")
    copy = tmp_path / f"copy{os.path.splitext(path)[1]}"  # noqa: PTH122
    (shutil.copytree if os.path.isdir(path) else shutil.copyfile)(path, copy)  # noqa: PTH112
    fingerprint = open_rows(spec, "X").fingerprint()
    assert open_rows(f"{copy}{separator}{member}", "Y").fingerprint() == fingerprint
    (tmp_path / "other").mkdir()
    other = row_files.WRITERS[name](
        tmp_path / "other" / "x", row_files.matrix(N_SAMPLES, N_FEATURES, "float32", seed=1)
    )
    assert open_rows(other, "X").fingerprint() != fingerprint


@pytest.mark.parametrize("name", row_files.WRITERS)
def test_a_file_that_changes_is_found_out(name, tmp_path):
    spec = row_files.WRITERS[name](tmp_path / "x", row_files.matrix(N_SAMPLES, N_FEATURES, "float32"))
    source = open_rows(spec, "X")
    source.read(0, 5)
    path = str(spec).partition("::")[0]
    files = [path]
    if os.path.isdir(path):  # noqa: PTH112
        files = [os.path.join(parent, file) for parent, _, names in os.walk(path) for file in names]  # noqa: PTH118
    os.utime(max(files, key=os.path.getsize), ns=(1, 1))
    with pytest.raises(InputValueError, match=r"X: .* has changed since"):
        source.require_unchanged()
    if "zarr" not in name:  # whose many files are looked at in the end alone
        with pytest.raises(InputValueError, match=r"X: .* has changed since"):
            source.read(5, 131)


@pytest.mark.parametrize("name", ["npz_deflated", "arrow_stream_zstd"])
def test_a_fork_reads_on_by_itself(name, tmp_path):
    """A child must not move the file position of its parent's stream, nor the parent that of the child's."""
    values = row_files.matrix(40_000, 5, "float64")
    spec = row_files.WRITERS[name](tmp_path / "x", values)
    script = f"""
import os, sys
from crossphase.sources import open_rows
source = open_rows({str(spec)!r}, "X")
source.read(0, 10)
child = os.fork()
rows = source.read(10, 39_000)
if child:
    _, status = os.waitpid(child, 0)
    rows = source.read(39_000, 40_000)
    sys.stdout.write(f"{{status}} {{rows.sum()}}")
else:
    os._exit(0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == f"0 {values[39_000:].sum()}", done.stderr


def test_a_fork_reads_while_a_thread_of_its_parent_did(tmp_path):
    """The thread is not there in the child, and will not give back what it had locked."""
    values = row_files.matrix(1000, 5, "float64")
    spec = row_files.WRITERS["npz_deflated"](tmp_path / "x", values)
    script = f"""
import os, signal, threading
from crossphase.sources import open_rows
source = open_rows({str(spec)!r}, "X")
has_begun, may_end, pieces = threading.Event(), threading.Event(), source._pieces
def slow_pieces(start):
    has_begun.set()
    may_end.wait()
    yield from pieces(start)
source._pieces = slow_pieces
reader = threading.Thread(target=source.read, args=(0, 1000))
reader.start()
has_begun.wait()
child = os.fork()
if child:
    print(os.waitpid(child, 0)[1])
    may_end.set()
    reader.join()
else:
    signal.alarm(10)
    source._pieces = pieces
    os._exit(0 if source.read(0, 1000).sum() == {float(values.sum())!r} else 1)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout == "0\n", done.stderr


def test_row_groups_between_two_blocks_are_not_decoded(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    from crossphase.sources import parquet

    source = open_rows(row_files.WRITERS["parquet_lists"](tmp_path / "x", row_files.matrix(1000, 5, "float32")), "X")
    decoded = []
    monkeypatch.setattr(
        parquet, "rows_of", lambda batch, *rest: decoded.append(batch.num_rows) or rows_of(batch, *rest)
    )
    source.read(0, 10)
    source.read(999, 1000)
    assert decoded == [37, 1]  # row groups have 37 rows, the last one the rest


@pytest.mark.parametrize("kind", ["fixed", "lists", "columns"])
def test_slices_of_batches_are_respected(kind):
    pytest.importorskip("pyarrow")
    values = row_files.matrix(20, 3, "float32")
    batch = row_files._arrow_table(values, kind).to_batches()[0].slice(4, 11)
    columns = matrix_columns(batch.schema, "", "X", Path("x.arrow"))._replace(width=3)
    assert rows_of(batch, columns, 0, "X", "x.arrow").tobytes() == values[4:15].tobytes()


def test_arrays_are_sources_too():
    values = row_files.matrix(N_SAMPLES, N_FEATURES, "float64")
    for array in (values, np.asfortranarray(values), values[:, ::-1], values.astype(">f8"), values.astype(np.float16)):
        source = open_rows(array, "X")
        assert source.read(3, 9).tobytes() == array[3:9].astype(source.dtype).tobytes()
        assert not np.shares_memory(source.read(3, 9), array)
        assert source.fingerprint() == open_rows(np.array(array), "X").fingerprint()
        assert pickle.loads(pickle.dumps(source)).read(0, 131).tobytes() == source.read(0, 131).tobytes()
    assert open_rows(source, "X") is source
    assert open_rows(row_files.matrix(9, 2, "bfloat16"), "X").dtype == np.uint16
    with pytest.raises(InputTypeError, match="X must be float16, bfloat16, float32 or float64; got int64"):
        open_rows(np.arange(6).reshape(2, 3), "X")


def test_sparse_rows_become_dense(tmp_path):
    scipy_sparse = pytest.importorskip("scipy.sparse")
    anndata = pytest.importorskip("anndata")
    values = np.random.default_rng(0).standard_normal((N_SAMPLES, 40)).astype(np.float32)
    values[np.abs(values) < 1] = 0
    values[17] = 0
    path = tmp_path / "cells.h5ad"
    anndata.AnnData(X=scipy_sparse.csr_matrix(values)).write_h5ad(path)
    source = open_rows(path, "X")  # the only matrix there is
    for first, stop in BLOCKS:
        assert source.read(first, stop).tobytes() == values[first:stop].tobytes()
    anndata.AnnData(X=scipy_sparse.csc_matrix(values)).write_h5ad(path)
    with pytest.raises(InputValueError, match=r"stored by columns \(csc_matrix\); store it by rows"):
        open_rows(path, "X")


def test_nulls_of_arrow_are_missing_rows(tmp_path):
    pa = pytest.importorskip("pyarrow")
    values = row_files.matrix(20, 3, "float32")
    path = tmp_path / "x.arrow"

    def write(array):
        table = pa.table({"rows": array})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)

    write(pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 3, mask=pa.array([i == 7 for i in range(20)])))
    with pytest.raises(InputValueError, match=r"X: row 7 of .*x\.arrow is missing \(null"):
        open_rows(path, "X").read(0, 20)
    write(pa.FixedSizeListArray.from_arrays(pa.array([None if i == 25 else 1.0 for i in range(60)]), 3))
    with pytest.raises(InputValueError, match=r"X: row 8 of .*x\.arrow has a missing feature"):
        open_rows(path, "X").read(0, 20)
    write(pa.array([[1.0, 2.0]] * 9 + [[1.0]] + [[1.0, 2.0]]))
    with pytest.raises(InputValueError, match=r"X: row 9 of .*x\.arrow has 1 features; the first row has 2"):
        open_rows(path, "X").read(0, 11)
    write(pa.array([[1.0, 2.0], None, [1.0, 2.0]]))
    with pytest.raises(InputValueError, match=r"X: row 1 of .* is missing"):
        open_rows(path, "X").read(0, 3)


def test_tables_of_pandas_and_polars(tmp_path):
    """Whatever these write by default: indices, lists without a size, string views, categories."""
    pytest.importorskip("pyarrow")
    import pandas as pd
    import polars as pl

    values = row_files.matrix(50, 4, "float32")
    frame = pd.DataFrame(values, columns=list("abcd"), index=[f"row {i}" for i in range(50)])
    frame.to_parquet(tmp_path / "columns.parquet")
    pd.DataFrame({"id": range(50), "embedding": list(values)}).to_parquet(tmp_path / "lists.parquet")
    frame.reset_index(drop=True).to_feather(tmp_path / "columns.feather")
    kinds = pl.Series(["oak", "elm"] * 25, dtype=pl.Categorical)
    table = pl.DataFrame({"embedding": pl.Series(values, dtype=pl.Array(pl.Float32, 4)), "kind": kinds})
    table.write_parquet(tmp_path / "polars.parquet")
    table.write_ipc(tmp_path / "polars.arrow")
    for name in ("columns.parquet", "lists.parquet", "columns.feather", "polars.parquet", "polars.arrow"):
        assert open_rows(tmp_path / name, "X").read(0, 50).tobytes() == values.tobytes()
    for name in ("polars.parquet", "polars.arrow"):
        assert read_labels(f"{tmp_path / name}::kind").tolist() == ["oak", "elm"] * 25


def test_an_extension_type_is_read_as_what_it_is_stored_as(tmp_path):
    pa = pytest.importorskip("pyarrow")
    values = row_files.matrix(20, 6, "float32")
    storage = pa.FixedSizeListArray.from_arrays(pa.array(values.ravel()), 6)
    table = pa.table({"rows": pa.ExtensionArray.from_storage(pa.fixed_shape_tensor(pa.float32(), [2, 3]), storage)})
    path = tmp_path / "x.arrow"
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    assert open_rows(path, "X").read(0, 20).tobytes() == values.tobytes()


def test_one_matrix_needs_no_name_several_do(tmp_path):
    x, y = row_files.matrix(9, 2, "float32"), row_files.matrix(9, 3, "float64")
    path = tmp_path / "pair.npz"
    np.savez(path, x=x, y=y, labels=np.arange(9), objects=np.array([None]))
    assert open_rows(f"{path}::y", "Y").read(0, 9).tobytes() == y.tobytes()
    with pytest.raises(
        InputValueError, match=r"X: .*pair\.npz has 2 matrices; name one as pair\.npz::NAME: x \(9 × 2, float32\), y"
    ):
        open_rows(path, "X")
    with pytest.raises(InputValueError, match=r"has no 'z'; it holds x \(9 × 2, float32\), y .*labels \(9, int64\)"):
        open_rows(f"{path}::z", "X")
    with pytest.raises(InputTypeError, match="pickled Python objects, which are never loaded"):
        open_rows(f"{path}::objects", "X")
    np.savez(path, x=np.ones((3, 2), dtype=int))
    with pytest.raises(InputTypeError, match="holds int64"):
        open_rows(f"{path}::x", "X")


def test_members_are_listed_in_words(tmp_path):
    """No NumPy or Arrow jargon, no size that is not known, and categories under the name they are read by."""
    pa, h5py = pytest.importorskip("pyarrow"), pytest.importorskip("h5py")
    from pyarrow import parquet

    x, names = row_files.matrix(3, 2, "float32"), np.array(["a", "b", "a"])
    parquet.write_table(pa.table({"x": list(x), "y": list(x), "class": names}), tmp_path / "x.parquet")
    np.savez(tmp_path / "x.npz", names=names)
    with h5py.File(tmp_path / "x.h5ad", "w") as h5:
        h5["obs/type/codes"], h5["obs/type/categories"] = np.zeros(3, np.int8), ["a", "b"]
        h5["obs/names"] = names.tolist()
    for file, listed in (
        ("x.parquet", "it holds x (lists of float), y (lists of float), class (string)."),
        ("x.npz", "it holds names (3, strings)."),
        ("x.h5ad", "it holds obs/names (3, strings), obs/type (3, categories)."),
    ):
        for read in (lambda spec: open_rows(spec, "X"), read_labels):
            with pytest.raises(InputValueError, match=re.escape(listed)):
                read(f"{tmp_path / file}::z")


def test_what_is_a_row_file(tmp_path):
    assert is_row_file("x.npy")
    assert is_row_file("x.h5ad::obsm/X_pca")
    assert is_row_file(tmp_path)
    assert not is_row_file("labels.csv")


def test_without_the_package_of_a_format(tmp_path, monkeypatch):
    for suffix, package in ((".parquet", "pyarrow"), (".arrow", "pyarrow"), (".h5", "h5py"), (".zarr", "zarr")):
        path = tmp_path / f"x{suffix}"
        if suffix == ".zarr":
            path.mkdir()
            (path / "zarr.json").write_text("{}")
        else:
            path.write_bytes(b"1")
        for module in [package, *(m for m in sys.modules if m.startswith(f"{package}."))]:
            monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(ImportError, match=rf'needs {package}: pip install "crossphase\[formats\]"'):
            open_rows(path, "X")


def test_a_path_may_have_colons_in_it(tmp_path):
    path = tmp_path / "a::b.npy"
    np.save(path, np.ones((2, 2)))
    assert open_rows(path, "X").n_samples == 2
