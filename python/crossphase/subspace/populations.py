"""Gaussian populations with given signal and nuisance values, and the sample values that they lead to.

A population is what a sample is fitted by: in the coordinates of the sample's own signal and nuisance directions, with the
labels' covariances corrected for chance, everything is known but the values. `simulate` draws a sample covariance of it and
takes the signal and nuisance values from that exactly as they were taken from the data.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from crossphase.subspace.separation import RowCounts, SeparatedValues, separate_coherence, separate_prediction
from crossphase.subspace.simulation import WishartDraw

_LARGEST_CORRELATION = 0.9999  # above, ties: residual variances lose their digits
_LEAST_EIGENVALUE = 1e-6  # of the labels' unexplained covariance, so that it has a root


class Population(Protocol):
    """What `fit.fit_values` needs to know about an operator."""

    observed: SeparatedValues
    directions_x: np.ndarray  # (p, n_directions), orthonormal, in the order of the signal values

    def to_scale(self, values: np.ndarray) -> np.ndarray:
        """The scale on which the sample's inflation of values is compared and corrected."""

    def from_scale(self, values: np.ndarray) -> np.ndarray: ...

    def scaled(self, values: np.ndarray, factors: np.ndarray | float) -> np.ndarray:
        """Values moved in proportion."""

    def limits(self, values: np.ndarray, observed: np.ndarray) -> np.ndarray:
        """The largest values worth considering, where these were fitted and those observed."""

    @property
    def chance(self) -> float:
        """Twice the standard error of a value that is 0: what nothing can be told from."""

    def first_guess(self) -> np.ndarray:
        """Nuisance values of equal size with the unbiased sum of squares."""

    def inflated(self, nuisance: np.ndarray, observed: np.ndarray, simulated: np.ndarray) -> np.ndarray:
        """Nuisance values moved by what the simulation lacks."""

    def simulate(self, signal: np.ndarray, nuisance: np.ndarray, draw: WishartDraw) -> SeparatedValues: ...


class CoherencePopulation:
    """Whitened views: canonical correlations."""

    def __init__(
        self,
        coherence: np.ndarray,
        label_x: np.ndarray,
        label_y: np.ndarray,
        shares: tuple[np.ndarray, np.ndarray],
        rows: RowCounts,
    ) -> None:
        self.observed = separate_coherence(coherence, label_x, label_y, rows)
        self._shape = coherence.shape
        self._rows = rows
        x, y = _diagonal_pair(self.observed, coherence)
        self.directions_x = x
        self._label_x = _population_labels(x.T @ label_x, shares[0])
        self._label_y = _population_labels(y.T @ label_y, shares[1])

    def to_scale(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.arctanh(np.clip(values, 0.0, 0.99999)))

    def from_scale(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.clip(np.tanh(np.maximum(values, 0.0)), 0.0, _LARGEST_CORRELATION))

    def scaled(self, values: np.ndarray, factors: np.ndarray | float) -> np.ndarray:
        return self.from_scale(factors * self.to_scale(values))

    def limits(self, values: np.ndarray, observed: np.ndarray) -> np.ndarray:  # noqa: ARG002  (of the protocol)
        return np.full(len(values), _LARGEST_CORRELATION)

    @property
    def chance(self) -> float:
        return 2 / float(np.sqrt(self._rows.pairs))

    def first_guess(self) -> np.ndarray:
        nuisance = self.observed.nuisance
        chance = max(self._shape) / self._rows.pairs
        square = (np.mean(nuisance**2) - chance) / (1 - chance)
        return np.full(len(nuisance), np.clip(np.sqrt(max(square, 0.0)), 0.01, _LARGEST_CORRELATION))

    def inflated(self, nuisance: np.ndarray, observed: np.ndarray, simulated: np.ndarray) -> np.ndarray:
        moved = self.to_scale(nuisance) + self.to_scale(observed) - self.to_scale(simulated)
        return np.sort(self.from_scale(moved))[::-1]

    def simulate(self, signal: np.ndarray, nuisance: np.ndarray, draw: WishartDraw) -> SeparatedValues:
        from scipy.linalg import solve_triangular  # noqa: PLC0415

        p, q = self._shape
        r = len(signal)
        diagonal = np.concatenate([signal, nuisance])
        k = len(diagonal)
        residual = np.ones(q)
        residual[:k] = np.sqrt(1 - diagonal**2)
        on_x = self._label_x
        on_residual = (self._label_y - signal[:, None] * on_x) / residual[:r, None]
        labels = _LabelBlock(on_x, on_residual, draw.factor, p, q)
        factor = draw.factor
        cross = residual[:, None] * factor[p : p + q, :p]
        cross[:k] += diagonal[:, None] * factor[:k, :p]
        own = residual[:, None] * factor[p : p + q, p : p + q]
        lower = np.linalg.cholesky(cross @ cross.T + own @ own.T)
        noise_x, noise_y = draw.label_noise[:p], residual[:, None] * draw.label_noise[p:]
        noise_y[:k] += diagonal[:, None] * noise_x[:k]
        scarcity = _scarcity(self._rows)
        # One solve whitens the cross-covariance and the labels' covariance with Y together.
        label_y = (cross @ labels.cross_x.T + own @ labels.cross_y.T) @ labels.whitener + scarcity * noise_y
        whitened = solve_triangular(lower, np.hstack([cross, label_y]), lower=True, check_finite=False)
        label_x = labels.cross_x.T @ labels.whitener + scarcity * noise_x
        return separate_coherence(whitened[:, :p].T, label_x, whitened[:, p:], self._rows)


