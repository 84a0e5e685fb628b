"""Files made to mislead: each one gets a sentence that names it, and none more memory than an honest file of its size.

Every case is a function that writes one file (or store, or directory) and returns what to open, beside the sentence that
is expected. Most of them lie about sizes; some would run code or read other files if they were believed.
"""

import gzip
import itertools
import json
import os
import pickle
import re
import shutil
import struct
import sys
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import row_files
from crossphase.errors import InputTypeError, InputValueError
from crossphase.sources import open_rows

MOST_BYTES = 64 << 20
HOSTILE = {}


def hostile(sentence, *packages):
    def register(write):
        HOSTILE[write.__name__] = (write, sentence, packages)
        return write

    return register


def npy_header(shape, dtype="<f8", *, fortran=False, version=(1, 0), text=None):
    if text is None:
        text = repr({"descr": dtype, "fortran_order": fortran, "shape": shape})
    content = text.encode("latin1") + b"\n"
    return b"\x93NUMPY" + bytes(version) + struct.pack("<H" if version == (1, 0) else "<I", len(content)) + content


class Touch:
    """What pickle would run."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


# ---- .npy


@hostile(r"is empty \(0 bytes\)")
def npy_of_no_bytes(folder):
    (folder / "x.npy").touch()
    return folder / "x.npy"


@hostile(
    r"is not whole: its header says \(10, 4\) of float64, which takes \d+ bytes; the file has \d+, which end in row 9"
)
def npy_truncated_by_a_byte(folder):
    path = row_files.npy(folder / "x", row_files.matrix(10, 4, "float64"))
    os.truncate(path, path.stat().st_size - 1)
    return path


@hostile("is not a whole .npy file")
def npy_truncated_in_the_header(folder):
    path = row_files.npy(folder / "x", row_files.matrix(10, 4, "float64"))
    os.truncate(path, 40)
    return path


@hostile("is not whole")
def npy_of_a_petabyte(folder):
    (folder / "x.npy").write_bytes(npy_header((10**9, 10**6)))
    return folder / "x.npy"


@hostile("is not whole")
def npy_whose_size_overflows_64_bits(folder):
    (folder / "x.npy").write_bytes(npy_header((2**62, 2**3)))
    return folder / "x.npy"


@hostile("is not whole")
def npy_whose_fortran_order_overflows_64_bits(folder):
    (folder / "x.npy").write_bytes(npy_header((2**61, 2**4), fortran=True) + bytes(512))
    return folder / "x.npy"


@hostile(r"is not a whole .npy file \(its header says shape \(-4, -4\)\)")
def npy_of_negative_sizes(folder):
    (folder / "x.npy").write_bytes(npy_header((-4, -4)) + bytes(128))
    return folder / "x.npy"


@hostile("is not a whole .npy file")
def npy_of_true_rows(folder):
    (folder / "x.npy").write_bytes(npy_header((True, 4)) + bytes(128))
    return folder / "x.npy"


@hostile(r"is empty: .* has shape \(0, 4\)")
def npy_of_no_rows(folder):
    return row_files.npy(folder / "x", np.empty((0, 4)))


@hostile(r"must have shape \(n_samples, n_features\)")
def npy_of_three_axes(folder):
    return row_files.npy(folder / "x", np.empty((2, 3, 4)))


@hostile("pickled Python objects, which are never loaded")
def npy_of_pickled_objects(folder):
    path = folder / "x.npy"
    np.save(path, np.array([[Touch(folder / "exploded")]], dtype=object), allow_pickle=True)
    return path


@hostile("it does not begin like one")
def npy_that_is_a_pickle(folder):
    (folder / "x.npy").write_bytes(pickle.dumps(Touch(folder / "exploded")))
    return folder / "x.npy"


@hostile("is not a whole .npy file")
def npy_whose_header_is_code(folder):
    code = f"__import__('os').mkdir({str(folder / 'exploded')!r})"
    (folder / "x.npy").write_bytes(npy_header(None, text=code) + bytes(64))
    return folder / "x.npy"


@hostile("is not a whole .npy file")
def npy_whose_header_is_deeply_nested(folder):
    (folder / "x.npy").write_bytes(npy_header(None, text="(" * 9000, version=(2, 0)) + bytes(64))
    return folder / "x.npy"


@hostile("is not a whole .npy file")
def npy_whose_header_claims_four_gigabytes(folder):
    (folder / "x.npy").write_bytes(b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + bytes(100))
    return folder / "x.npy"


@hostile("holds int64. Save it as")
def npy_of_integers(folder):
    return row_files.npy(folder / "x", np.ones((3, 4), dtype=np.int64))


@hostile("Save real and imaginary parts")
def npy_of_complex_numbers(folder):
    return row_files.npy(folder / "x", np.ones((3, 4), dtype=np.complex128))


@hostile("is a pipe or a device")
def a_pipe(folder):
    os.mkfifo(folder / "x.npy")
    return folder / "x.npy"


@hostile("is a pipe or a device")
def a_device(folder):
    (folder / "x.npy").symlink_to("/dev/zero")
    return folder / "x.npy"


# ---- .npz


def deflated_npz(folder, header, content, *, method=zipfile.ZIP_DEFLATED):
    path = folder / "x.npz"
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x.npy", header + content)
    return path


def with_sizes(path, compressed=None, uncompressed=None):
    """Overwrite the sizes that the central directory claims for the only member."""
    content = bytearray(path.read_bytes())
    entry = content.rindex(b"PK\x01\x02")
    if compressed is not None:
        content[entry + 20 : entry + 24] = struct.pack("<I", compressed)
    if uncompressed is not None:
        content[entry + 24 : entry + 28] = struct.pack("<I", uncompressed)
    path.write_bytes(content)
    return path


@hostile("is not a whole .npz file")
def npz_truncated(folder):
    path = row_files.npz(folder / "x", row_files.matrix(100, 4, "float64"))
    os.truncate(path, path.stat().st_size // 2)
    return path


@hostile(r"its header says \(1000000000, 1000000\) of float64")
def npz_of_a_petabyte(folder):
    return deflated_npz(folder, npy_header((10**9, 10**6)), bytes(1000))


@hostile(r"claims 4000000000 bytes in \d+ of a file of \d+, which cannot be")
def npz_that_claims_more_than_deflate_can_hold(folder):
    return with_sizes(deflated_npz(folder, npy_header((10**6, 500)), bytes(1000)), uncompressed=4_000_000_000)


@hostile("which cannot be")
def npz_of_a_stored_member_larger_than_the_file(folder):
    path = deflated_npz(folder, npy_header((100, 500)), bytes(1000), method=zipfile.ZIP_STORED)
    return with_sizes(path, compressed=400_000, uncompressed=400_000)


@hostile(r"is not a whole \.npz file \(Bad CRC-32")
def npz_bomb_with_one_true_layer(folder):
    """The directory is right about 32 MB; the deflated bytes inside end early."""
    path = deflated_npz(folder, npy_header((1000, 4)), bytes(32_000))
    content = bytearray(path.read_bytes())
    start = 30 + len("x.npy")
    content[start + 60 : start + 80] = bytes(20)
    path.write_bytes(content)
    return path


@hostile(r"is damaged; reading rows .* \(Bad CRC-32")
def npz_with_the_sum_of_other_bytes(folder):
    path = row_files.npz_deflated(folder / "x", row_files.matrix(50_000, 4, "float64"))
    content = bytearray(path.read_bytes())
    content[content.rindex(b"PK\x01\x02") + 16] ^= 1
    path.write_bytes(content)
    return path


@hostile("is encrypted, or not stored or deflated")
def npz_of_another_compression(folder):
    return deflated_npz(folder, npy_header((10, 4)), bytes(320), method=zipfile.ZIP_LZMA)


@hostile("has no matrix of floating-point numbers")
def npz_without_arrays(folder):
    path = folder / "x.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "nothing")
    return path


# ---- safetensors


def safetensors(folder, header, content=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = folder / "x.safetensors"
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + content)
    return path


def tensor(shape=(2, 3), offsets=(0, 24), dtype="F32"):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@hostile("its header would take 18446744073709551615 bytes")
def safetensors_header_of_all_memory(folder):
    return safetensors(folder, {"x": tensor()}, bytes(24), length=2**64 - 1)


@hostile("its header would take 99 bytes; the file has")
def safetensors_header_beyond_the_file(folder):
    return safetensors(folder, b"{}", length=99)


@hostile("its tensors end at byte .*; the file has")
def safetensors_truncated(folder):
    return safetensors(folder, {"x": tensor()}, bytes(23))


@hostile("its tensors end at byte .*; the file has")
def safetensors_with_bytes_behind(folder):
    return safetensors(folder, {"x": tensor()}, bytes(25))


@hostile("it should begin at .* and take 24 bytes")
def safetensors_with_a_hole(folder):
    return safetensors(folder, {"x": tensor(offsets=(8, 32))}, bytes(32))


@hostile("it should begin at")
def safetensors_that_overlap(folder):
    return safetensors(folder, {"x": tensor(), "y": tensor(offsets=(12, 36))}, bytes(36))


@hostile("and take 24 bytes")
def safetensors_of_another_size_than_its_shape(folder):
    return safetensors(folder, {"x": tensor(offsets=(0, 20))}, bytes(20))


@hostile("and take 295147905179352825856 bytes")
def safetensors_whose_size_overflows_64_bits(folder):
    return safetensors(folder, {"x": tensor(shape=(2**33, 2**33), offsets=(0, 0))})


@hostile("a name is there twice")
def safetensors_with_a_name_twice(folder):
    entry = json.dumps(tensor())
    return safetensors(folder, f'{{"x": {entry}, "x": {entry}}}'.encode(), bytes(24))


@hostile("its header cannot be read: RecursionError")
def safetensors_deeply_nested(folder):
    return safetensors(folder, b'{"x":' + b"[" * 100_000)


@hostile("must be integers of at least 0")
def safetensors_of_negative_offsets(folder):
    return safetensors(folder, {"x": tensor(offsets=(-24, 0))})


@hostile("its header cannot be read")
def safetensors_that_is_a_list(folder):
    return safetensors(folder, [1, 2])


# ---- parquet and Arrow


def parquet(folder, **options):
    import pyarrow.parquet as pq

    table = row_files._arrow_table(row_files.matrix(2000, 8, "float32"), "lists")
    pq.write_table(table, folder / "x.parquet", **options)
    return folder / "x.parquet"


@hostile("is not a whole parquet file", "pyarrow")
def parquet_truncated(folder):
    path = parquet(folder)
    os.truncate(path, path.stat().st_size - 100)
    return path


@hostile("is not a whole parquet file", "pyarrow")
def parquet_whose_footer_claims_two_gigabytes(folder):
    path = parquet(folder)
    content = bytearray(path.read_bytes())
    content[-8:-4] = struct.pack("<I", 2**31 - 1)
    path.write_bytes(content)
    return path


@hostile("is damaged", "pyarrow")
def parquet_of_zeroed_pages(folder):
    path = parquet(folder, use_dictionary=False, compression="zstd", row_group_size=500)
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) * 3 // 4] = bytes(len(content) * 3 // 4 - len(content) // 2)
    path.write_bytes(content)
    return path


@hostile("is empty", "pyarrow")
def parquet_of_no_rows(folder):
    import pyarrow.parquet as pq

    table = row_files._arrow_table(row_files.matrix(5, 8, "float32"), "fixed")
    pq.write_table(table.slice(0, 0), folder / "x.parquet")
    return folder / "x.parquet"


@hostile("has 3 features; the first row has 2", "pyarrow")
def parquet_of_ragged_rows(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"rows": [[1.0, 2.0]] * 5 + [[1.0, 2.0, 3.0]]}), folder / "x.parquet")
    return folder / "x.parquet"


@hostile("floating-point numbers only, or one column of lists of them; it has 1 such columns beside rows", "pyarrow")
def parquet_of_strings(folder):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"rows": ["a", "b"], "score": [1.0, 2.0]}), folder / "x.parquet")
    return folder / "x.parquet"


@hostile("is not a whole Arrow file", "pyarrow")
def arrow_truncated(folder):
    path = row_files._arrow("fixed")(folder / "x", row_files.matrix(200, 8, "float32"))
    os.truncate(path, path.stat().st_size // 2)
    return path


@hostile("is not a whole Arrow file", "pyarrow")
def arrow_stream_truncated(folder):
    path = row_files._arrow("fixed", is_stream=True)(folder / "x", row_files.matrix(200, 8, "float32"))
    os.truncate(path, path.stat().st_size - 300)
    return path


@hostile("is not a whole Arrow file", "pyarrow")
def arrow_whose_footer_claims_two_gigabytes(folder):
    path = row_files._arrow("fixed")(folder / "x", row_files.matrix(200, 8, "float32"))
    content = bytearray(path.read_bytes())
    content[-10:-6] = struct.pack("<i", 2**31 - 1)
    path.write_bytes(content)
    return path


@hostile("is not a whole Arrow file", "pyarrow")
def arrow_of_noise(folder):
    (folder / "x.arrow").write_bytes(np.random.default_rng(0).bytes(5000))
    return folder / "x.arrow"


@hostile("is not a whole Arrow file", "pyarrow")
def arrow_whose_compressed_sizes_lie(folder):
    """Each compressed buffer begins with its size as eight bytes; all of them claim an exabyte."""
    path = row_files._arrow("fixed", compression="zstd")(folder / "x", row_files.matrix(200, 8, "float32"))
    content = path.read_bytes().replace(struct.pack("<q", 23 * 32), struct.pack("<q", 2**60))
    assert content != path.read_bytes()
    path.write_bytes(content)
    return path


# ---- HDF5


def hdf5(folder, **options):
    import h5py

    path = folder / "x.h5"
    with h5py.File(path, "w") as h5:
        h5.create_dataset("rows", **options)
    return path


@hostile("is not a whole HDF5 file", "h5py")
def hdf5_truncated(folder):
    path = hdf5(folder, data=row_files.matrix(2000, 8, "float32"))
    os.truncate(path, path.stat().st_size // 2)
    return path


@hostile("is not a whole HDF5 file", "h5py")
def hdf5_of_noise(folder):
    (folder / "x.h5").write_bytes(np.random.default_rng(0).bytes(5000))
    return folder / "x.h5"


@hostile(r"is not whole: its shape \(1000000000, 1000\) takes 4000000000000 bytes; 0 were written", "h5py")
def hdf5_of_terabytes_never_written(folder):
    return hdf5(folder, shape=(10**9, 1000), dtype="f4")


@hostile("is not whole: 1 of its 1000000 chunks are there", "h5py")
def hdf5_of_chunks_never_written(folder):
    import h5py

    path = hdf5(folder, shape=(10**9, 10), dtype="f4", chunks=(1000, 10))
    with h5py.File(path, "a") as h5:
        h5["rows"][0] = 1
    return path


@hostile("takes 400000000 bytes of memory; at most", "h5py")
def hdf5_bomb_in_one_chunk(folder):
    """400 MB of zeros would come out of a few hundred bytes; here the chunk is 12 bytes of them, since writing takes memory."""
    import h5py

    path = hdf5(folder, shape=(10**6, 100), dtype="f4", chunks=(10**6, 100), compression="gzip")
    with h5py.File(path, "a") as h5:
        h5["rows"].id.write_direct_chunk((0, 0), gzip.zlib.compress(bytes(1000)))
    return path


@hostile("is damaged|is not a whole HDF5 file", "h5py")
def hdf5_of_short_deflated_chunks(folder):
    import h5py

    path = hdf5(folder, shape=(1000, 10), dtype="f4", chunks=(500, 10), compression="gzip")
    with h5py.File(path, "a") as h5:
        h5["rows"].id.write_direct_chunk((0, 0), b"not deflated")
        h5["rows"].id.write_direct_chunk((500, 0), b"not deflated")
    return path


@hostile("is a link to another file, .*secret.h5, which is not followed", "h5py")
def hdf5_link_to_another_file(folder):
    import h5py

    with h5py.File(folder / "secret.h5", "w") as h5:
        h5["rows"] = np.ones((3, 3))
    with h5py.File(folder / "x.h5", "w") as h5:
        h5["rows"] = h5py.ExternalLink(folder / "secret.h5", "/rows")
    return f"{folder}/x.h5::rows"


@hostile("is a link to another file", "h5py")
def hdf5_sparse_values_behind_a_link_to_another_file(folder):
    """One that begins at the file's root, where the group has a part of that name too."""
    import h5py

    with h5py.File(folder / "secret.h5", "w") as h5:
        h5["values"] = np.full(6, 7.0)
    with h5py.File(folder / "x.h5", "w") as h5:
        group = h5.create_group("X")
        group.attrs["encoding-type"], group.attrs["shape"] = "csr_matrix", (3, 2)
        group["indptr"], group["indices"], group["values"] = [0, 2, 4, 6], [0, 1] * 3, np.zeros(6)
        group["data"] = h5py.SoftLink("/values")
        h5["values"] = h5py.ExternalLink(folder / "secret.h5", "/values")
    return f"{folder / 'x.h5'}::X"


