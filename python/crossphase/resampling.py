"""Resamples of a pair without shared signal, and the largest canonical correlations that remain in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from crossphase._threads import single_threaded_blas
from crossphase.errors import InputValueError
from crossphase.row_blocks import RowBlocks

_CHUNK = 8  # resamples a task: their cross-products are one matrix product


class CanonicalResamples(ABC):
    """Resampled cross-products of orthonormal scores, and what of them remains when leading directions are taken out.

    `cross` is the pair's own cross-product, shape (rank_x, rank_y); its singular values are the canonical correlations.
    """

    def __init__(self, cross: np.ndarray, n_resamples: int, n_units: int) -> None:
        self.shape = cross.shape
        self.n_units = n_units
        self._n_resamples = n_resamples
        self._left, values, right = np.linalg.svd(cross, full_matrices=True)
        self._right = right.T
        self.correlations = np.minimum(values, 1.0)

    @abstractmethod
    def _draw(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Resamples `start` to `stop`: cross-products (n, rank_x, rank_y), products of X's scores with the constant (n, rank_x).

        The constant is the vector of length 1 with equal entries.
        """

    def largest_correlations(self, step: int, n_threads: int) -> np.ndarray:
        """Largest canonical correlation of every resample without the first `step` pairs of variates, (n_resamples,).

        The resampled scores of X, those of the variates behind the first `step`, are residualized on the constant and on Y's
        first variates; those of Y are orthogonal to both already.
        """
        starts = range(0, self._n_resamples, _CHUNK)

        def chunk(start: int) -> np.ndarray:
            crosses, constants = self._draw(start, min(start + _CHUNK, self._n_resamples))
            return np.array([self._largest(*pair, step) for pair in zip(crosses, constants, strict=True)])

        with single_threaded_blas(), ThreadPoolExecutor(n_threads) as pool:
            return np.concatenate(list(pool.map(chunk, starts)))

    def _largest(self, cross: np.ndarray, constant: np.ndarray, step: int) -> float:
        removed = constant[:, None]
        if step:
            cross, removed = self._left.T @ cross @ self._right, self._left.T @ removed
            removed = np.hstack([removed, cross[:, :step]])[step:]
            cross = cross[step:, step:]
        return _largest_singular_value(_residualized(cross, removed))


class SignFlips(CanonicalResamples):
    """Blocks of rows of X with random signs; X is centred again.

    Flipped data are as likely as the data themselves where rows are symmetric about their mean and the views
    uncorrelated, whatever scale a row of X shares with its row of Y. Everything follows from products block by block.

    Parameters
    ----------
    products : array, shape (n_blocks, rank_x, rank_y)
        ``scores_x.T @ scores_y`` of each block's rows; scores are centred and orthonormal over all rows.
    sums_x : array, shape (n_blocks, rank_x)
        Sums of the scores of X over each block's rows.
    n_samples : int
        Rows in all.
    """

    def __init__(
        self,
        products: np.ndarray,
        sums_x: np.ndarray,
        n_samples: int,
        n_resamples: int,
        generator: np.random.Generator,
    ) -> None:
        n_blocks = len(products)
        super().__init__(products.sum(axis=0), n_resamples, n_blocks)
        self._products = products.reshape(n_blocks, -1)
        self._constants = sums_x / np.sqrt(n_samples)
        self._signs = random_signs(generator, n_resamples, n_blocks)

    def _draw(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        signs = self._signs[start:stop]
        return (signs @ self._products).reshape(-1, *self.shape), signs @ self._constants


class Permutations(CanonicalResamples):
    """Rows of X, or whole groups of equal size, in random order.

    Parameters
    ----------
    scores_x, scores_y : arrays, shapes (n_samples, rank_x) and (n_samples, rank_y)
        Centred and orthonormal.
    groups : RowBlocks or None
        Exchanged whole, their rows in order. None: rows are exchanged.
    """

    def __init__(
        self,
        scores_x: np.ndarray,
        scores_y: np.ndarray,
        groups: RowBlocks | None,
        n_resamples: int,
        generator: np.random.Generator,
    ) -> None:
        n = len(scores_x)
        super().__init__(scores_x.T @ scores_y, n_resamples, n if groups is None else len(groups))
        if groups is not None:
            sizes = np.diff(groups.starts)
            if sizes.min() != sizes.max():
                raise InputValueError(
                    f"groups must all have the same number of rows to be exchanged; got from {sizes.min()} to {sizes.max()}. "
                    'Use method="sign_flip", which takes groups of any size.'
                )
            scores_x, scores_y = scores_x[groups.order], scores_y[groups.order]
        self._scores_x, self._scores_y = scores_x.reshape(self.n_units, -1, self.shape[0]), scores_y
        self._orders = [generator.permutation(self.n_units) for _ in range(n_resamples)]

    def _draw(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        crosses = [
            self._scores_x[order].reshape(-1, self.shape[0]).T @ self._scores_y for order in self._orders[start:stop]
        ]
        return np.array(crosses), np.zeros((stop - start, self.shape[0]))  # permuted scores stay centred


def random_signs(generator: np.random.Generator, n_resamples: int, n_units: int) -> np.ndarray:
    """Signs -1.0 and 1.0, shape (n_resamples, n_units)."""
    return 2.0 * generator.integers(0, 2, (n_resamples, n_units)) - 1.0


def _residualized(cross: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """``(I - R R^T)^(-1/2) cross``: R holds the correlations of orthonormal scores with what is regressed out of them."""
    axes, correlations, _ = np.linalg.svd(removed, full_matrices=False)
    # The floor: of scores that what is removed determines nothing but rounding remains.
    growth = 1 / np.sqrt(np.maximum(1 - correlations**2, 1e-12)) - 1
    return np.asarray(cross + (axes * growth) @ (axes.T @ cross))


def _largest_singular_value(matrix: np.ndarray) -> float:
    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    return float(np.sqrt(np.clip(np.linalg.eigvalsh(gram)[-1], 0.0, 1.0)))
