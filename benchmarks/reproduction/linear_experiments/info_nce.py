"""Linear InfoNCE in NumPy: the symmetric NT-Xent loss with its gradient, and the training of two linear maps with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

BLOCK_ROWS = 128  # of the logits: 0.5 MB of 1024 float32 each stay in a core's L2 until all products have read them
ADAM_DECAYS = (0.9, 0.999)  # of the means of gradients and of their squares; Kingma & Ba (2015), with its epsilon below
ADAM_EPSILON = 1e-8


class SymmetricNTXent:
    """Loss and gradient at pairs of unit vectors, for one batch size.

    With logits ``S = x^T y / temperature``, ``E = exp(S)``, row sums r and column sums c of E,

        loss = -mean_i S_ii + (mean_i log r_i + mean_j log c_j) / 2
        dloss/dS_ij = E_ij (1 / r_i + 1 / c_j) / 2n - [i = j] / n

    so that E is all that is needed, once. Logits of unit vectors are at most 1 / temperature: no maximum has to be subtracted
    while ``n exp(1 / temperature)`` is a number of the type, which float32 grants to temperatures from .0124 (n = 1024).
    """

    def __init__(self, batch_size: int, n_outputs: int, temperature: float, dtype: type = np.float32) -> None:
        if 1 / temperature + np.log(batch_size) >= np.log(np.finfo(dtype).max):
            raise ValueError(f"temperature {temperature:g} is too small for exp(1 / temperature) in {dtype.__name__}.")
        self._inverse_temperature = dtype(1 / temperature)
        self._exponentials = np.empty((batch_size, batch_size), dtype)
        self._x_and_ones = np.ones((n_outputs + 1, batch_size), dtype)
        self._y_and_ones = np.ones((n_outputs + 1, batch_size), dtype)

    def __call__(self, x: np.ndarray, y: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Loss and its gradients with respect to `x` and `y`, all of shape (n_outputs, batch_size)."""
        k, n = x.shape
        self._x_and_ones[:k], self._y_and_ones[:k] = x, y
        rows_x = np.ascontiguousarray(x.T) * self._inverse_temperature
        # The row of ones serves the sums; where it does not, it stays: OpenBLAS multiplies 4 rows faster than 3.
        by_row = np.empty_like(self._y_and_ones)  # [y; 1] E^T
        by_row_weighted = np.empty_like(self._y_and_ones)  # [y; 1] / c E^T
        by_column = np.zeros_like(self._x_and_ones)  # [x; 1] E
        by_column_weighted = np.zeros_like(self._x_and_ones)  # [x; 1] / r E
        for start in range(0, n, BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            block = self._exponentials[rows]
            np.matmul(rows_x[rows], y, out=block)
            np.exp(block, out=block)
            by_row[:, rows] = self._y_and_ones @ block.T
            by_column += self._x_and_ones[:, rows] @ block
            by_column_weighted += (self._x_and_ones[:, rows] / by_row[k, rows]) @ block
        row_sums, column_sums = by_row[k], by_column[k]
        y_weighted = self._y_and_ones / column_sums
        for start in range(0, n, BLOCK_ROWS):  # a second pass, because it needs all of c
            rows = slice(start, start + BLOCK_ROWS)
            by_row_weighted[:, rows] = y_weighted @ self._exponentials[rows].T
        scale = self._inverse_temperature / x.dtype.type(n)
        gradient_x = ((by_row[:k] / row_sums + by_row_weighted[:k]) / 2 - y) * scale
        gradient_y = ((by_column_weighted[:k] + by_column[:k] / column_sums) / 2 - x) * scale
        loss = (np.log(row_sums).mean() + np.log(column_sums).mean()) / 2 - np.vdot(x, y) * scale
        return float(loss), gradient_x, gradient_y


@dataclass(frozen=True, slots=True)
class TrainingOptions:
    """As published, except where a comment says that nothing is."""

    temperature: float
    learning_rate: float = 1e-2  # of Adam
    batch_size: int = 1024  # drawn afresh at every step, without replacement (our choice: the source is silent)
    n_steps: int = 5000  # at most
    patience: int = 300  # steps that the batch loss may stay above its best less `tolerance`
    tolerance: float = 1e-4


@dataclass(frozen=True, slots=True, eq=False)
class LinearInfoNCE:
    """Two trained linear maps."""

    weights_x: np.ndarray  # (n_features_x, n_components)
    weights_y: np.ndarray  # (n_features_y, n_components)
    best_loss: float  # of a batch
    n_steps: int


def train(
    X: np.ndarray, Y: np.ndarray, n_components: int, options: TrainingOptions, rng: np.random.Generator
) -> LinearInfoNCE:
    """Minimise the symmetric NT-Xent loss of the normalised outputs of two linear maps, in the samples' own precision.

    Weights start uniform in ±1/sqrt(n_features), a linear layer's usual start (our choice: the source is silent).
    """
    n_samples, p = X.shape
    samples = np.hstack([X, Y])
    limits = 1 / np.sqrt(np.repeat([p, Y.shape[1]], [p, Y.shape[1]]))
    weights = rng.uniform(-limits, limits, (n_components, samples.shape[1])).astype(samples.dtype)
    batch_size = min(options.batch_size, n_samples)
    loss_of = SymmetricNTXent(batch_size, n_components, options.temperature, samples.dtype.type)
    adam = _Adam(weights.shape, options.learning_rate)
    best_loss, best_step = np.inf, 0
    for step in range(1, options.n_steps + 1):
        batch = samples.take(rng.choice(n_samples, batch_size, replace=False, shuffle=False), axis=0)
        loss, gradient = linear_loss(loss_of, weights, batch, p)
        weights -= adam.update(gradient)
        if loss < best_loss - options.tolerance:
            best_loss, best_step = loss, step
        elif step - best_step >= options.patience:
            break
    return LinearInfoNCE(weights[:, :p].T, weights[:, p:].T, best_loss, step)


def linear_loss(
    loss_of: SymmetricNTXent, weights: np.ndarray, batch: np.ndarray, n_features_x: int
) -> tuple[float, np.ndarray]:
    """Loss and its gradient in the weights of both maps, shape (n_components, n_features_x + n_features_y).

    `batch` holds X and Y side by side. For u = z / |z|: dloss/dz = (g - (g^T u) u) / |z|, g = dloss/du.
    """
    views = batch[:, :n_features_x], batch[:, n_features_x:]
    maps = weights[:, :n_features_x], weights[:, n_features_x:]
    outputs = [map_ @ view.T for map_, view in zip(maps, views, strict=True)]
    lengths = [np.linalg.norm(output, axis=0) for output in outputs]
    units = [output / length for output, length in zip(outputs, lengths, strict=True)]
    loss, *gradients = loss_of(*units)
    for_maps = [
        ((gradient - np.einsum("kn,kn->n", gradient, unit) * unit) / length) @ view
        for gradient, unit, length, view in zip(gradients, units, lengths, views, strict=True)
    ]
    return loss, np.hstack(for_maps)


class _Adam:
    """Kingma & Ba (2015), with bias correction and no weight decay."""

    def __init__(self, shape: tuple[int, ...], learning_rate: float) -> None:
        self._learning_rate = learning_rate
        self._means = np.zeros((2, *shape))  # of gradients, of their squares
        self._n_updates = 0

    def update(self, gradient: np.ndarray) -> np.ndarray:
        """What to subtract from the parameters."""
        self._n_updates += 1
        corrected = []
        for i, (value, decay) in enumerate(zip((gradient, gradient**2), ADAM_DECAYS, strict=True)):
            self._means[i] += (1 - decay) * (value - self._means[i])
            corrected.append(self._means[i] / (1 - decay**self._n_updates))
        step = self._learning_rate * corrected[0] / (np.sqrt(corrected[1]) + ADAM_EPSILON)
        return step.astype(gradient.dtype)
