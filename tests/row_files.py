"""Writers of one matrix in every format that `crossphase.sources` reads, for tests."""

import itertools

import numpy as np
import pytest

DTYPES = ("float16", "bfloat16", "float32", "float64")


def matrix(n_samples, n_features, dtype, seed=0):
    """A matrix of a dtype; bfloat16 as the two-byte void that numpy.load makes of one."""
    values = np.random.default_rng(seed).standard_normal((n_samples, n_features))
    if dtype == "bfloat16":
        return (values.astype(np.float32).view(np.uint32) >> 16).astype(np.uint16).view("V2")
    return values.astype(dtype)


def bits(values):
    """What a source hands out for a matrix: native byte order, bfloat16 as uint16."""
    return values.view(np.uint16) if values.dtype.kind == "V" else values.astype(values.dtype.newbyteorder("="))


def npy(path, values):
    np.save(path.with_suffix(".npy"), values)
    return path.with_suffix(".npy")


def npy_fortran(path, values):
    return npy(path, np.asfortranarray(values))


def npy_big_endian(path, values):
    return npy(path, values if values.dtype.kind == "V" else values.astype(values.dtype.newbyteorder(">")))


def npz(path, values):
    np.savez(path.with_suffix(".npz"), rows=values, labels=np.arange(len(values)))
    return path.with_suffix(".npz")


def npz_deflated(path, values):
    np.savez_compressed(path.with_suffix(".npz"), labels=np.arange(len(values)), rows=values)
    return path.with_suffix(".npz")


def npz_deflated_fortran(path, values):
    return npz_deflated(path, np.asfortranarray(values))


def safetensors(path, values, **others):
    """The format is simple enough to write by hand, so that the tests need no package for it."""
    import json

    names = {"V2": "BF16", "float16": "F16", "float32": "F32", "float64": "F64", "int64": "I64"}
    header, content = {"__metadata__": {"made_by": "a test"}}, b""
    for name, array in {"labels": np.arange(len(values)), "rows": values, **others}.items():
        dtype = names["V2" if array.dtype.kind == "V" else array.dtype.name]
        first, content = len(content), content + array.tobytes()
        header[name] = {"dtype": dtype, "shape": list(array.shape), "data_offsets": [first, len(content)]}
    text = json.dumps(header).encode()
    path = path.with_suffix(".safetensors")
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return path


def _arrow_table(values, kind):
    pa = pytest.importorskip("pyarrow")
    if values.dtype.kind == "V":
        pytest.skip("Arrow has no bfloat16")
    flat = pa.array(values.ravel())
    if kind == "fixed":
        columns = {"rows": pa.FixedSizeListArray.from_arrays(flat, values.shape[1])}
    elif kind == "lists":
        columns = {"rows": pa.ListArray.from_arrays(np.arange(0, values.size + 1, values.shape[1], dtype="i4"), flat)}
    else:
        return pa.table({f"feature_{j}": pa.array(values[:, j]) for j in range(values.shape[1])})
    return pa.table({"id": pa.array([f"row {i}" for i in range(len(values))]), **columns})


def _parquet(kind, **options):
    def write(path, values):
        pq = pytest.importorskip("pyarrow.parquet")
        table = _arrow_table(values, kind)
        path = path.with_suffix(".parquet")
        pq.write_table(table, path, row_group_size=37, **options)
        return path

    return write


def _arrow(kind, *, suffix=".arrow", compression=None, is_stream=False):
    def write(path, values):
        pa = pytest.importorskip("pyarrow")
        table = _arrow_table(values, kind)
        path = path.with_suffix(suffix)
        make = pa.ipc.new_stream if is_stream else pa.ipc.new_file
        options = pa.ipc.IpcWriteOptions(compression=compression)
        with pa.OSFile(str(path), "wb") as sink, make(sink, table.schema, options=options) as writer:
            writer.write_table(table.slice(0, 50), max_chunksize=23)
            writer.write_table(table.slice(50))
        return path

    return write


def _hdf5(**options):
    def write(path, values):
        h5py = pytest.importorskip("h5py")
        path = path.with_suffix(".h5")
        with h5py.File(path, "w") as h5:
            h5.create_dataset("group/rows", data=values, **options)
            h5["labels"] = np.arange(len(values))
        return path

    return write


def h5ad(path, values):
    anndata = pytest.importorskip("anndata")
    scipy_sparse = pytest.importorskip("scipy.sparse")
    if values.dtype not in (np.float32, np.float64):
        pytest.skip("SciPy's sparse matrices are float32 or float64")
    sparse = np.where(np.abs(values.astype(np.float64)) > 1, values, 0)
    cells = anndata.AnnData(X=scipy_sparse.csr_matrix(sparse), obsm={"X_pca": values})
    path = path.with_suffix(".h5ad")
    cells.write_h5ad(path)
    return f"{path}::obsm/X_pca"


def _zarr(version, **options):
    def write(path, values):
        zarr = pytest.importorskip("zarr")
        if values.dtype.kind == "V":
            pytest.skip("zarr stores no bfloat16")
        path = path.with_suffix(".zarr")
        root = zarr.open_group(path, mode="w", zarr_format=version)
        root.create_array("rows", data=values, **options)
        root.create_array("labels", data=np.arange(len(values)))
        return path

    return write


def _directory(write):
    def write_shards(path, values):
        path.mkdir()
        bounds = [0, 1, 30, 31, len(values)]
        for shard, (first, stop) in enumerate(itertools.pairwise(bounds)):
            write(path / f"part_{shard * 5}", values[first:stop])  # part_5 comes before part_10
        return path

    return write_shards


WRITERS = {
    "npy": npy,
    "npy_fortran": npy_fortran,
    "npy_big_endian": npy_big_endian,
    "npz": npz,
    "npz_deflated": npz_deflated,
    "npz_deflated_fortran": npz_deflated_fortran,
    "safetensors": safetensors,
    "parquet_fixed_size_lists": _parquet("fixed"),
    "parquet_lists": _parquet("lists", compression="zstd"),
    "parquet_columns": _parquet("columns", use_dictionary=False),
    "arrow_fixed_size_lists": _arrow("fixed"),
    "arrow_lists": _arrow("lists"),
    "arrow_columns": _arrow("columns"),
    "arrow_stream": _arrow("fixed", is_stream=True),
    "feather": _arrow("fixed", suffix=".feather", compression="lz4"),
    "arrow_stream_zstd": _arrow("lists", compression="zstd", is_stream=True),
    "hdf5": _hdf5(),
    "hdf5_chunked": _hdf5(chunks=(13, 2)),
    "hdf5_deflated": _hdf5(chunks=(40, 5), compression="gzip", shuffle=True),
    "h5ad": h5ad,
    "zarr_2": _zarr(2, chunks=(17, 3)),
    "zarr_3": _zarr(3, chunks=(17, 3)),
    "zarr_3_sharded": _zarr(3, chunks=(7, 5), shards=(28, 10)),
    "directory_npy": _directory(npy),
    "directory_safetensors": _directory(safetensors),
    "directory_parquet": _directory(_parquet("lists")),
}
