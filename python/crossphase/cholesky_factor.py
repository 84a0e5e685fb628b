"""Cholesky factor of a covariance, its columns scaled first: a whitener at the cost of a third of a matrix product."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from crossphase import _core
from crossphase._threads import single_threaded_blas
from crossphase.covariances import unit_scales

# Directions of at most this share of the largest variance, columns scaled to unit variance, count as null: rounding feigns
# correlations of 1e-16 / 1e-10 in them. The same as `rcond` of `crossphase.coherence`.
RCOND = 1e-10
_MOST_NAMED = 16  # columns in a message


@dataclass(frozen=True, slots=True)
class Regularization:
    """``(1 - shrinkage) cov + (shrinkage + ridge) m I``, m the mean variance of the columns: scaling a view scales it."""

    ridge: float = 0.0  # >= 0
    shrinkage: float = 0.0  # in [0, 1]

    def apply(self, cov: np.ndarray) -> np.ndarray:
        """The regularized covariance."""
        regularized = (1 - self.shrinkage) * cov
        regularized[np.diag_indices_from(regularized)] += (self.shrinkage + self.ridge) * np.diag(cov).mean()
        return np.asarray(regularized)


class CholeskyFactor:
    """Lower factor L of a regularized covariance, ``L L^T``, computed on first use.

    Columns are first scaled by powers of two to about unit variance, which is exact and makes the condition that of the
    correlation matrix.

    Parameters
    ----------
    cov : array, shape (p, p)
    name : str
        Of the view, in messages.
    regularization : Regularization
    n_samples : int, optional
        Rows that the covariance comes from, for the message.
    null_variance : float
        Variance, columns scaled to unit variance, that errors of the covariance could feign.

    Raises
    ------
    numpy.linalg.LinAlgError
        On first use, if the regularized covariance is singular.
    """

    def __init__(
        self,
        cov: np.ndarray,
        name: str,
        regularization: Regularization,
        *,
        n_samples: int | None = None,
        null_variance: float = RCOND,
    ) -> None:
        self._cov = cov
        self._name = name
        self._regularization = regularization
        self._n_samples = n_samples
        self._null_variance = null_variance

    def factorize(self) -> None:
        """Compute the factor now, if it is not there yet."""
        _ = self._factor

    @cached_property
    def _factor(self) -> tuple[np.ndarray, np.ndarray]:
        """Scales of the columns, and the upper factor L^T of the scaled covariance, in the order that LAPACK likes."""
        from scipy.linalg import lapack  # noqa: PLC0415  (SciPy only where it is needed)

        cov = self._regularization.apply(self._cov)
        scale = unit_scales(np.diag(cov))
        scaled = cov / scale / scale[:, None]
        with single_threaded_blas():
            try:
                upper = np.linalg.cholesky(scaled).T  # NumPy's lets other threads run, SciPy's does not
            except np.linalg.LinAlgError:
                raise np.linalg.LinAlgError(self._is_singular(scaled)) from None
            norm = float(np.abs(scaled).sum(axis=0).max())
            # A 1-norm condition is at most p times that of the eigenvalues; the estimate is rarely 10 times off.
            is_suspicious = lapack.dpocon(upper, norm, uplo="U")[0] < 10 * len(scaled) * self._null_variance
            if is_suspicious and self._numerical_rank(scaled) < len(scaled):
                raise np.linalg.LinAlgError(self._is_singular(scaled))
        return scale, upper

    def _is_singular(self, scaled: np.ndarray) -> str:
        """What is wrong with it, and what helps."""
        from scipy.linalg import lapack  # noqa: PLC0415

        p = len(scaled)
        constant = np.flatnonzero(np.diag(self._cov) <= 0)
        if len(constant) == p:
            return f"{self._name} is constant: none of its columns varies. Check that it holds what it should."
        _, pivots, found, _ = lapack.dpstrf(scaled, tol=self._null_variance * float(np.diag(scaled).max()), lower=1)
        rank = min(self._numerical_rank(scaled), p - 1)
        remedy = "Pass a larger ridge" if self._regularization.ridge > 0 else "Pass ridge > 0"
        causes = [_named(constant, "is constant", "are constant")]
        if self._n_samples is not None and self._n_samples <= p:
            causes.append(f"{self._n_samples} rows cannot determine {p} columns.")
            other = f"take fewer columns of {self._name} (principal components)"
        else:
            repeated = np.setdiff1d(pivots[found:] - 1, constant)
            causes.append(_named(repeated, "follows from the others", "follow from the others"))
            other = f"drop those columns of {self._name}"
        if self._null_variance > RCOND:
            other += ', or sum with precision="f64" what only looks singular in fewer digits'
        return (
            f"the covariance of {self._name} is singular (rank {rank} of {p} with ridge {self._regularization.ridge:g}). "
            f'{" ".join(filter(None, causes))} {remedy} or ridge="auto", or {other}.'
        )

    def _numerical_rank(self, scaled: np.ndarray) -> int:
        values = np.linalg.eigvalsh(scaled)
        return int((values > max(RCOND * values[-1], self._null_variance)).sum())

    def whiten(self, matrix: np.ndarray, *, n_threads: int = 1) -> np.ndarray:
        """``L^-1 matrix``; a matrix of shape (p, anything). Threads do not change the result."""
        scale, upper = self._factor
        rows = np.divide(matrix.T, scale, out=np.empty(matrix.shape[::-1]))
        with single_threaded_blas():
            _core.cpu.solve_lower(upper.T, rows, n_threads=n_threads)
        return np.asarray(rows.T)

    def weights(self, directions: np.ndarray) -> np.ndarray:
        """``L^-T directions``: weights on the columns that give whitened scores."""
        from scipy.linalg import blas  # noqa: PLC0415

        scale, upper = self._factor
        with single_threaded_blas():
            return np.asarray(blas.dtrsm(1.0, upper, directions) / scale[:, None])


def _named(columns: np.ndarray, one: str, many: str) -> str:
    if not len(columns):
        return ""
    if len(columns) == 1:
        return f"Its column {columns[0]} {one}."
    shown = ", ".join(map(str, columns[:_MOST_NAMED])) + (", ..." if len(columns) > _MOST_NAMED else "")
    return f"Its columns {shown} {many}."
