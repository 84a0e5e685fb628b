"""Everything besides the data that a diagnosis depends on: as asked for, and as it is recorded."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from crossphase._scalars import check_choice, check_integer, check_number
from crossphase._seeds import Seed, seed_sequence
from crossphase._threads import resolve_n_threads
from crossphase.components import ComponentOptions
from crossphase.errors import InputTypeError, InputValueError
from crossphase.rehearsal import AtUse
from crossphase.signals import SignalRule


class Method(StrEnum):
    """How signal is told from nuisance."""

    SUBSPACE = "subspace"  # the subspace that the labels define, with uncertainty
    COMPONENTS = "components"  # the published procedure


class Source(StrEnum):
    """Where the numbers come from."""

    MEMORY = "memory"  # every row was at hand
    READ_ONCE = "one pass"  # the moments of all rows, summed in one pass, and a sample of the rows


@dataclass(frozen=True, slots=True)
class DiagnosisSettings:
    """How the numbers were made."""

    method: Method
    source: Source
    precision: str  # of the products summed in the moments: "f64", or one of `CrossMoments`
    n_sample_rows: int | None  # that leverages, audit, tests and rehearsal have seen; None: all
    standardize: bool
    reduce_x: int | None  # principal components kept of X; None: all features
    reduce_y: int | None
    at_use: AtUse
    has_groups: bool
    has_nuisance_labels: bool
    seed: str  # of everything drawn; the published procedure has fixed seeds of its own
    signal_rule: SignalRule | None  # of the published procedure, as the next
    components: ComponentOptions | None


@dataclass(frozen=True, slots=True, eq=False)
class DiagnosisOptions:
    """What `crossphase.diagnose` was asked for, checked."""

    method: Method
    at_use: AtUse
    rehearse: bool
    audit: bool
    standardize: bool
    reduce: str | tuple[int | None, int | None]  # "auto", or what to keep of X and of Y
    seed: np.random.SeedSequence
    signal_rule: SignalRule  # of the published procedure, as the next
    components: ComponentOptions
    n_threads: int
    backend: str | None

    @property
    def is_published(self) -> bool:
        """Whether the published procedure was asked for."""
        return self.method is Method.COMPONENTS


def checked_options(
    *,
    method: Any,
    at_use: Any,
    rehearse: Any,
    audit: Any,
    standardize: Any,
    reduce: Any,
    rng: Seed,
    signal_rule: Any,
    n_components: Any,
    n_folds: Any,
    n_permutations: Any,
    alpha: Any,
    ridge: Any,
    n_threads: Any,
    backend: str | None,
) -> DiagnosisOptions:
    """Options of these values, or a sentence that names the first that cannot be."""
    chosen_method = check_choice(method, "method", Method)
    rule = check_choice(signal_rule, "signal_rule", SignalRule)
    components = ComponentOptions(
        n_components=check_integer(n_components, "n_components", least=1),
        n_folds=check_integer(n_folds, "n_folds", least=2),
        n_permutations=check_integer(n_permutations, "n_permutations", least=1),
        alpha=check_number(alpha, "alpha", above=0),
        ridge=check_number(ridge, "ridge", least=0),
    )
    use = check_choice(at_use, "at_use", AtUse)
    asked = _checked_reduce(reduce)
    for name, flag in (("standardize", standardize), ("rehearse", rehearse), ("audit", audit)):
        if not isinstance(flag, bool | np.bool_):
            raise InputTypeError(f"{name} must be True or False; got {flag!r}.")
    return DiagnosisOptions(
        method=chosen_method,
        at_use=use,
        rehearse=bool(rehearse),
        audit=bool(audit),
        standardize=bool(standardize),
        reduce=(None, None) if chosen_method is Method.COMPONENTS and isinstance(asked, str) else asked,
        seed=seed_sequence(rng),
        signal_rule=rule,
        components=components,
        n_threads=resolve_n_threads(n_threads),
        backend=backend,
    )


def _checked_reduce(reduce: Any) -> str | tuple[int | None, int | None]:
    if isinstance(reduce, str):
        if reduce != "auto":
            raise InputValueError(f'reduce must be "auto", an integer, a pair of integers or None; got {reduce!r}.')
        return reduce
    sides = tuple(reduce) if isinstance(reduce, tuple | list) else (reduce, reduce)
    if len(sides) != 2:
        raise InputValueError(f'reduce must be "auto", an integer, a pair of integers or None; got {reduce!r}.')
    for side in sides:
        if side is not None:
            check_integer(side, "reduce (principal components kept of each view)", least=1)
    return sides