@hostile("is a link to a link without end", "h5py")
def hdf5_link_to_itself(folder):
    import h5py

    with h5py.File(folder / "x.h5", "w") as h5:
        h5["rows"] = h5py.SoftLink("/rows")
    return f"{folder}/x.h5::rows"


@hostile("has no matrix of floating-point numbers", "h5py")
def hdf5_groups_in_a_circle(folder):
    import h5py

    with h5py.File(folder / "x.h5", "w") as h5:
        group = h5.create_group("a")
        group["a"] = group
    return folder / "x.h5"


@hostile("keeps its values in other files, which are not opened", "h5py")
def hdf5_values_in_another_file(folder):
    (folder / "secret").write_bytes(bytes(1000))
    return hdf5(folder, shape=(10, 10), dtype="f8", external=[(str(folder / "secret"), 0, 800)])


@hostile("keeps its values in other files, which are not opened", "h5py")
def hdf5_virtual_dataset(folder):
    import h5py

    source = hdf5(folder, data=np.ones((3, 3)))
    layout = h5py.VirtualLayout((3, 3), "f8")
    layout[:] = h5py.VirtualSource(source, "rows", (3, 3))
    with h5py.File(folder / "v.h5", "w") as h5:
        h5.create_virtual_dataset("rows", layout)
    return folder / "v.h5"


