"""What one pass over a pair of views keeps: all that a diagnosis needs, in memory that does not grow with the rows."""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from crossphase import _core, safetensors_file
from crossphase._scalars import check_integer
from crossphase.errors import InputTypeError, InputValueError
from crossphase.labels import LabelEncoding
from crossphase.moments import CrossMoments
from crossphase.moments_state import from_arrays, to_arrays
from crossphase.row_sample import RowSample
from crossphase.safetensors_file import SafetensorsContent, description_in, metadata_of

SCHEMA_VERSION = 1
_KIND = "crossphase.PairState"


@dataclass(frozen=True, slots=True)
class PairedDataset:
    """Which data set a state is of; equal for copies of its files elsewhere."""

    n_samples: int  # rows in all
    n_labelled: int  # of them, rows with a label; 0 without labels
    n_features_x: int
    n_features_y: int
    dtype_x: str  # "float16", "bfloat16", "float32" or "float64"
    dtype_y: str
    fingerprint_x: str  # of sizes and contents; see `crossphase.sources.RowSource.fingerprint`
    fingerprint_y: str
    fingerprint_labels: str | None  # None without labels
    unmatched: str | None  # what matching rows by id left out, as a sentence; None if nothing


@dataclass(frozen=True, slots=True, eq=False)
class PairState:
    """The rows of a pair ``[X Y labels]`` seen so far, summarized; `crossphase.summarize_pair` makes one.

    States of disjoint rows of one data set merge into the state of all of them. Its bytes (`to_bytes`) depend on the rows
    and their positions alone: not on threads, block sizes, shards, the order of merges, or interruptions.
    """

    dataset: PairedDataset
    moments: CrossMoments  # of X, Y, the label columns and, where `has_unlabelled`, a last column: 1 in labelled rows, else 0
    sample: RowSample  # its `labels` have the label columns alone
    label_encoding: LabelEncoding | None  # what the label columns mean; None without labels

    def __repr__(self) -> str:
        return (
            f"PairState({self.n_samples} of {self.dataset.n_samples} rows, {self.dataset.n_features_x} + "
            f"{self.dataset.n_features_y} features, {self.n_label_columns} label columns)"
        )

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).from_bytes, (self.to_bytes(),)

    @property
    def precision(self) -> str:
        """Of the products of the moments."""
        return self.moments.precision

    @property
    def n_label_columns(self) -> int:
        """Columns of the labels; rows without a label are 0 in them."""
        return 0 if self.label_encoding is None else self.label_encoding.n_columns

    @property
    def has_unlabelled(self) -> bool:
        """Whether some of the data set's rows, seen or not, lack a label that others have."""
        return 0 < self.dataset.n_labelled < self.dataset.n_samples

    @property
    def n_samples(self) -> int:
        """Rows seen."""
        return self.moments.n_samples

    @property
    def row_ranges(self) -> list[tuple[int, int]]:
        """``(first, last + 1)`` of each run of rows seen."""
        return self.moments.row_ranges

    @property
    def missing_ranges(self) -> list[tuple[int, int]]:
        """``(first, last + 1)`` of each run of rows of the data set that was not seen."""
        edges = [0, *(edge for rows in self.row_ranges for edge in rows), self.dataset.n_samples]
        return [(first, stop) for first, stop in zip(edges[::2], edges[1::2], strict=True) if first < stop]

    @property
    def is_complete(self) -> bool:
        """Whether all rows of the data set were seen."""
        return self.n_samples == self.dataset.n_samples

    def merge(self, *others: PairState) -> PairState:
        """The state of the rows of this one and of others; all of them stay as they are.

        Raises
        ------
        InputValueError
            A state is of another data set, of other labels or another precision, or two hold the same row.
        """
        named = [("this state", self), *((f"state {number}", state) for number, state in enumerate(others, start=1))]
        return merge_states(named)

    def to_bytes(self) -> bytes:
        """The content of the file that `save` would make."""
        return safetensors_file.to_bytes(*self._content())

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, *, n_threads: int | None = None) -> Self:
        """The state that `to_bytes` was given; raises InputValueError if the bytes are damaged."""
        return cls._restored(safetensors_file.from_bytes(data, "data"), "data", n_threads)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write a safetensors file; a file that is there is replaced once the new one is whole.

        Raises
        ------
        OutputError
            The file cannot be written; one that is there is unchanged.
        """
        safetensors_file.write(path, *self._content())

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, n_threads: int | None = None) -> Self:
        """Read what `save` wrote.

        Raises
        ------
        InputValueError
            The file is damaged, holds something else, or is of a newer schema.
        """
        return cls._restored(safetensors_file.read(path), str(path), n_threads)

    def digest(self) -> str:
        """SHA-256 of `to_bytes`."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def _content(self) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        arrays, moments = to_arrays(self.moments)
        arrays |= {
            "sample.positions": self.sample.positions,
            "sample.X": self.sample.X,
            "sample.Y": self.sample.Y,
            "sample.labels": self.sample.labels,
            "sample.is_labelled": self.sample.is_labelled.view(np.uint8),
        }
        description = {
            "dataset": dataclasses.asdict(self.dataset),
            "label_encoding": None if self.label_encoding is None else self.label_encoding.to_dict(),
            "sample_capacity": self.sample.capacity,
            "moments": moments,
        }
        return arrays, metadata_of(_KIND, SCHEMA_VERSION, description)

    @classmethod
    def _restored(cls, content: SafetensorsContent, name: str, n_threads: int | None) -> Self:
        arrays = content.tensors
        description = description_in(content, _KIND, SCHEMA_VERSION, name)
        try:
            encoding = description["label_encoding"]
            state = cls(
                dataset=_dataset_of(description["dataset"]),
                moments=from_arrays(arrays, description["moments"], name, n_threads),
                sample=RowSample(
                    check_integer(description["sample_capacity"], "sample_capacity", least=1),
                    arrays["sample.positions"],
                    arrays["sample.X"],
                    arrays["sample.Y"],
                    arrays["sample.labels"],
                    arrays["sample.is_labelled"] != 0,
                ),
                label_encoding=None if encoding is None else LabelEncoding.from_dict(encoding),
            )
            _require_consistent(state, description["moments"]["leading"][1])
        except (LookupError, TypeError, ValueError) as error:
            raise InputValueError(f"{name} does not hold the pair's state that it should ({error}).") from error
        return state


