"""Files become arrays, or a sentence."""

import contextlib
import os
import re

import numpy as np
import pytest

import row_files
from crossphase.errors import InputTypeError, InputValueError
from crossphase.readers import read_column, read_label_files, read_labels, read_samples


@pytest.fixture
def matrix(tmp_path):
    path = tmp_path / "x.npy"
    np.save(path, np.arange(12.0).reshape(4, 3))
    return path


def test_samples_are_mapped_not_loaded(matrix):
    values = read_samples(matrix, "X")
    assert isinstance(values.base, np.memmap) or isinstance(values, np.memmap)
    np.testing.assert_array_equal(values, np.arange(12.0).reshape(4, 3))
    with pytest.raises(ValueError, match="read-only"):
        values[0, 0] = 1


def test_missing_and_directory(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"X: no such file: .*nothing\.npy"):
        read_samples(tmp_path / "nothing.npy", "X")
    with pytest.raises(InputValueError, match=r"X: .* is a directory without row files"):
        read_samples(tmp_path, "X")
    with pytest.raises(IsADirectoryError, match="labels must be a file"):
        read_labels(tmp_path)


def test_pickled_objects_are_refused_unopened(tmp_path):
    class Bomb:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "exploded"),)

    path = tmp_path / "x.npy"
    np.save(path, np.array([Bomb()], dtype=object), allow_pickle=True)
    with pytest.raises(InputTypeError, match="pickled Python objects, which are never loaded"):
        read_samples(path, "X")
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("kept", [0, 1, 5, 9, 40, 127, 128, 129, 200])
def test_truncated_files(matrix, kept):
    content = matrix.read_bytes()
    matrix.write_bytes(content[:kept])
    with pytest.raises(InputValueError, match=r"X: .*x\.npy is (empty|not a whole \.npy file)"):
        read_samples(matrix, "X")


@pytest.mark.parametrize("seed", range(200))
def test_damaged_headers_never_crash(matrix, seed):
    content = bytearray(matrix.read_bytes())
    rng = np.random.default_rng(seed)
    for position in rng.integers(0, 128, size=3):
        content[position] = rng.integers(256)
    matrix.write_bytes(content)
    with contextlib.suppress(InputValueError, InputTypeError):
        assert read_samples(matrix, "X").nbytes <= len(content)  # a header that lies about the size is found out


def test_lying_header_allocates_nothing(tmp_path):
    path = tmp_path / "x.npy"
    with path.open("wb") as stream:
        np.lib.format.write_array_header_1_0(stream, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**6)})
    with pytest.raises(InputValueError, match=r"not a whole \.npy file"):
        read_samples(path, "X")


def test_samples_of_another_kind_of_file(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text("1,2")
    with pytest.raises(InputValueError, match=re.escape("X must be a file of rows (.npy, .npz, ")):
        read_samples(path, "X")


@pytest.mark.parametrize("dtype", row_files.DTYPES)
def test_samples_of_any_format_are_read_whole(tmp_path, dtype):
    values = row_files.matrix(40, 3, dtype)
    for name in ("npz", "npz_deflated", "safetensors", "directory_npy"):
        folder = tmp_path / name
        folder.mkdir()
        read = read_samples(row_files.WRITERS[name](folder / "x", values), "X")
        assert read.dtype == values.dtype
        assert read.tobytes() == values.tobytes()


def test_labels_of_containers(tmp_path):
    pa = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    species, age = ["oak", "elm", None, "oak"], [1.5, 2.0, 3.0, 4.5]
    columns = {
        "species": pa.array(species).dictionary_encode(),
        "age": pa.array(age),
        "count": pa.array([1, None, 3, 4]),
        "embedding": pa.array([[1.0, 2.0]] * 4),
    }
    parquet.write_table(pa.table(columns), tmp_path / "t.parquet")
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_file(sink, pa.table(columns).schema) as writer:
        writer.write_table(pa.table(columns))
    for suffix in ("parquet", "arrow"):
        labels = read_labels(tmp_path / f"t.{suffix}")
        assert {name: values.tolist() for name, values in labels.items()} == {
            "species": species,
            "age": age,
            "count": [1, None, 3, 4],
        }
        assert read_labels(f"{tmp_path}/t.{suffix}::age").tolist() == age
        with pytest.raises(InputValueError, match=r"labels: .* has no 'ages'; it holds species"):
            read_labels(f"{tmp_path}/t.{suffix}::ages")
        with pytest.raises(InputTypeError, match=r"column 'embedding' of .* must hold numbers or strings"):
            read_labels(f"{tmp_path}/t.{suffix}::embedding")
    assert list(read_label_files([f"{tmp_path}/t.parquet::age"])) == ["age"]
    with pytest.raises(InputValueError, match=r"groups: .* must have one column; got 3: species, age, count"):
        read_column(tmp_path / "t.parquet", "groups")


def test_labels_of_archives(tmp_path):
    np.savez(tmp_path / "a.npz", x=np.ones((3, 2)), names=np.array(["a", "b", "c"]))
    assert read_column(f"{tmp_path}/a.npz::names", "ids").tolist() == ["a", "b", "c"]
    with pytest.raises(
        InputValueError, match=r"labels: name one array as a\.npz::NAME; .* x \(3 × 2, float64\), names"
    ):
        read_labels(tmp_path / "a.npz")
    path = row_files.safetensors(tmp_path / "s", np.ones((3, 2)))
    assert read_labels(f"{path}::labels").tolist() == [0, 1, 2]
    zarr = pytest.importorskip("zarr")
    zarr.open_group(tmp_path / "z.zarr", mode="w").create_array("ids", data=np.arange(5))
    assert read_column(tmp_path / "z.zarr", "ids").tolist() == [0, 1, 2, 3, 4]


def test_columns_of_cells(tmp_path):
    """Categorical, nullable, string and number columns of AnnData tables."""
    anndata = pytest.importorskip("anndata")
    import pandas as pd

    obs = pd.DataFrame(
        {
            "cell_type": pd.Categorical(["T", "B", None, "T"]),
            "donor": ["d1", "d2", "d2", "d1"],
            "age": pd.array([30, None, 50, 60], dtype="Int64"),
            "score": [0.5, 1.5, 2.5, 3.5],
        },
        index=["a", "b", "c", "d"],
    )
    path = tmp_path / "cells.h5ad"
    anndata.AnnData(X=np.ones((4, 2), dtype=np.float32), obs=obs).write_h5ad(path)
    expected = {"cell_type": ["T", "B", None, "T"], "donor": ["d1", "d2", "d2", "d1"], "age": [30, None, 50, 60]}
    for column, values in {**expected, "score": [0.5, 1.5, 2.5, 3.5]}.items():
        assert read_labels(f"{path}::obs/{column}").tolist() == values
    with pytest.raises(InputValueError, match="has no 'obs/cell'"):
        read_labels(f"{path}::obs/cell")
    with pytest.raises(InputValueError, match=r"obs is a group of"):
        read_labels(f"{path}::obs")


def test_label_table(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("species,age,count\noak,1.5,3\nelm,2.5,4\n", encoding="utf-8")
    labels = read_labels(path)
    assert {name: values.dtype.kind for name, values in labels.items()} == {"species": "U", "age": "f", "count": "i"}
    np.testing.assert_array_equal(labels["age"], [1.5, 2.5])


@pytest.mark.parametrize("cells", [["01", "1", "2"], ["1_2", "12", "3"], ["1", "x", "2"]])
def test_names_that_look_like_numbers_stay_names(tmp_path, cells):
    path = tmp_path / "labels.csv"
    path.write_text("id\n" + "\n".join(cells) + "\n\n", encoding="utf-8")
    assert read_labels(path)["id"].tolist() == cells


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("species\n", "a line of column names and a line for each row; got 1"),
        ("a,b\n1\n", r"line 2 of .* has 1 cells; the first line has 2"),
        ("a,a\n1,2\n", "names a column twice"),
        ("a,b\noak,\nelm,\n", r"column 'b' of .* is empty in row 0"),
        ("", "is empty"),
        ("a;b\n1;2\n", "separate cells with commas"),
        (",a\n0,1\n", "column without a name"),
        ("a,b\n1,2\n\n2,3\n", "line 3 of .* has 0 cells"),
    ],
)
def test_label_tables_that_are_wrong(tmp_path, content, sentence):
    path = tmp_path / "labels.csv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InputValueError, match=sentence):
        read_labels(path)