@hostile("which are never loaded|holds object", "h5py")
def hdf5_of_strings(folder):
    import h5py

    return f"{hdf5(folder, shape=(2, 2), data=[['a', 'b'], ['c', 'd']], dtype=h5py.string_dtype())}::rows"


def csr(folder, *, n_rows=100, indptr=None, indices=None):
    import h5py

    path = folder / "x.h5ad"
    with h5py.File(path, "w") as h5:
        group = h5.create_group("X")
        group.attrs["encoding-type"] = "csr_matrix"
        group.attrs["shape"] = (n_rows, 5)
        group["indptr"] = np.arange(101) * 2 if indptr is None else indptr
        group["indices"] = np.tile([1, 3], 100) if indices is None else indices
        group["data"] = np.ones(200, dtype=np.float32)
    return path


@hostile("shape \\(1000000000000, 5\\), 101 row bounds", "h5py")
def csr_of_a_trillion_rows(folder):
    return csr(folder, n_rows=10**12)


@hostile("its indptr is wrong in rows 0 to 100", "h5py")
def csr_whose_bounds_run_backwards(folder):
    indptr = np.arange(101) * 2
    indptr[50] = 10**15
    return csr(folder, indptr=indptr)


@hostile("a column index in rows 0 to 100 is not within 0 to 4", "h5py")
def csr_whose_indices_point_outside(folder):
    indices = np.tile([1, 3], 100)
    indices[77] = 10**9
    return csr(folder, indices=indices)


