"""Moments of the columns of several views side by side, updated in any chunks and merged across shards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from crossphase import _core
from crossphase._backends import select
from crossphase._scalars import check_choice, check_integer
from crossphase._threads import resolve_n_threads
from crossphase.errors import InputTypeError, InputValueError
from crossphase.precision import Precision, resolve_precision
from crossphase.samples import Samples, as_samples, require_finite, require_same_rows


@dataclass(frozen=True, slots=True, eq=False)
class _Summary:
    row_ranges: list[tuple[int, int]]
    mean: np.ndarray  # (n_columns,)
    cov: np.ndarray  # (n_columns, n_columns)


class JointMoments:
    """Counts, means and covariances of paired rows of named views.

    What `CrossMoments`, which tells how, and `MultiviewMoments` share.
    """

    def __init__(
        self,
        widths: Mapping[str, int],
        *,
        first_row: int,
        precision: str,
        n_threads: int | None,
        backend: str | None,
    ) -> None:
        self._widths = dict(widths)
        self._first_row = check_integer(first_row, "first_row", least=0)
        self._precision = check_choice(precision, "precision", Precision)
        self._n_threads = resolve_n_threads(n_threads)
        self.backend = select("moments", backend=backend).backend
        self._state = self._empty_state()
        self._summary: _Summary | None = None

    def _empty_state(self) -> Any:
        """Of the precision asked for; of float64 until the first rows tell, where they are to."""
        precision = Precision.F64 if self._precision is Precision.AUTO else self._precision
        make = select("moments", backend=self.backend).run
        return make(self._n_columns, self._first_row, _core.cpu.Precision[precision.value])

    @property
    def precision(self) -> str:
        """What products are formed in: as asked for; where that was "auto", as the first rows decided."""
        return self._precision.value

    def _settle_precision(self, precision: Precision) -> None:
        if self._precision is Precision.AUTO:
            self._precision = precision
            self._state = self._empty_state()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_summary": None}  # made again where it is wanted

    @property
    def _n_columns(self) -> int:
        return sum(self._widths.values())

    def _take(self, given: Mapping[str, Any]) -> None:
        """Add rows of the views, in the order of the widths; nothing is taken unless all of it is good."""
        parts: list[Samples] = []
        for name, values in given.items():
            part = as_samples(values, name, uint16_is_bfloat16=name != "labels")
            if part.n_features != self._widths[name]:
                raise InputValueError(f"{name} must have {self._widths[name]} columns; got shape {part.values.shape}.")
            parts.append(part)
        require_same_rows(*parts)
        for part in parts:
            require_finite(part, self._n_threads)
        self._update_checked(parts)

    def _update_checked(self, parts: list[Samples]) -> None:
        self._settle_precision(resolve_precision(part.values.dtype for part in parts if part.name != "labels"))
        self._state.update([part.values for part in parts], n_threads=self._n_threads)

    def merge(self, other: Self) -> Self:
        """Take over the rows of `other`, which keeps its own; returns self.

        Raises
        ------
        InputTypeError
            `other` is of another class, or of another backend.
        InputValueError
            The columns differ, or both hold the same row; self is then unchanged.
        """
        if not isinstance(other, type(self)):
            raise InputTypeError(f"other must be a {type(self).__name__}; got {type(other).__name__}.")
        if other.backend != self.backend:
            raise InputTypeError(
                f"cannot merge: this state is of backend {self.backend!r}, other of {other.backend!r}."
            )
        if self._widths != other._widths:
            raise InputValueError(
                f"cannot merge: this state has columns {_described(self._widths)}, the other {_described(other._widths)}."
            )
        if other._precision is Precision.AUTO:  # it holds no rows
            return self
        self._settle_precision(other._precision)
        if other._precision is not self._precision:
            raise InputValueError(
                f"cannot merge: this state was summed with precision={self.precision!r}, the other with {other.precision!r}. "
                "Give all shards the same precision."
            )
        try:
            self._state.merge(other._state)
        except ValueError as error:
            raise InputValueError(f"cannot merge: {error}") from error
        return self

    @property
    def n_samples(self) -> int:
        """Rows held."""
        return int(self._state.n_samples)

    @property
    def row_ranges(self) -> list[tuple[int, int]]:
        """``(first, last + 1)`` of each run of rows held."""
        return list(self._state.row_ranges)

    def _moments(self) -> _Summary:
        """Mean and covariance of the rows held now; kept until there are more."""
        # Read first: rows only ever come, so a summary made later that is still of these rows is current.
        rows = self.row_ranges
        if self._summary is None or self._summary.row_ranges != rows:
            if self.n_samples < 1:
                raise InputValueError(_too_few("a mean", 1, self))
            n_samples, mean, scatter = self._state.summarize(self._n_columns)
            cov = scatter / max(n_samples - 1, 1)
            if not np.isfinite(cov).all():
                column = int(np.flatnonzero(~np.isfinite(np.diag(cov)))[0])
                raise InputValueError(
                    f"values of column {column} of [{' '.join(self._widths)}] are so large that their squares overflow "
                    "float64; rescale that column."
                )
            mean.setflags(write=False)
            cov.setflags(write=False)
            self._summary = _Summary(rows, mean, cov)
        return self._summary

    def _columns(self, name: str) -> slice:
        names = list(self._widths)
        first = sum(self._widths[before] for before in names[: names.index(name)])
        return slice(first, first + self._widths[name])

    def _mean(self, name: str) -> np.ndarray:
        return self._moments().mean[self._columns(name)]

    def _cov(self, rows: str, columns: str) -> np.ndarray:
        if self.n_samples < 2:
            raise InputValueError(_too_few("a covariance", 2, self))
        return self._moments().cov[self._columns(rows), self._columns(columns)]


def _too_few(what: str, least: int, state: JointMoments) -> str:
    samples = "sample" if least == 1 else "samples"
    return f"{what} needs at least {least} {samples}; this {type(state).__name__} holds {state.n_samples}."


def _described(widths: Mapping[str, int]) -> str:
    return " + ".join(f"{width} of {name}" for name, width in widths.items())
