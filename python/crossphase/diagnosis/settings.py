"""Everything besides the data that a diagnosis depends on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from crossphase.components import ComponentOptions
from crossphase.rehearsal import AtUse
from crossphase.signals import SignalRule


class Method(StrEnum):
    """How signal is told from nuisance."""

    SUBSPACE = "subspace"  # the subspace that the labels define, with uncertainty
    COMPONENTS = "components"  # the published procedure


@dataclass(frozen=True, slots=True)
class DiagnosisSettings:
    """How the numbers were made."""

    method: Method
    standardize: bool
    reduce_x: int | None  # principal components kept of X; None: all features
    reduce_y: int | None
    at_use: AtUse
    has_groups: bool
    has_nuisance_labels: bool
    seed: str  # of everything drawn; the published procedure has fixed seeds of its own
    signal_rule: SignalRule | None  # of the published procedure, as the next
    components: ComponentOptions | None
