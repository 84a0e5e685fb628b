"""Resamples of a pair without shared signal, and the largest canonical correlations that remain in them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from crossphase._threads import single_threaded_blas
from crossphase.errors import InputValueError
from crossphase.row_blocks import RowBlocks

_CHUNK = 32  # resamples a task: one matrix product reads the blocks' products once for all of them
_MOST_KEPT = 2**24  # numbers in resampled cross-products that are kept: 128 MiB


class CanonicalResamples(ABC):
    """Resampled cross-products of orthonormal scores, and what of them remains when leading directions are taken out.

    `cross` is the pair's own cross-product, shape (rank_x, rank_y); its singular values are the canonical correlations.
    """

    def __init__(self, cross: np.ndarray, n_resamples: int, n_units: int) -> None:
        self.shape = cross.shape
        self.n_units = n_units
        self._n_resamples = n_resamples
        left, values, right = np.linalg.svd(cross, full_matrices=True)
        self._left, self._right = left, right.T  # from scores to canonical variates, null directions included
        self.correlations = np.minimum(values, 1.0)
        self._kept: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # draws, for later steps

    @abstractmethod
    def _draw(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        """Resamples `start` to `stop` of the canonical variates: cross-products, and products of X's with the constant.

        Shapes (n, rank_x, rank_y) and (n, rank_x); the constant is the vector of length 1 with equal entries.
        """

    def largest_correlations(self, step: int, n_threads: int) -> np.ndarray:
        """Largest canonical correlation of every resample without the first `step` pairs of variates, (n_resamples,).

        The variates left of either view, those of X resampled, are residualized on the constant, on the resampled first
        variates of X and on the first variates of Y: what the pair's own variates are uncorrelated with, too.
        """
        starts = range(0, self._n_resamples, _CHUNK)

        def chunk(start: int) -> np.ndarray:
            return np.array([self._largest(*pair, step) for pair in zip(*self._drawn(start), strict=True)])

        with single_threaded_blas(), ThreadPoolExecutor(n_threads) as pool:
            return np.concatenate(list(pool.map(chunk, starts)))

    def _drawn(self, start: int) -> tuple[np.ndarray, np.ndarray]:
        if start in self._kept:
            return self._kept[start]
        draws = self._draw(start, min(start + _CHUNK, self._n_resamples))
        if self._n_resamples * self.shape[0] * self.shape[1] <= _MOST_KEPT:
            self._kept[start] = draws
        return draws

    def _largest(self, cross: np.ndarray, constant: np.ndarray, step: int) -> float:
        if step == 0:  # variates of Y are uncorrelated with the constant already
            return _largest_singular_value(_whitened(cross, constant[:, None]))
        # Products among what is taken out, W = (constant, first of X, first of Y), and of the rest of either view with it.
        among = np.eye(1 + 2 * step)
        among[0, 1 : 1 + step] = among[1 : 1 + step, 0] = constant[:step]
        among[1 : 1 + step, 1 + step :] = cross[:step, :step]
        among[1 + step :, 1 : 1 + step] = cross[:step, :step].T
        rest_x = np.hstack([constant[step:, None], np.zeros((self.shape[0] - step, step)), cross[step:, :step]])
        rest_y = np.zeros((self.shape[1] - step, 1 + 2 * step))
        rest_y[:, 1 : 1 + step] = cross[:step, step:].T
        values, axes = np.linalg.eigh(among)
        independent = values > 1e-10  # a resample that repeats the data may repeat a variate
        orthonormal = axes[:, independent] / np.sqrt(values[independent])
        removed_x, removed_y = rest_x @ orthonormal, rest_y @ orthonormal
        remaining = cross[step:, step:] - removed_x @ removed_y.T
        return _largest_singular_value(_whitened(_whitened(remaining, removed_x).T, removed_y))


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
        self._products = (self._left.T @ products @ self._right).reshape(n_blocks, -1)
        self._constants = sums_x @ self._left / np.sqrt(n_samples)
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
        self._scores_x = (scores_x @ self._left).reshape(self.n_units, -1, self.shape[0])
        self._scores_y = scores_y @ self._right
        self._orders = [generator.permutation(self.n_units) for _ in range(n_resamples)]

    def _draw(self, start: int, stop: int) -> tuple[np.ndarray, np.ndarray]:
        crosses = [
            self._scores_x[order].reshape(-1, self.shape[0]).T @ self._scores_y for order in self._orders[start:stop]
        ]
        return np.array(crosses), np.zeros((stop - start, self.shape[0]))  # permuted scores stay centred


def random_signs(generator: np.random.Generator, n_resamples: int, n_units: int) -> np.ndarray:
    """Signs -1.0 and 1.0, shape (n_resamples, n_units)."""
    return 2.0 * generator.integers(0, 2, (n_resamples, n_units)) - 1.0


def _whitened(cross: np.ndarray, removed: np.ndarray) -> np.ndarray:
    """``(I - R R^T)^(-1/2) cross``: R holds the products of orthonormal variates with what is taken out of them."""
    axes, correlations, _ = np.linalg.svd(removed, full_matrices=False)
    # The floor: of variates that what is taken out determines nothing but rounding remains.
    growth = 1 / np.sqrt(np.maximum(1 - correlations**2, 1e-12)) - 1
    return np.asarray(cross + (axes * growth) @ (axes.T @ cross))


def _largest_singular_value(matrix: np.ndarray) -> float:
    from scipy.linalg import eigvalsh  # noqa: PLC0415  (SciPy only where it is needed; it can look for one eigenvalue alone)

    gram = matrix @ matrix.T if matrix.shape[0] <= matrix.shape[1] else matrix.T @ matrix
    last = len(gram) - 1
    largest = eigvalsh(gram, subset_by_index=(last, last), check_finite=False)[0]
    return float(np.sqrt(np.clip(largest, 0.0, 1.0)))