@hostile("a column index in rows 0 to 100 is not within 0 to 4", "h5py")
def csr_whose_indices_are_negative(folder):
    indices = np.tile([1, 3], 100)
    indices[77] = -1
    return csr(folder, indices=indices)


# ---- zarr


def zarr_array(folder, version=2, **changes):
    """A small array, whose metadata are then changed."""
    import zarr

    path = folder / "x.zarr"
    array = zarr.create_array(path, shape=(100, 5), chunks=(50, 5), dtype="f4", zarr_format=version, compressors=None)
    array[:] = np.ones((100, 5), dtype="f4")
    metadata = path / (".zarray" if version == 2 else "zarr.json")
    metadata.write_text(json.dumps({**json.loads(metadata.read_text()), **changes}))
    return path


@hostile("is not whole: 2 of its 20000000 chunks are there", "zarr")
def zarr_of_a_billion_rows(folder):
    return zarr_array(folder, shape=[10**9, 5])


@hostile("is not whole: 1 of its 2 chunks are there", "zarr")
def zarr_without_a_chunk(folder):
    path = zarr_array(folder, version=3)
    shutil.rmtree(path / "c" / "1")
    return path


@hostile("is not whole: 1 of its 2 chunks are there", "zarr")
def zarr_with_a_stranger_for_a_chunk(folder):
    path = zarr_array(folder)
    (path / "1.0").rename(path / "1.0.partial")
    return path


