"""Labels of all rows as one numeric matrix."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from crossphase.errors import InputValueError
from crossphase.labels.encoder import LabelVariable, label_encoder

_LEAST_LEFT = 1e-6  # of the labels' variance: below, what nuisance labels leave is rounding


@dataclass(frozen=True, slots=True, eq=False)
class LabelMatrix:
    """Numeric labels, one column a class or measurement."""

    values: (
        np.ndarray
    )  # (n_samples, n_columns), float64: 0/1 for classes; measurements have mean 0, variance 1, unless 0/1
    column_names: tuple[str, ...]  # (n_columns,): "species=oak" for a class, the variable's name for a measurement
    n_classes: int  # one-hot columns in all; 0 if every label is a measurement
    notes: tuple[tuple[str, str], ...]  # (code, sentence) of what a user should know about the encoding
    is_labelled: np.ndarray  # (n_samples,), booleans; rows of `values` without labels are 0 and mean nothing
    variables: tuple[LabelVariable, ...]  # those that vary, in the order of their columns

    def take(self, rows: np.ndarray) -> LabelMatrix:
        """The labels of some rows, in that order; -1 is a row without a label."""
        there = rows >= 0
        values = np.where(there[:, None], self.values[rows], 0.0)
        return replace(self, values=values, is_labelled=there & self.is_labelled[rows])

    def beyond(self, nuisance: LabelMatrix) -> tuple[LabelMatrix, float]:
        """What of the labels does not follow linearly from others, on rows that have both; and the share of variance that does.

        Raises
        ------
        InputValueError
            Nothing is left.
        """
        there = self.is_labelled & nuisance.is_labelled
        own = self.values[there] - self.values[there].mean(axis=0)
        other = nuisance.values[there] - nuisance.values[there].mean(axis=0)
        left = own - other @ np.linalg.lstsq(other, own, rcond=None)[0]
        share = 1 - float(np.square(left).sum() / np.square(own).sum())
        if share > 1 - _LEAST_LEFT:
            raise InputValueError(
                f"labels follow from nuisance_labels in all {int(there.sum())} rows that have both, so nothing is left to call "
                "signal. Leave out the nuisance variable that repeats the labels."
            )
        values = np.zeros_like(self.values)
        values[there] = left
        return replace(self, values=values, is_labelled=there), share

    @property
    def n_labelled(self) -> int:
        return int(self.is_labelled.sum())

    @property
    def n_samples(self) -> int:
        return int(self.values.shape[0])

    @property
    def n_columns(self) -> int:
        return int(self.values.shape[1])


def encode_labels(labels: Any, *, allow_missing: bool = False) -> LabelMatrix:
    """Numeric columns of one or several label variables.

    Parameters
    ----------
    labels : array, list, mapping or data frame
        Strings, booleans and integers are classes and become one-hot columns; floating-point numbers are measurements. A
        2-D array has a variable a column (if it holds 0 and 1 only, it is an indicator matrix already). A
        mapping, or a pandas or polars frame, has a variable a column, each by its own type.
    allow_missing : bool, default False
        Take None, NaN and NA for "this row has no label" instead of refusing them. Of several variables all must be there for
        a row to count as labelled; the others' rows are `is_labelled` False and 0 in `values`. Sentinels such as -1 or ""
        are not guessed: they are classes like any other.

    Raises
    ------
    InputValueError
        A missing value, a single class or a constant, more classes than half the labelled rows, an empty or ragged input;
        where missing values are allowed, fewer than 10 labelled rows, or a class that no labelled row has.
    InputTypeError
        Dates, complex numbers, objects that are neither strings, numbers nor booleans.
    """
    encoder = label_encoder(labels, allow_missing=allow_missing)
    return LabelMatrix(
        values=encoder.rows(0, encoder.n_samples),
        column_names=encoder.column_names,
        n_classes=encoder.n_classes,
        notes=encoder.notes,
        is_labelled=encoder.is_labelled,
        variables=encoder.variables,
    )