class PredictionPopulation:
    """Whitened source, target in its own units: prediction gains."""

    def __init__(
        self,
        operator: np.ndarray,
        label_x: np.ndarray,
        label_y: np.ndarray,
        residual: np.ndarray,
        shares_x: np.ndarray,
        rows: RowCounts,
    ) -> None:
        self.observed = separate_prediction(operator, label_x, label_y, residual, rows)
        self._sample = operator, label_x, label_y, residual
        self._shape = operator.shape
        self._rows = rows
        x, y = _diagonal_pair(self.observed, operator)
        self.directions_x = x
        self._label_x = _population_labels(x.T @ label_x, shares_x)
        self._label_y = _oriented(y.T @ label_y, _root_without_noise(label_y, residual, operator, rows))
        nuisance_basis = _nuisance_basis(operator, x, y)
        self._root_signal = _root(y.T @ residual @ y)
        self._residual_nuisance = nuisance_basis.T @ residual @ nuisance_basis
        self._root_nuisance = _root(self._residual_nuisance)
        self._largest = float(np.sqrt(np.sum(operator**2)))

    def observed_if_scaled(self, scale: np.ndarray) -> SeparatedValues:
        """What would be observed if the target's columns were multiplied by `scale`."""
        operator, label_x, label_y, residual = self._sample
        residual = residual * scale * scale[:, None]
        return separate_prediction(operator * scale, label_x, label_y * scale[:, None], residual, self._rows)

    def to_scale(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(np.maximum(values, 1e-9 * self._largest)))

    def from_scale(self, values: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(values))

    def scaled(self, values: np.ndarray, factors: np.ndarray | float) -> np.ndarray:
        return np.asarray(factors * values)

    def limits(self, values: np.ndarray, observed: np.ndarray) -> np.ndarray:
        return np.asarray(3 * np.maximum(values, observed))  # what is three times as large would have shown

    @property
    def chance(self) -> float:
        residual = self._sample[3]
        return 2 * float(np.sqrt(max(np.trace(residual), 0.0) / len(residual) / self._rows.pairs))

    def first_guess(self) -> np.ndarray:
        square = float(np.mean(self.observed.nuisance**2))
        mean_residual = float(np.trace(self._residual_nuisance)) / max(len(self._residual_nuisance), 1)
        unbiased = max(square - max(self._shape) * mean_residual / self._rows.pairs, 1e-3 * square)
        return np.full(len(self.observed.nuisance), np.sqrt(unbiased))

    def inflated(self, nuisance: np.ndarray, observed: np.ndarray, simulated: np.ndarray) -> np.ndarray:
        squares = nuisance**2 + observed**2 - simulated**2  # noise adds to squares
        return np.sort(np.where(squares > 0, np.sqrt(np.maximum(squares, 0.0)), 0.3 * nuisance))[::-1]

    def simulate(self, signal: np.ndarray, nuisance: np.ndarray, draw: WishartDraw) -> SeparatedValues:
        from scipy.linalg import solve_triangular  # noqa: PLC0415

        p, q = self._shape
        r, k = len(signal), len(signal) + len(nuisance)
        diagonal = np.concatenate([signal, nuisance])
        on_x = self._label_x
        on_residual = solve_triangular(self._root_signal, self._label_y - signal[:, None] * on_x, lower=True)
        labels = _LabelBlock(on_x, on_residual, draw.factor, p, q)
        factor = draw.factor
        cross, own, noise_y = (
            np.vstack([self._root_signal @ block[:r], self._root_nuisance @ block[r:]])
            for block in (factor[p : p + q, :p], factor[p : p + q, p : p + q], draw.label_noise[p:])
        )
        cross[:k] += diagonal[:, None] * factor[:k, :p]
        noise_x = draw.label_noise[:p]
        noise_y[:k] += diagonal[:, None] * noise_x[:k]
        scarcity = _scarcity(self._rows)
        label_x = labels.cross_x.T @ labels.whitener + scarcity * noise_x
        label_y = (cross @ labels.cross_x.T + own @ labels.cross_y.T) @ labels.whitener + scarcity * noise_y
        degrees = self._rows.pairs - 1
        residual = own @ own.T * (degrees / max(degrees - p, 1.0))
        return separate_prediction(cross.T, label_x, label_y, residual, self._rows)


