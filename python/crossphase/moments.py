"""Mergeable cross-moments of paired samples: the statistics that everything else is made of."""

from __future__ import annotations

import os
from typing import Any, Self

import numpy as np

from crossphase import moments_state
from crossphase._scalars import check_integer
from crossphase.errors import InputValueError
from crossphase.joint_moments import JointMoments
from crossphase.samples import as_samples


class CrossMoments(JointMoments):
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
    precision : {"auto", "f64", "f32", "bf16x6", "bf16x3", "bf16"}, default "auto"
        Arithmetic of the products. "auto" goes by the first rows: float64 for float64 samples; for float32 and float16
        float32, or two bfloat16 pieces where the processor has matrix units (errors below 3e-7 of a covariance's scale,
        ``sqrt(var_i var_j)``); bfloat16 samples as they are where the processor multiplies them. Means and variances are
        always float64. The reference backend is float64 throughout.
    n_threads : int, optional
        Default: ``CROSSPHASE_NUM_THREADS``, else one a core.
    backend : {"cpu", "reference"}, optional

    Notes
    -----
    Rows are cut on an absolute grid of blocks of 1024; every block is centred on its own mean and reduced, and blocks
    merge in float64 in a fixed binary tree. Cost O(n D²) for D columns in all; memory O(D² log n), independent of how the
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
        precision: str = "auto",
        n_threads: int | None = None,
        backend: str | None = None,
    ) -> None:
        widths = {
            "X": check_integer(n_features_x, "n_features_x", least=1),
            "Y": check_integer(n_features_y, "n_features_y", least=1),
            "labels": check_integer(n_labels, "n_labels", least=0),
        }
        super().__init__(widths, first_row=first_row, precision=precision, n_threads=n_threads, backend=backend)

    def __repr__(self) -> str:
        labels = f", n_labels={self.n_labels}" if self.n_labels else ""
        return (
            f"CrossMoments(n_features_x={self.n_features_x}, n_features_y={self.n_features_y}{labels}): "
            f"{self.n_samples} samples"
        )

    def update(self, X: Any, Y: Any, labels: Any = None) -> Self:
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
        if self.n_labels and labels is None:
            raise InputValueError(f"labels are missing: this CrossMoments was made with n_labels={self.n_labels}.")
        if labels is not None and not self.n_labels:
            raise InputValueError("labels were given, but this CrossMoments was made with n_labels=0.")
        self._take({"X": X, "Y": Y} if labels is None else {"X": X, "Y": Y, "labels": labels})
        return self

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the state as a safetensors file; rows that follow after `load` give the same bytes as without.

        Raises
        ------
        OutputError
            The file cannot be written; one that is there is unchanged.
        InputTypeError
            The state is of the reference backend, which keeps every row.
        """
        moments_state.save(self, path)

    @classmethod
    def load(cls, path: str | os.PathLike[str], *, n_threads: int | None = None) -> CrossMoments:
        """Read what `save` wrote; raises InputValueError if it is damaged, something else, or of a newer schema."""
        return moments_state.load(path, n_threads)

    def to_bytes(self) -> bytes:
        """The content of the file that `save` would make."""
        return moments_state.to_bytes(self)

    @classmethod
    def from_bytes(cls, data: bytes | bytearray | memoryview, *, n_threads: int | None = None) -> CrossMoments:
        """The state that `to_bytes` was given."""
        return moments_state.from_bytes(data, n_threads)

    @property
    def n_features_x(self) -> int:
        """Columns of X."""
        return self._widths["X"]

    @property
    def n_features_y(self) -> int:
        """Columns of Y."""
        return self._widths["Y"]

    @property
    def n_labels(self) -> int:
        """Columns of the labels."""
        return self._widths["labels"]

    @property
    def mean_x(self) -> np.ndarray:
        """Mean of X, shape (n_features_x,)."""
        return self._mean("X")

    @property
    def mean_y(self) -> np.ndarray:
        """Mean of Y, shape (n_features_y,)."""
        return self._mean("Y")

    @property
    def mean_labels(self) -> np.ndarray:
        """Mean of the labels, shape (n_labels,)."""
        return self._mean("labels")

    @property
    def cov_xx(self) -> np.ndarray:
        """Covariance of X, shape (n_features_x, n_features_x); read-only, as all of these."""
        return self._cov("X", "X")

    @property
    def cov_yy(self) -> np.ndarray:
        """Covariance of Y, shape (n_features_y, n_features_y)."""
        return self._cov("Y", "Y")

    @property
    def cov_xy(self) -> np.ndarray:
        """Cross-covariance, shape (n_features_x, n_features_y)."""
        return self._cov("X", "Y")

    @property
    def cov_xl(self) -> np.ndarray:
        """Covariance of X with the labels, shape (n_features_x, n_labels)."""
        return self._cov("X", "labels")

    @property
    def cov_yl(self) -> np.ndarray:
        """Covariance of Y with the labels, shape (n_features_y, n_labels)."""
        return self._cov("Y", "labels")

    @property
    def cov_ll(self) -> np.ndarray:
        """Covariance of the labels, shape (n_labels, n_labels)."""
        return self._cov("labels", "labels")


def cross_moments(
    X: Any,
    Y: Any,
    labels: Any = None,
    *,
    precision: str = "auto",
    n_threads: int | None = None,
    backend: str | None = None,
) -> CrossMoments:
    """Moments of two paired sample matrices, and of a numeric label matrix, in one call; see `CrossMoments`."""
    x, y = (as_samples(values, name, uint16_is_bfloat16=True) for values, name in ((X, "X"), (Y, "Y")))
    n_labels = 0 if labels is None else as_samples(labels, "labels").n_features
    moments = CrossMoments(
        x.n_features, y.n_features, n_labels, precision=precision, n_threads=n_threads, backend=backend
    )
    return moments.update(X, Y, labels)
