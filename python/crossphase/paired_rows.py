"""X, Y and labels of one data set, opened and put in common order, to be read a range of rows at a time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase.errors import InputTypeError, InputValueError
from crossphase.labels import LabelEncoder, label_encoder
from crossphase.matching import as_ids, match_rows
from crossphase.pair_state import PairedDataset
from crossphase.readers import read_labels
from crossphase.sources import RowSource, open_rows
from crossphase.sources.matched_rows import MatchedRows
from crossphase.sources.source import dtype_name


@dataclass(frozen=True, slots=True, eq=False)
class PairedRows:
    """Row i of X, of Y and of the labels is one sample."""

    x: RowSource
    y: RowSource
    labels: LabelEncoder | None
    unmatched: str | None = None  # see `PairedDataset.unmatched`

    @property
    def n_samples(self) -> int:
        return self.x.n_samples

    @property
    def n_label_columns(self) -> int:
        return 0 if self.labels is None else self.labels.n_columns

    @property
    def row_bytes(self) -> int:
        """Of a row of X, Y and the label columns as they are read."""
        views = sum(source.n_features * source.dtype.itemsize for source in (self.x, self.y))
        return views + 8 * self.n_label_columns

    def dataset(self) -> PairedDataset:
        """What tells this data set from others; reads pieces of the files."""
        return PairedDataset(
            n_samples=self.n_samples,
            n_labelled=0 if self.labels is None else self.labels.n_labelled,
            n_features_x=self.x.n_features,
            n_features_y=self.y.n_features,
            dtype_x=dtype_name(self.x.dtype),
            dtype_y=dtype_name(self.y.dtype),
            fingerprint_x=self.x.fingerprint(),
            fingerprint_y=self.y.fingerprint(),
            fingerprint_labels=None if self.labels is None else self.labels.fingerprint(),
            unmatched=self.unmatched,
        )

    def label_rows(self, first: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Label columns ``(stop - first, n_label_columns)`` of rows first to stop - 1, and which of them have a label."""
        if self.labels is None:
            return np.empty((stop - first, 0)), np.zeros(stop - first, dtype=bool)
        return self.labels.rows(first, stop), self.labels.is_labelled[first:stop]

    def require_unchanged(self) -> None:
        """Raise InputValueError if a file has changed since it was opened."""
        self.x.require_unchanged()
        self.y.require_unchanged()


def open_pair(X: Any, Y: Any, labels: Any = None, ids: Sequence[Any] | None = None) -> PairedRows:
    """Open two views, and labels, that `crossphase.summarize_pair` was given.

    Raises
    ------
    InputValueError, InputTypeError
        A file or an array cannot be used, numbers of rows differ, or the ids do not match.
    """
    x, y = open_rows(X, "X"), open_rows(Y, "Y")
    encoder = _encoder(labels)
    if ids is not None:
        return _matched(x, y, encoder, ids)
    if x.n_samples != y.n_samples:
        raise InputValueError(
            "X and Y must have the same number of rows, row i of each being the same sample; got "
            f"{x.n_samples} and {y.n_samples}. Where rows have names, pass ids."
        )
    _require_label_rows(encoder, x.n_samples, "X and Y")
    return PairedRows(x, y, encoder)


def _matched(x: RowSource, y: RowSource, encoder: LabelEncoder | None, ids: Sequence[Any]) -> PairedRows:
    if not isinstance(ids, tuple | list) or len(ids) not in (2, 3):
        raise InputTypeError("ids must be (ids_x, ids_y) or (ids_x, ids_y, ids_labels), one id a row each.")
    ids_x, ids_y = as_ids(ids[0], "ids_x", x.n_samples), as_ids(ids[1], "ids_y", y.n_samples)
    if len(ids) == 2:
        _require_label_rows(encoder, x.n_samples, "X, whose ids they share,")
        match = match_rows(ids_x, ids_y)
        rows_labels = match.rows_x
    elif encoder is None:
        raise InputValueError("ids name the rows of labels, but no labels were given.")
    else:
        match = match_rows(ids_x, ids_y, as_ids(ids[2], "ids_labels", encoder.n_samples))
        rows_labels = match.rows_x if match.rows_labels is None else match.rows_labels
    labels = None if encoder is None else encoder.take(rows_labels)
    unmatched = str(match) if match.n_dropped_x or match.n_dropped_y else None
    return PairedRows(MatchedRows(x, match.rows_x), MatchedRows(y, match.rows_y), labels, unmatched)


def _encoder(labels: Any) -> LabelEncoder | None:
    if labels is None or isinstance(labels, LabelEncoder):
        return labels
    return label_encoder(read_labels(labels) if isinstance(labels, str | os.PathLike) else labels)


def _require_label_rows(encoder: LabelEncoder | None, n_samples: int, whose: str) -> None:
    if encoder is not None and encoder.n_samples != n_samples:
        raise InputValueError(
            f"labels must have one value for each row of {whose}; got {encoder.n_samples} labels for {n_samples} rows."
        )