@hostile("takes 20000000000 bytes of memory; at most", "zarr")
def zarr_bomb_in_one_chunk(folder):
    return zarr_array(folder, chunks=[10**9, 5])


@hostile("is damaged", "zarr")
def zarr_of_a_short_chunk(folder):
    path = zarr_array(folder)
    (path / "1.0").write_bytes(b"1234")
    return path


@hostile("needs the codec 'quantize', which is not run", "zarr")
def zarr_of_a_codec_that_is_not_on_the_list(folder):
    return zarr_array(folder, filters=[{"id": "quantize", "digits": 3, "dtype": "<f4"}])


@hostile("needs the codec 'pickle', which is not run|object_codec_id': 'pickle'", "zarr")  # by us or by zarr itself
def zarr_whose_chunks_are_pickled(folder):
    path = zarr_array(folder, compressor={"id": "pickle", "protocol": 4})
    for chunk in ("0.0", "1.0"):
        (path / chunk).write_bytes(pickle.dumps(Touch(folder / "exploded")))
    return path


@hostile("is not a whole zarr store", "zarr")
def zarr_of_broken_metadata(folder):
    path = zarr_array(folder)
    (path / ".zarray").write_text("{" * 1000)
    return path


@hostile("is not a whole zarr store|is damaged", "zarr")
def zarr_of_chunks_without_a_size(folder):
    return zarr_array(folder, chunks=[0, 5])


