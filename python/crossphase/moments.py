"""Mergeable cross-moments of paired samples: the statistics that everything else is made of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase._backends import select
from crossphase._scalars import check_integer
from crossphase._threads import resolve_n_threads
from crossphase.errors import InputTypeError, InputValueError
from crossphase.samples import Samples, as_samples, require_finite, require_same_rows


@dataclass(frozen=True, slots=True, eq=False)
class _Summary:
    row_ranges: list[tuple[int, int]]
    mean: np.ndarray  # (n_columns,)
    cov: np.ndarray  # (n_columns, n_columns)


class CrossMoments:
    """Counts, means and covariances of paired rows ``[X Y labels]``, updated in any chunks and merged across shards.

    The result's bytes depend on the rows and their positions alone: not on threads, chunk sizes, memory layout, or the
    order in which shards merge.

    Parameters
    ----------
    n_features_x, n_features_y : int
        Columns of X and of Y.
    n_labels : int, default 0
        Columns of the numeric label matrix, if one comes along (`crossphase.encode_labels` makes one).
    first_row : int, default 0
        Position of the first row this object will see. Shards of one data set state theirs; then they can be merged.
    n_threads : int, optional
        Default: ``CROSSPHASE_NUM_THREADS``, else one a core.
    backend : {"cpu", "reference"}, optional

    Notes
    -----
    Rows are cut on an absolute grid of blocks of 1024; every block is centred on its own mean and reduced in float64, and
    blocks merge in a fixed binary tree. Cost O(n D²) for D columns in all; memory O(D² log n), independent of how the
    rows arrive. Covariances divide by ``n_samples - 1``.

    References
    ----------
    Chan, Golub & LeVeque (1983), Am. Stat. 37, 242-247.
    """

    def __init__(
        self,
        n_features_x: int,
        n_features_y: int,
        n_labels: int = 0,
        *,
        first_row: int = 0,
        n_threads: int | None = None,
        backend: str | None = None,
    ) -> None:
        self._n_features_x = check_integer(n_features_x, "n_features_x", least=1)
        self._n_features_y = check_integer(n_features_y, "n_features_y", least=1)
        self._n_labels = check_integer(n_labels, "n_labels", least=0)
        position = check_integer(first_row, "first_row", least=0)
        self._n_threads = resolve_n_threads(n_threads)
        implementation = select("moments", backend=backend)
        self.backend = implementation.backend
        self._state = implementation.run(self._n_columns, position)
        self._summary: _Summary | None = None

    def __repr__(self) -> str:
        labels = f", n_labels={self.n_labels}" if self.n_labels else ""
        return (
            f"CrossMoments(n_features_x={self.n_features_x}, n_features_y={self.n_features_y}{labels}): "
            f"{self.n_samples} samples"
        )

    @property
    def _n_columns(self) -> int:
        return self.n_features_x + self.n_features_y + self.n_labels

    def update(self, X: Any, Y: Any, labels: Any = None) -> CrossMoments:
        """Take the next rows; returns self. Ctrl-C may leave the first of them taken; `row_ranges` tells.

        Parameters
        ----------
        X, Y : array, shapes (n_rows, n_features_x) and (n_rows, n_features_y)
            float16, bfloat16 (``ml_dtypes``, its two-byte void, or its bits as uint16), float32 or float64; any strides.
        labels : array, shape (n_rows, n_labels), optional
            Needed exactly if the object was made with `n_labels` > 0.

        Raises
        ------
        InputValueError
            A shape does not fit, or a value is not finite; the object is then unchanged.
        """
        given = {"X": (X, self.n_features_x), "Y": (Y, self.n_features_y)}
        if self.n_labels and labels is None:
            raise InputValueError(f"labels are missing: this CrossMoments was made with n_labels={self.n_labels}.")
        if labels is not None:
            if not self.n_labels:
                raise InputValueError("labels were given, but this CrossMoments was made with n_labels=0.")
            given["labels"] = (labels, self.n_labels)
        parts: list[Samples] = []
        for name, (values, n_columns) in given.items():
            part = as_samples(values, name, uint16_is_bfloat16=name != "labels")
            if part.n_features != n_columns:
                raise InputValueError(f"{name} must have {n_columns} columns; got shape {part.values.shape}.")
            parts.append(part)
        require_same_rows(*parts)
        for part in parts:
            require_finite(part, self._n_threads)
        self._update_checked(parts)
        return self

    def _update_checked(self, parts: list[Samples]) -> None:
        self._state.update([part.values for part in parts], n_threads=self._n_threads)

    def merge(self, other: CrossMoments) -> CrossMoments:
        """Take over the rows of `other`, which keeps its own; returns self.

        Raises
        ------
        InputTypeError
            `other` is no CrossMoments, or of another backend.
        InputValueError
            The columns differ, or both hold the same row; self is then unchanged.
        """
        if not isinstance(other, CrossMoments):
            raise InputTypeError(f"other must be a CrossMoments; got {type(other).__name__}.")
        if other.backend != self.backend:
            raise InputTypeError(
                f"cannot merge: this state is of backend {self.backend!r}, other of {other.backend!r}."
            )
        ours = (self.n_features_x, self.n_features_y, self.n_labels)
        theirs = (other.n_features_x, other.n_features_y, other.n_labels)
        if ours != theirs:
            raise InputValueError(
                f"cannot merge: (n_features_x, n_features_y, n_labels) is {ours} here, {theirs} there."
            )
        try:
            self._state.merge(other._state)
        except ValueError as error:
            raise InputValueError(f"cannot merge: {error}") from error
        return self

    @property
    def n_features_x(self) -> int:
        """Columns of X."""
        return self._n_features_x

    @property
    def n_features_y(self) -> int:
        """Columns of Y."""
        return self._n_features_y

    @property
    def n_labels(self) -> int:
        """Columns of the labels."""
        return self._n_labels

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
            if self.n_samples < 2:
                raise InputValueError(f"moments need at least 2 samples; this CrossMoments holds {self.n_samples}.")
            n_samples, mean, scatter = self._state.summarize(self._n_columns)
            cov = scatter / (n_samples - 1)
            if not np.isfinite(cov).all():
                column = int(np.flatnonzero(~np.isfinite(np.diag(cov)))[0])
                raise InputValueError(
                    f"values of column {column} of [X Y labels] are so large that their squares overflow float64; "
                    "rescale that column."
                )
            mean.setflags(write=False)
            cov.setflags(write=False)
            self._summary = _Summary(rows, mean, cov)
        return self._summary

    def _columns(self, side: str) -> slice:
        p, q = self.n_features_x, self.n_features_y
        return {"x": slice(0, p), "y": slice(p, p + q), "l": slice(p + q, self._n_columns)}[side]

    def _cov(self, rows: str, columns: str) -> np.ndarray:
        return self._moments().cov[self._columns(rows), self._columns(columns)]

    @property
    def mean_x(self) -> np.ndarray:
        """Mean of X, shape (n_features_x,)."""
        return self._moments().mean[self._columns("x")]

    @property
    def mean_y(self) -> np.ndarray:
        """Mean of Y, shape (n_features_y,)."""
        return self._moments().mean[self._columns("y")]

    @property
    def mean_labels(self) -> np.ndarray:
        """Mean of the labels, shape (n_labels,)."""
        return self._moments().mean[self._columns("l")]

    @property
    def cov_xx(self) -> np.ndarray:
        """Covariance of X, shape (n_features_x, n_features_x); read-only, as all of these."""
        return self._cov("x", "x")

    @property
    def cov_yy(self) -> np.ndarray:
        """Covariance of Y, shape (n_features_y, n_features_y)."""
        return self._cov("y", "y")

    @property
    def cov_xy(self) -> np.ndarray:
        """Cross-covariance, shape (n_features_x, n_features_y)."""
        return self._cov("x", "y")

    @property
    def cov_xl(self) -> np.ndarray:
        """Covariance of X with the labels, shape (n_features_x, n_labels)."""
        return self._cov("x", "l")

    @property
    def cov_yl(self) -> np.ndarray:
        """Covariance of Y with the labels, shape (n_features_y, n_labels)."""
        return self._cov("y", "l")

    @property
    def cov_ll(self) -> np.ndarray:
        """Covariance of the labels, shape (n_labels, n_labels)."""
        return self._cov("l", "l")


def cross_moments(
    X: Any, Y: Any, labels: Any = None, *, n_threads: int | None = None, backend: str | None = None
) -> CrossMoments:
    """Moments of two paired sample matrices, and of a numeric label matrix, in one call; see `CrossMoments`."""
    x, y = (as_samples(values, name, uint16_is_bfloat16=True) for values, name in ((X, "X"), (Y, "Y")))
    n_labels = 0 if labels is None else as_samples(labels, "labels").n_features
    moments = CrossMoments(x.n_features, y.n_features, n_labels, n_threads=n_threads, backend=backend)
    return moments.update(X, Y, labels)
