"""How much work a reproduction does: the published settings, and a reduced form for tests."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Settings:
    """What all experiments share; what is an experiment's own stands in its module."""

    n_samples: int = 5000
    n_seeds: int = 10  # seeds 0, 1, ...; a seed draws the same latent variables at every point of a grid
    thinning: int = 1  # of every grid, each `thinning`-th point is kept, from the last one backwards
    n_seeds_info_nce: int = 20
    n_steps_info_nce: int = 5000  # at most
    n_processes: int = 2  # for InfoNCE

    def thin(self, grid: np.ndarray) -> np.ndarray:
        """The last point of a grid, where most of them have their hardest case, and every `thinning`-th before it."""
        return grid[::-1][:: self.thinning][::-1]


PUBLISHED = Settings()
REDUCED = Settings(n_seeds=4, thinning=4, n_seeds_info_nce=1, n_steps_info_nce=700, n_processes=1)