def merge_states(states: Iterable[tuple[str, PairState]]) -> PairState:
    """One state of the rows of several, which are taken one at a time and stay as they are.

    Parameters
    ----------
    states : iterable of (str, PairState)
        Each with its name for messages.

    Raises
    ------
    InputValueError
        A state is of another data set than the first, or holds rows that one before it holds: the message names both.
    """
    held: list[tuple[tuple[int, int], str]] = []
    merged: PairState | None = None
    first_name = ""
    for name, state in states:
        if not isinstance(state, PairState):
            raise InputTypeError(f"{name} must be a PairState; got {type(state).__name__}.")
        if merged is not None:
            _require_same_origin(merged, state, first_name, name)
        for first, stop in state.row_ranges:
            for (other_first, other_stop), other_name in held:
                if first < other_stop and other_first < stop:
                    raise InputValueError(
                        f"cannot merge: {other_name} and {name} both hold rows {max(first, other_first)} to "
                        f"{min(stop, other_stop) - 1} (of {other_first} to {other_stop - 1} and of {first} to {stop - 1}). "
                        "Make them of disjoint rows."
                    )
            held.append(((first, stop), name))
        if merged is None:
            first_name = name
            merged = dataclasses.replace(state, moments=copy.deepcopy(state.moments))
        else:
            merged.moments.merge(state.moments)
            merged = dataclasses.replace(merged, sample=merged.sample.merge(state.sample))
    if merged is None:
        raise InputValueError("states must be at least one; got none.")
    return merged


