"""HDF5 files and AnnData's .h5ad: dense matrices, and CSR ones that become dense block by block.

Nothing outside the file is opened: external links, external storage and virtual datasets are refused. What was never
written is an error, not a fill value.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.sources.categories import decoded, with_gaps
from crossphase.sources.chunks import ChunkGrid
from crossphase.sources.forward_rows import PIECE_BYTES, ForwardRows
from crossphase.sources.members import Location, Member, choose_any, choose_rows, dtype_name
from crossphase.sources.optional import load
from crossphase.sources.plain_rows import PlainRows
from crossphase.sources.source import RowSource, check_shape, holds_floats, value_dtype
from crossphase.sources.watched_file import WatchedFile

_MOST_MEMBERS = 10_000
_MOST_SOFT_LINKS = 8
_SPARSE_PARTS = ("data", "indices", "indptr")


def open_hdf5(file: WatchedFile, member: str, spec: str) -> RowSource:
    """One matrix of an HDF5 file."""
    with open_file(file) as h5:
        member = member.strip("/") or choose_rows(_members(h5), "", file.name, file.path)
        where = Location(file.path, member)
        item = find(h5, member, file)
        if _is_group(item):
            return _open_sparse(item, file, member, spec)
        check_dataset(item, file, where)
        shape = check_shape(item.shape, file.name, where)
        dtype = value_dtype(item.dtype, file.name, where)
        offset = None if h5.userblock_size else item.id.get_offset()
        if offset is not None and load("h5py", "HDF5").h5t.py_create(item.dtype) == item.id.get_type():
            return PlainRows(spec, file, offset, shape, item.dtype, False, member)
        return DenseRows(spec, file, member, dtype, ChunkGrid(shape, item.chunks or shape, item.dtype.itemsize))


@contextmanager
def open_file(file: WatchedFile) -> Iterator[Any]:
    """The open file; whatever the HDF5 library raises inside becomes a sentence."""
    h5py = load("h5py", "reading HDF5 and h5ad files")
    try:
        with h5py.File(file.path, "r", locking=False) as h5:
            yield h5
    except (InputValueError, InputTypeError, ImportError):
        raise
    except Exception as error:  # h5py raises OSError, RuntimeError, KeyError, ValueError and more
        raise InputValueError(f"{file.name}: {file.path} is not a whole HDF5 file ({error}).") from error


def find(h5: Any, member: str, file: WatchedFile) -> Any:
    """The dataset or group of a path inside the file or a group of it, never through a link to another file."""
    h5py = load("h5py", "HDF5")
    item, parts, n_links = h5, [part for part in member.split("/") if part], 0
    while parts:
        part = parts.pop(0)
        link = item.get(part, getlink=True) if _is_group(item) else None
        if link is None:
            members = _members(h5)
            choose_rows(members, member, file.name, file.path)  # raises, and lists what there is
            raise InputValueError(f"{file.name}: {file.path} has no {member!r}.")
        if isinstance(link, h5py.ExternalLink):
            raise InputValueError(
                f"{file.name}: {Location(file.path, member)} is a link to another file, {link.filename}, which is not followed."
            )
        if isinstance(link, h5py.SoftLink):
            n_links += 1
            if n_links > _MOST_SOFT_LINKS:
                raise InputValueError(f"{file.name}: {Location(file.path, member)} is a link to a link without end.")
            parts = [step for step in link.path.split("/") if step] + parts
            item = h5["/"] if link.path.startswith("/") else item
        else:
            item = item[part]
    return item


def check_dataset(dataset: Any, file: WatchedFile, where: object) -> None:
    """Raise InputValueError unless all values are in this file and were written."""
    if dataset.is_virtual or dataset.external:
        raise InputValueError(f"{file.name}: {where} keeps its values in other files, which are not opened.")
    if dataset.shape is None:
        raise InputValueError(f"{file.name}: {where} is empty.")
    n_stored = dataset.id.get_storage_size()
    if n_stored > file.size:
        raise InputValueError(f"{file.name}: {where} claims {n_stored} bytes of a file of {file.size}.")
    if dataset.chunks is not None:
        grid = ChunkGrid(dataset.shape, dataset.chunks, dataset.dtype.itemsize)
        grid.check(file.name, where)
        grid.require_complete(dataset.id.get_num_chunks(), file.name, where)
    elif n_stored < dataset.nbytes:
        raise InputValueError(
            f"{file.name}: {where} is not whole: its shape {dataset.shape} takes {dataset.nbytes} bytes; {n_stored} were written."
        )


class DenseRows(ForwardRows):
    """A chunked dataset; bands of chunks are decoded once when read in order."""

    def __init__(self, spec: str, file: WatchedFile, member: str, dtype: np.dtype[Any], grid: ChunkGrid) -> None:
        super().__init__(spec, file, member, grid.shape, dtype)
        self._grid = grid

    def _restart_row(self, row: int) -> int:
        return self._grid.restart_row(row)

    def _pieces(self, start: int) -> Iterator[np.ndarray]:
        for first, stop in self._grid.bands(start):
            with open_file(
                self.file
            ) as h5:  # not kept open: HDF5's state does not survive a fork, and it locks out writers
                values = np.asarray(find(h5, self.member, self.file)[first:stop])
            yield values.view(self.dtype) if self.dtype == np.uint16 else values


class SparseRows(ForwardRows):
    """Rows of a CSR matrix as AnnData writes it, dense."""

    def _restart_row(self, row: int) -> int:
        return row

    def _pieces(self, start: int) -> Iterator[np.ndarray]:
        n_rows = max(1, PIECE_BYTES // (self.n_features * self.dtype.itemsize))
        for first in range(start, self.n_samples, n_rows):
            with open_file(self.file) as h5:
                block = self._block(find(h5, self.member, self.file), first, min(first + n_rows, self.n_samples))
            yield block

    def _block(self, group: Any, first: int, stop: int) -> np.ndarray:
        from scipy.sparse import csr_array  # noqa: PLC0415  (only this format pays for it)

        data, indices, indptr = (find(group, part, self.file) for part in _SPARSE_PARTS)
        bounds = indptr[first : stop + 1].astype(np.int64)
        counts = np.diff(bounds)
        if bounds[0] < 0 or bounds[-1] > len(data) or not ((counts >= 0) & (counts <= self.n_features)).all():
            raise InputValueError(
                f"{self.name}: {self.where} is damaged; its indptr is wrong in rows {first} to {stop}."
            )
        columns = indices[bounds[0] : bounds[-1]]
        if len(columns) and not 0 <= columns.min() <= columns.max() < self.n_features:
            raise InputValueError(
                f"{self.name}: {self.where} is damaged; a column index in rows {first} to {stop} is not within 0 to "
                f"{self.n_features - 1}."
            )
        values = data[bounds[0] : bounds[-1]]
        # SciPy's sparse arrays know no float16; float32 holds every one of them.
        wide = values.astype(np.float32 if self.dtype == np.float16 else self.dtype, copy=False)
        rows = csr_array((wide, columns, bounds - bounds[0]), shape=(stop - first, self.n_features))
        return np.asarray(rows.toarray())


def _open_sparse(group: Any, file: WatchedFile, member: str, spec: str) -> SparseRows:
    where = Location(file.path, member)
    if not set(_SPARSE_PARTS) <= set(group):
        raise InputValueError(
            f"{file.name}: {where} is a group, not a matrix; it holds {', '.join(list(group)[:12]) or 'nothing'}."
        )
    encoding = group.attrs.get("encoding-type", group.attrs.get("h5sparse_format", "csr"))
    if encoding not in ("csr_matrix", "csr"):
        raise InputValueError(
            f"{file.name}: {where} is a sparse matrix stored by columns ({encoding}); store it by rows, e.g. "
            "adata.X = adata.X.tocsr()."
        )
    shape = tuple(int(size) for size in group.attrs.get("shape", group.attrs.get("h5sparse_shape", ())))
    check_shape(shape, file.name, where)
    parts = {part: find(group, part, file) for part in _SPARSE_PARTS}
    for part, dataset in parts.items():
        check_dataset(dataset, file, f"{where}/{part}")
        if len(dataset.shape) != 1 or (part != "data" and dataset.dtype.kind not in "iu"):
            raise InputValueError(
                f"{file.name}: {where}/{part} must be one row of numbers; its shape is {dataset.shape}."
            )
    n_values, n_indices, n_bounds = (len(dataset) for dataset in parts.values())
    if n_bounds != shape[0] + 1 or n_indices != n_values:
        raise InputValueError(
            f"{file.name}: {where} is damaged: shape {shape}, {n_bounds} row bounds, {n_indices} indices, {n_values} values."
        )
    return SparseRows(spec, file, member, shape, value_dtype(parts["data"].dtype, file.name, where))


def _members(h5: Any) -> list[Member]:
    """All datasets, and sparse matrices as one member each; links to other files are not looked into."""
    h5py = load("h5py", "HDF5")
    members: list[Member] = []
    groups, seen = [("", h5)], {h5py.h5o.get_info(h5.id).addr}
    while groups and len(members) < _MOST_MEMBERS:
        prefix, group = groups.pop(0)
        for key in group:
            if not isinstance(group.get(key, getlink=True), h5py.HardLink):
                continue
            item = group[key]
            address = h5py.h5o.get_info(item.id).addr
            if address in seen:
                continue
            seen.add(address)
            if isinstance(item, h5py.Dataset):
                shape = item.shape or ()
                stored = "strings" if h5py.check_string_dtype(item.dtype) else dtype_name(item.dtype)
                members.append(Member(prefix + key, shape, stored, len(shape) == 2 and holds_floats(item.dtype)))
            elif _is_group(item) and set(_SPARSE_PARTS) <= set(item):
                shape = tuple(int(size) for size in item.attrs.get("shape", item.attrs.get("h5sparse_shape", ())))
                members.append(Member(prefix + key, shape, "sparse", True))
            elif _is_group(item) and isinstance(codes := item.get("codes"), h5py.Dataset) and "categories" in item:
                members.append(Member(prefix + key, codes.shape or (), "categories", False))
            elif _is_group(item):
                groups.append((f"{prefix}{key}/", item))
    return members


def _is_group(item: Any) -> bool:
    return isinstance(item, load("h5py", "HDF5").Group)


def read_hdf5_array(file: WatchedFile, member: str) -> np.ndarray:
    """A whole dataset, or a column of an AnnData table; missing values are None."""
    with open_file(file) as h5:
        member = member.strip("/") or choose_any(_members(h5), "", file.name, file.path)
        item = find(h5, member, file)
        if not _is_group(item):
            values = _values(item, file, Location(file.path, member))
            categories = item.attrs.get("categories")  # AnnData before 0.8
            return values if categories is None else decoded(values, _values(h5[categories], file, member))
        parts = set(item)
        if {"codes", "categories"} <= parts:
            codes, categories = (_values(find(item, p, file), file, f"{member}/{p}") for p in ("codes", "categories"))
            return decoded(codes, categories)
        if {"values", "mask"} <= parts:
            values, mask = (_values(find(item, p, file), file, f"{member}/{p}") for p in ("values", "mask"))
            return with_gaps(values, mask.astype(bool))
    raise InputValueError(f"{file.name}: {Location(file.path, member)} is a group of {', '.join(sorted(parts)[:12])}.")


def _values(dataset: Any, file: WatchedFile, where: object) -> np.ndarray:
    if not hasattr(dataset, "dtype"):
        raise InputValueError(f"{file.name}: {where} is a group, not an array.")
    check_dataset(dataset, file, where)
    if load("h5py", "HDF5").check_string_dtype(dataset.dtype) is not None:
        return np.asarray(dataset.asstr()[()]).astype(str)
    if dataset.dtype.hasobject:
        raise InputTypeError(f"{file.name}: {where} holds {dataset.dtype}, which are neither numbers nor strings.")
    return np.asarray(dataset[()])