# ---- directories


@hostile("is a directory without row files")
def directory_of_nothing(folder):
    (folder / "x").mkdir()
    (folder / "x" / "README.md").write_text("Nothing here.")
    return folder / "x"


@hostile(r"must hold files of one format; a\.npy and b\.npz differ")
def directory_of_two_formats(folder):
    row_files.npy(folder / "a", np.ones((2, 2)))
    row_files.npz(folder / "b", np.ones((2, 2)))
    return folder


@hostile(r"must hold row files only .*; x_1\.npy\.part is none. Is it half written")
def directory_with_a_half_copied_shard(folder):
    row_files.npy(folder / "x_0", np.ones((2, 2)))
    (folder / "x_1.npy.part").write_bytes(b"\x93NUMPY")
    return folder


@hostile(r"the same number of columns; .*x_2\.npy has 3, .*x_10\.npy has 4")
def directory_of_two_widths(folder):
    row_files.npy(folder / "x_10", np.ones((2, 4)))
    row_files.npy(folder / "x_2", np.ones((2, 3)))
    return folder


@hostile(r"the same dtype; .*x_0\.npy holds float32, .*x_1\.npy bfloat16")
def directory_of_two_dtypes(folder):
    row_files.npy(folder / "x_0", row_files.matrix(2, 3, "float32"))
    row_files.npy(folder / "x_1", row_files.matrix(2, 3, "bfloat16"))
    return folder