def test_empty_cells_are_rows_without_a_label(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_text("species,age\noak,1.5\n,2\nelm,\n", encoding="utf-8")
    labels = read_labels(path)
    assert labels["species"].tolist() == ["oak", None, "elm"]
    assert labels["age"].tolist() == [1.5, 2.0, None]
    path.write_text("site\n1\n\n2\n", encoding="utf-8")
    assert read_labels(path)["site"].tolist() == [1, None, 2]  # classes still, not floats


def test_label_table_must_be_text(tmp_path):
    path = tmp_path / "labels.csv"
    path.write_bytes(b"a\n\xff\xfe\x00\n")
    with pytest.raises(InputValueError, match="not a UTF-8 table"):
        read_labels(path)


def test_several_label_files(tmp_path):
    np.save(tmp_path / "digit.npy", np.arange(3))
    (tmp_path / "more.csv").write_text("age\n1.5\n2\n3\n", encoding="utf-8")
    labels = read_label_files([tmp_path / "digit.npy", tmp_path / "more.csv"])
    assert list(labels) == ["digit", "more.age"]
    with pytest.raises(InputValueError, match="two files are named digit"):
        read_label_files([tmp_path / "digit.npy", tmp_path / "digit.npy"])


def test_columns_of_names_come_from_tables_and_arrays(tmp_path):
    (tmp_path / "donors.csv").write_text("donor\n01\n1\nb\n")
    (tmp_path / "counts.tsv").write_text("batch\n3\n1\n")
    np.save(tmp_path / "ids.npy", np.array(["a", "b"]))
    assert read_column(tmp_path / "donors.csv", "groups").tolist() == ["01", "1", "b"]
    assert read_column(tmp_path / "counts.tsv", "groups").tolist() == [3, 1]
    assert read_column(tmp_path / "ids.npy", "ids_x").tolist() == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("two.csv", "donor,batch\n1,2\n", r"groups: .*two\.csv must have one column; got 2: donor, batch"),
        ("gap.csv", "donor,\n1,\n", r"groups: .*gap\.csv has a column without a name"),
        ("hole.csv", 'donor\na\n""\n', r"groups: column 'donor' of .*hole\.csv is empty in row 1"),
        ("short.csv", "donor\n", r"groups: .*short\.csv must have a line of column names"),
        ("names.json", "[1]", r"groups must be a \.npy, \.csv, \.tsv or \.txt file"),
    ],
)
def test_columns_of_names_that_are_none(tmp_path, name, content, sentence):
    (tmp_path / name).write_text(content)
    with pytest.raises(InputValueError, match=sentence):
        read_column(tmp_path / name, "groups")
