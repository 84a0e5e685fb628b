"""Sample covariances of a Gaussian population, drawn without drawing rows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from crossphase._seeds import derived_generator

_MOST_KEPT_BYTES = 1 << 26  # of draws; beyond, they are made again whenever they are wanted


@dataclass(frozen=True, slots=True, eq=False)
class WishartDraw:
    """Cholesky factor of one standard Wishart matrix over its degrees of freedom, and noise for what fewer rows told.

    Bartlett (1933): with ``factor`` lower triangular, ``F factor factor^T F^T`` is a sample covariance of a population
    ``F F^T``. If F is lower triangular so is the product, which is then the sample's own Cholesky factor: whitening the first
    block of variables costs nothing.
    """

    factor: np.ndarray  # (n_variables, n_variables)
    label_noise: np.ndarray  # (n_variables - n_labels, n_labels), standard normal


def draw_wishart(n_variables: int, n_labels: int, degrees: int, rng: np.random.Generator) -> WishartDraw:
    """One draw for `n_variables` variables, the last `n_labels` of them labels."""
    factor = np.tril(rng.standard_normal((n_variables, n_variables)), -1)
    factor[np.diag_indices(n_variables)] = np.sqrt(rng.chisquare(degrees - np.arange(n_variables)))
    factor /= np.sqrt(degrees)
    return WishartDraw(factor, rng.standard_normal((n_variables - n_labels, n_labels)))


class WishartDraws:
    """Draws by number, the same whenever they are asked for; kept in memory if all together are small."""

    def __init__(
        self,
        n_draws: int,
        n_variables: int,
        n_labels: int,
        degrees: int,
        seed: np.random.SeedSequence,
        stream: tuple[int, ...],
    ) -> None:
        self._n_draws = n_draws
        self._sizes = n_variables, n_labels, degrees
        self._seed = seed
        self._stream = stream
        is_small = n_draws * n_variables**2 * 8 <= _MOST_KEPT_BYTES
        self._kept = [self._draw(index) for index in range(n_draws)] if is_small else None

    def first(self, n: int | None = None) -> Iterator[WishartDraw]:
        """The first n draws, or all."""
        for index in range(self._n_draws if n is None else n):
            yield self._kept[index] if self._kept is not None else self._draw(index)

    def _draw(self, index: int) -> WishartDraw:
        return draw_wishart(*self._sizes, derived_generator(self._seed, *self._stream, index))