@hostile(r"x_1\.npy is not whole")
def directory_with_a_truncated_shard(folder):
    row_files.npy(folder / "x_0", row_files.matrix(20, 3, "float32"))
    path = row_files.npy(folder / "x_1", row_files.matrix(20, 3, "float32"))
    os.truncate(path, path.stat().st_size - 4)
    return folder


@hostile(r"x_1\.npy has shape \(0, 3\)")
def directory_with_an_empty_shard(folder):
    row_files.npy(folder / "x_0", row_files.matrix(20, 3, "float32"))
    row_files.npy(folder / "x_1", np.empty((0, 3), dtype=np.float32))
    return folder


# ----


def read_some(spec):
    """Open and read what a pass over the rows would read first and last."""
    source = open_rows(spec, "X")
    for first in itertools.islice(range(0, source.n_samples, 1000), 5):
        source.read(first, min(first + 1000, source.n_samples))
    source.read(source.n_samples - 1, source.n_samples)


def peak_bytes():
    """Most memory that the process held since the peak was reset, as Linux counts it."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_files_get_a_sentence_and_no_memory(case, tmp_path):
    write, sentence, packages = HOSTILE[case]
    for package in packages:
        pytest.importorskip(package)
    spec = write(tmp_path)
    if sys.platform == "linux":
        Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew at what is held now
        before = peak_bytes()
    tracemalloc.start()
    try:
        with pytest.raises((InputValueError, InputTypeError), match=sentence) as caught:
            read_some(spec)
        assert tracemalloc.get_traced_memory()[1] < MOST_BYTES
    finally:
        tracemalloc.stop()
    if sys.platform == "linux":
        assert peak_bytes() - before < MOST_BYTES
    assert str(caught.value).startswith("X")
    assert str(tmp_path) in str(caught.value)
    assert len(str(caught.value)) < 1500
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", row_files.WRITERS)
def test_a_file_that_shrinks_while_it_is_read(name, tmp_path):
    """The rows that are gone are missed; those that an honest copy would give are never made up."""
    values = row_files.matrix(5000, 5, "float32")
    spec = row_files.WRITERS[name](tmp_path / "x", values)
    source = open_rows(spec, "X")
    source.read(0, 10)
    path = Path(str(spec).partition("::")[0])
    files = [path] if path.is_file() else [f for f in path.rglob("*") if f.is_file() and "labels" not in f.parts]
    largest = max(files, key=lambda file: file.stat().st_size)
    os.truncate(largest, largest.stat().st_size // 3)
    with pytest.raises(InputValueError, match=r"X: .*(has changed since|is damaged)"):
        source.read(0, 5000)


@pytest.mark.parametrize("name", ["npy", "npz", "npz_deflated", "safetensors"])
@pytest.mark.parametrize("seed", range(60))
def test_flipped_bytes_never_crash(name, seed, tmp_path):
    """A flipped byte is found out, or changes values; it never changes how much is read."""
    path = row_files.WRITERS[name](tmp_path / "x", row_files.matrix(40, 3, "float32"))
    content = bytearray(path.read_bytes())
    rng = np.random.default_rng(seed)
    for position in rng.integers(len(content), size=3):
        content[position] = rng.integers(256)
    path.write_bytes(content)
    try:
        source = open_rows(path, "X")
        rows = source.read(0, source.n_samples)
    except (InputValueError, InputTypeError) as error:
        assert str(path) in str(error)  # noqa: PT017  (either outcome is right)
    else:
        assert rows.nbytes <= 2 * 40 * 3 * 4  # float32 may be read as float64 of fewer numbers, not as more bytes