class _LabelBlock:
    """The labels' rows of a sample's Cholesky factor."""

    def __init__(self, on_x: np.ndarray, on_residual: np.ndarray, factor: np.ndarray, p: int, q: int) -> None:
        r = on_x.shape[0]
        unexplained = np.eye(on_x.shape[1]) - on_x.T @ on_x
        # Covariances estimated apart need not fit together: the second gives way, as far as it must.
        on_residual = on_residual * _fitting_share(unexplained, on_residual)
        root = _root(unexplained - on_residual.T @ on_residual)
        labels = factor[p + q :]
        self.cross_x = on_x.T @ factor[:r, :p] + on_residual.T @ factor[p : p + r, :p] + root @ labels[:, :p]
        self.cross_y = on_residual.T @ factor[p : p + r, p : p + q] + root @ labels[:, p : p + q]
        own = root @ labels[:, p + q :]
        covariance = self.cross_x @ self.cross_x.T + self.cross_y @ self.cross_y.T + own @ own.T
        self.whitener = np.linalg.inv(np.linalg.cholesky(covariance)).T


def _fitting_share(unexplained: np.ndarray, on_residual: np.ndarray) -> float:
    """Largest factor at most 1 that leaves ``unexplained - factor² on_residual^T on_residual`` positive definite."""
    root = _root(unexplained)
    relative = np.linalg.solve(root, on_residual.T)
    largest = float(np.linalg.norm(relative, 2))
    return min(1.0, 0.995 / largest) if largest > 0 else 1.0


def _root(cov: np.ndarray) -> np.ndarray:
    """Lower Cholesky factor of a covariance, eigenvalues kept away from 0."""
    values, vectors = np.linalg.eigh(cov)
    floor = _LEAST_EIGENVALUE * max(float(values[-1]), 1e-300) if len(values) else 0.0
    return np.asarray(np.linalg.cholesky((vectors * np.maximum(values, floor)) @ vectors.T))


def _scarcity(rows: RowCounts) -> float:
    """Standard deviation of what labelled rows alone leave uncertain beyond all rows."""
    return float(np.sqrt(max(1 / rows.labelled - 1 / rows.pairs, 0.0)))


def _diagonal_pair(observed: SeparatedValues, operator: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Signal bases in which the operator between them is diagonal."""
    left, _, right = np.linalg.svd(observed.directions_x.T @ operator @ observed.directions_y)
    return observed.directions_x @ left, observed.directions_y @ right.T


def _population_labels(sample: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Labels' covariances with the signal coordinates: directions of the sample, size of the corrected shares."""
    values, vectors = np.linalg.eigh(shares)
    return _oriented(sample, (vectors * np.sqrt(np.clip(values, 0.003, 0.995))) @ vectors.T)


def _root_without_noise(label_y: np.ndarray, residual: np.ndarray, operator: np.ndarray, rows: RowCounts) -> np.ndarray:
    """Root of ``label_y^T label_y`` less what noise adds to it: the target's variance over the labelled rows."""
    values, vectors = np.linalg.eigh(label_y.T @ label_y)
    noise = (np.trace(residual) + np.sum(operator**2)) / rows.labelled
    return np.asarray((vectors * np.sqrt(np.maximum(values - noise, 0.05 * np.maximum(values, 0.0)))) @ vectors.T)


def _oriented(sample: np.ndarray, root: np.ndarray) -> np.ndarray:
    """The matrix with the orientation of `sample` whose Gram matrix is ``root @ root``."""
    left, _, right = np.linalg.svd(sample)
    return np.asarray(left @ right @ root)


def _nuisance_basis(operator: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Orthonormal basis of the target's complement of the signal, leading nuisance directions first, ``(q, q - r)``."""
    complement = operator - x @ (x.T @ operator)
    complement -= (complement @ y) @ y.T
    q, r = y.shape
    gram = complement.T @ complement
    _, vectors = np.linalg.eigh(gram - y @ y.T * np.trace(gram))  # the signal's own directions come last
    return np.asarray(vectors[:, ::-1][:, : q - r])
