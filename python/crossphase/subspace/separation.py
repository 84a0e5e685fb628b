"""Signal values and nuisance spectrum of an operator, given what the labels point at on either side.

Directions come from two sources with known noise, and each is weighted by its precision: the labels' covariances with a
view, and the operator's image of the partner direction on the other side. The second is the better one where labels are
noisy and the views share their signal strongly.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_LEAST_SHARE = 0.01  # of a label direction's variance that a view is taken to explain, so that precisions stay finite
_MOST_SHARE = 0.999


@dataclass(frozen=True, slots=True, eq=False)
class SeparatedValues:
    """Singular values of the operator between the signal subspaces, and between their complements."""

    signal: np.ndarray  # (n_directions,), descending
    nuisance: np.ndarray  # (min(p, q) - n_directions,), descending
    directions_x: np.ndarray  # (p, n_directions), orthonormal
    directions_y: np.ndarray  # (q, n_directions)
    leakage: float  # share of what the operator makes of the labels' directions that falls outside the other view's, in [0, 1]


@dataclass(frozen=True, slots=True)
class RowCounts:
    """How many rows the covariances come from: the noise in them."""

    pairs: float  # effective number of pairs
    labelled: float  # effective number of pairs that have labels


def separate_coherence(
    coherence: np.ndarray, label_x: np.ndarray, label_y: np.ndarray, rows: RowCounts
) -> SeparatedValues:
    """Separate the coherence.

    Parameters
    ----------
    coherence : array, shape (p, q)
    label_x, label_y : array, shapes (p, r) and (q, r)
        Covariances of the whitened views with r uncorrelated label directions of unit variance.
    """
    p, q = coherence.shape
    x, y, values = _paired(label_x, label_y, coherence)
    noise_x = _label_noise(label_x, x, p, rows)
    noise_y = _label_noise(label_y, y, q, rows)
    strength = np.clip(values, 0.05, 0.99)
    mean_square = max((np.sum(coherence**2) - np.sum(values**2)) / min(p, q) - max(p, q) / rows.pairs, 0.0)
    image_noise_x = (p / rows.pairs * (1 - strength**2) + _sine2(noise_y) * mean_square) / strength**2
    image_noise_y = (q / rows.pairs * (1 - strength**2) + _sine2(noise_x) * mean_square) / strength**2
    image_x, image_y = coherence @ y, coherence.T @ x
    return _values_between(
        coherence,
        _combined(x, noise_x, image_x, image_noise_x),
        _combined(y, noise_y, image_y, image_noise_y),
        _leakage(values, image_x, image_y),
    )


def separate_prediction(
    operator: np.ndarray, label_x: np.ndarray, label_y: np.ndarray, residual: np.ndarray, rows: RowCounts
) -> SeparatedValues:
    """Separate the prediction operator X -> Y.

    Parameters
    ----------
    operator : array, shape (p, q)
        Covariance of whitened X with Y in its own units.
    label_x : array, shape (p, r)
        Covariance of whitened X with the label directions.
    label_y : array, shape (q, r)
        Covariance of Y, in its own units, with them.
    residual : array, shape (q, q)
        Covariance of Y given X.
    """
    p, q = operator.shape
    x, y, values = _paired(label_x, label_y, operator)
    noise_x = _label_noise(label_x, x, p, rows)
    total_residual = float(np.trace(residual))
    square = float(np.sum(operator**2))
    energy = np.sum((label_y.T @ y) ** 2, axis=0)
    label_error = (total_residual + square) / rows.labelled
    noise_y = label_error / np.maximum(energy - label_error, 0.05 * energy)
    gain2 = np.maximum(values**2, 1e-12 * square)
    mean_square = max((square - np.sum(values**2) - p * total_residual / rows.pairs) / min(p, q), 0.0)
    residual_on_y = np.einsum("ij,ij->j", y, residual @ y)
    image_noise_x = (p / rows.pairs * residual_on_y + _sine2(noise_y) * mean_square) / gain2
    image_noise_y = (total_residual / rows.pairs + _sine2(noise_x) * mean_square) / gain2
    image_x, image_y = operator @ y, operator.T @ x
    return _values_between(
        operator,
        _combined(x, noise_x, image_x, image_noise_x),
        _combined(y, noise_y, image_y, image_noise_y),
        _leakage(values, image_x, image_y),
    )


def explained_share(energy: np.ndarray, n_features: int, rows: RowCounts) -> np.ndarray:
    """Share of label variance that a view explains in the population, from ``|cov(whitened view, label)|²`` in the sample.

    Of an unrelated label the sample explains ``n_features / n_labelled``; whitening by the same rows that carry the labels
    takes that part from what is left to explain. With all rows labelled this is the adjusted R². Of several uncorrelated labels,
    the matrix ``cov^T cov`` gives the matrix of shares.
    """
    chance = n_features / rows.labelled * (np.eye(len(energy)) if energy.ndim == 2 else 1.0)
    return np.asarray((energy - chance) / (1 - n_features / rows.pairs))


def _paired(
    label_x: np.ndarray, label_y: np.ndarray, operator: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bases of both label subspaces in which the operator between them is diagonal, and its values."""
    basis_x, basis_y = np.linalg.qr(label_x)[0], np.linalg.qr(label_y)[0]
    left, values, right = np.linalg.svd(basis_x.T @ operator @ basis_y)
    return basis_x @ left, basis_y @ right.T, values


def _label_noise(labels: np.ndarray, directions: np.ndarray, n_features: int, rows: RowCounts) -> np.ndarray:
    """Squared error of label-derived directions, relative to their length."""
    energy = np.sum((labels.T @ directions) ** 2, axis=0)
    share = np.clip(explained_share(energy, n_features, rows), _LEAST_SHARE, _MOST_SHARE)
    return np.asarray(n_features / rows.labelled * (1 - share) / share)


def _sine2(noise: np.ndarray) -> np.ndarray:
    return np.asarray(noise / (1 + noise))


def _combined(from_labels: np.ndarray, noise: np.ndarray, image: np.ndarray, image_noise: np.ndarray) -> np.ndarray:
    """Precision-weighted mean of two estimates of the same directions, each scaled to unit length on the truth."""
    unit_image = image / np.maximum(np.linalg.norm(image, axis=0), 1e-300)
    noise, image_noise = np.maximum(noise, 1e-9), np.maximum(image_noise, 1e-9)
    mean = from_labels * np.sqrt(1 + noise) / noise + unit_image * np.sqrt(1 + image_noise) / image_noise
    return np.asarray(np.linalg.qr(mean)[0])


def _leakage(values: np.ndarray, image_x: np.ndarray, image_y: np.ndarray) -> float:
    images = float(np.sum(image_x**2) + np.sum(image_y**2))
    return 1 - 2 * float(np.sum(values**2)) / images if images > 0 else 0.0


def _values_between(operator: np.ndarray, x: np.ndarray, y: np.ndarray, leakage: float) -> SeparatedValues:
    projected_x, projected_y = x.T @ operator, operator @ y
    core = projected_x @ y
    complement = operator - x @ projected_x
    complement -= (projected_y - x @ core) @ y.T
    p, q = operator.shape
    gram = complement @ complement.T if p <= q else complement.T @ complement
    n_nuisance = min(p, q) - x.shape[1]
    squares = np.linalg.eigvalsh(gram)[::-1][:n_nuisance]
    return SeparatedValues(np.linalg.svd(core, compute_uv=False), np.sqrt(np.maximum(squares, 0.0)), x, y, leakage)
