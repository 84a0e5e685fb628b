"""Moments of more than two views."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

import numpy as np

from crossphase._scalars import check_integer
from crossphase.errors import InputTypeError, InputValueError
from crossphase.joint_moments import JointMoments


class MultiviewMoments(JointMoments):
    """Counts, means and covariances of the paired rows of several views; see `CrossMoments`.

    Parameters
    ----------
    n_features : sequence of int
        Columns of each view.
    first_row, precision, n_threads, backend
        As for `CrossMoments`.
    """

    def __init__(
        self,
        n_features: Sequence[int],
        *,
        first_row: int = 0,
        precision: str = "auto",
        n_threads: int | None = None,
        backend: str | None = None,
    ) -> None:
        if len(n_features) < 2:
            raise InputValueError(f"n_features must hold the columns of at least 2 views; got {len(n_features)}.")
        widths = {view_name(i): check_integer(p, f"n_features[{i}]", least=1) for i, p in enumerate(n_features)}
        super().__init__(widths, first_row=first_row, precision=precision, n_threads=n_threads, backend=backend)

    def __repr__(self) -> str:
        return f"MultiviewMoments(n_features={self.n_features}): {self.n_samples} samples"

    @property
    def n_features(self) -> tuple[int, ...]:
        """Columns of each view."""
        return tuple(self._widths.values())

    def update(self, views: Sequence[Any]) -> Self:
        """Take the next rows of every view, arrays of shape (n_rows, n_features[i]); returns self."""
        require_views(views, len(self._widths))
        self._take({view_name(i): view for i, view in enumerate(views)})
        return self

    def mean(self, i: int) -> np.ndarray:
        """Mean of view i, shape (n_features[i],)."""
        return self._mean(view_name(i))

    def cov(self, i: int, j: int) -> np.ndarray:
        """Covariance of views i and j, shape (n_features[i], n_features[j])."""
        return self._cov(view_name(i), view_name(j))


def view_name(i: int) -> str:
    return f"views[{i}]"


def require_views(views: Any, n_views: int | None = None) -> list[Any]:
    if not isinstance(views, list | tuple):
        raise InputTypeError(f"views must be a list of arrays, one a view; got {type(views).__name__}.")
    if n_views is None and len(views) < 2:
        raise InputValueError(f"views must hold at least 2 views; got {len(views)}.")
    if n_views is not None and len(views) != n_views:
        raise InputValueError(f"views must hold {n_views} views, as when fitted; got {len(views)}.")
    return list(views)