def difference(one: PairedDataset, other: PairedDataset) -> str | None:
    """What tells two data sets apart, as the end of a sentence; None if nothing does."""
    for side, view in (("x", "X"), ("y", "Y")):
        for attribute, meaning in (("n_features", "columns"), ("dtype", "dtype")):
            ours, theirs = (getattr(dataset, f"{attribute}_{side}") for dataset in (one, other))
            if ours != theirs:
                return f"{view} differs in its {meaning} ({ours} and {theirs})"
    if one.n_samples != other.n_samples:
        return f"X and Y differ in their rows ({one.n_samples} and {other.n_samples})"
    if one.fingerprint_x != other.fingerprint_x:
        return "X differs in its content"
    if one.fingerprint_y != other.fingerprint_y:
        return "Y differs in its content"
    if (one.fingerprint_labels, one.n_labelled) != (other.fingerprint_labels, other.n_labelled):
        missing = None in (one.fingerprint_labels, other.fingerprint_labels)
        return "only one has labels" if missing else "the labels differ"
    return None if one == other else "ids left out other rows"


def _require_same_origin(one: PairState, other: PairState, name: str, other_name: str) -> None:
    what = difference(one.dataset, other.dataset)
    if what is None and one.label_encoding != other.label_encoding:
        what = "their label columns differ"
    if what is None and one.sample.capacity != other.sample.capacity:
        what = f"their samples hold {one.sample.capacity} and {other.sample.capacity} rows"
    if what is not None:
        raise InputValueError(f"cannot merge: {name} and {other_name} are of different data sets: {what}.")
    if one.precision != other.precision:
        raise InputValueError(
            f"cannot merge: {name} has precision {one.precision}, {other_name} {other.precision}. Make both with the same, "
            "e.g. precision='f64'."
        )


def _dataset_of(given: Mapping[str, Any]) -> PairedDataset:
    dataset = PairedDataset(**given)
    for name, value in given.items():
        if name.startswith("n_"):
            check_integer(value, name, least=0)
        elif not isinstance(value, str) and not (value is None and name in ("fingerprint_labels", "unmatched")):
            raise TypeError(f"{name} is {value!r}, not a string")
    return dataset


def _require_consistent(state: PairState, next_row: int) -> None:
    """Parts of a file that each could be right must also fit each other."""
    dataset, moments, sample = state.dataset, state.moments, state.sample
    n_columns = state.n_label_columns + state.has_unlabelled
    if (moments.n_features_x, moments.n_features_y, moments.n_labels) != (
        dataset.n_features_x,
        dataset.n_features_y,
        n_columns,
    ):
        raise ValueError("its moments do not have the columns of its data set")
    if moments.n_samples < 1 or moments.row_ranges[-1][1] > dataset.n_samples or moments.row_ranges[-1][1] != next_row:
        raise ValueError("its rows are not those of its data set")
    n_rows = min(sample.capacity, moments.n_samples)
    expected: Mapping[str, tuple[tuple[int, ...], str]] = {
        "positions": ((n_rows,), "int64"),
        "X": ((n_rows, dataset.n_features_x), dataset.dtype_x),
        "Y": ((n_rows, dataset.n_features_y), dataset.dtype_y),
        "labels": ((n_rows, state.n_label_columns), "float64"),
        "is_labelled": ((n_rows,), "bool"),
    }
    for part, (shape, dtype) in expected.items():
        values: np.ndarray = getattr(sample, part)
        if values.shape != shape or values.dtype != np.dtype(dtype.replace("bfloat16", "uint16")):
            raise ValueError(
                f"sample.{part} has shape {values.shape} and dtype {values.dtype}, not {shape} and {dtype}"
            )
        if values.ndim == 2 and values.size and _core.cpu.find_non_finite(values, n_threads=1)[0]:
            raise ValueError(f"sample.{part} has values that are not finite")
    edges = np.array(moments.row_ranges)
    run = np.searchsorted(edges[:, 0], sample.positions, side="right") - 1
    if (np.diff(sample.positions) <= 0).any() or (run < 0).any() or (sample.positions >= edges[run, 1]).any():
        raise ValueError("the rows of its sample are not among its rows")
