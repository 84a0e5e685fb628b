"""Seeds: what a user may pass as `rng`, and the independent streams derived from it."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from crossphase._scalars import check_integer
from crossphase.errors import InputTypeError

Seed: TypeAlias = int | np.random.SeedSequence | np.random.Generator


def seed_sequence(rng: Any) -> np.random.SeedSequence:
    """The seed that `rng` is or, if it is a generator, draws: the same generator then gives another seed next time."""
    if isinstance(rng, np.random.SeedSequence):
        return rng
    if isinstance(rng, np.random.Generator):
        return np.random.SeedSequence([int(word) for word in rng.integers(2**32, size=4)])
    if isinstance(rng, int | np.integer) and not isinstance(rng, bool):
        return np.random.SeedSequence(check_integer(rng, "rng", least=0))
    raise InputTypeError(
        f"rng must be an integer >= 0, a numpy.random.SeedSequence or a numpy.random.Generator; got {rng!r}."
    )


def derived_generator(seed: np.random.SeedSequence, *key: int) -> np.random.Generator:
    """Generator of the stream `key` of a seed: the same for the same key, whoever asks and in whatever order."""
    child = np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, *key), pool_size=seed.pool_size)
    return np.random.Generator(np.random.SFC64(child))  # the quickest of NumPy's for normals
