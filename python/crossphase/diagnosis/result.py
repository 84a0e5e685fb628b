"""What a diagnosis holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossphase.components import ComponentAnalysis, Recovery
from crossphase.composite import CompositeParameters
from crossphase.diagnosis import serialize, text
from crossphase.diagnosis.cautions import DiagnosisWarning
from crossphase.diagnosis.evidence import RatioEstimate
from crossphase.diagnosis.recommend import DECIDED, Recommendation
from crossphase.diagnosis.settings import DiagnosisSettings
from crossphase.pairing import PairingAudit
from crossphase.phase_parameters import PhaseParameters
from crossphase.regimes import Regime
from crossphase.rehearsal import Rehearsal
from crossphase.shared_signal import SharedSignal
from crossphase.spectra import NullCorrelations
from crossphase.subspace import SubspaceAnalysis

if TYPE_CHECKING:
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Diagnosis:
    """Verdict on a pair of views, with its evidence.

    ``print`` shows a table; `to_dict`, `to_json` and `plot` give the same numbers to programs and eyes.
    """

    regime: Regime  # for alignment and the direction X -> Y
    regime_reverse: Regime  # for alignment and the direction Y -> X
    regime_probabilities: Mapping[Regime, float] | None  # None: the method gives none, or the labels show no direction
    regime_probabilities_reverse: Mapping[Regime, float] | None
    n_pairs_to_decide: int | None  # that would likely decide the regime; None where it is decided, or no number would
    recommendation: Recommendation
    delta_ca: RatioEstimate  # alignment
    delta_cp: RatioEstimate  # predicting Y from X
    delta_cp_reverse: RatioEstimate  # predicting X from Y
    recovery_ca: Recovery
    recovery_cp: Recovery
    recovery_cp_reverse: Recovery
    phase_parameters: PhaseParameters
    subspace: SubspaceAnalysis | None  # of method "subspace"
    rehearsal: Rehearsal | None  # where asked for, and labels are enough
    shared_signal: SharedSignal | None
    pairing: PairingAudit | None
    components: ComponentAnalysis | None  # of method "components", as the next
    composite: CompositeParameters | None
    null_correlations: NullCorrelations
    warnings: tuple[DiagnosisWarning, ...]
    settings: DiagnosisSettings
    n_samples: int
    n_labelled: int
    n_features_x: int
    n_features_y: int
    dtype_x: str
    dtype_y: str
    constant_columns_x: tuple[int, ...]  # left out
    constant_columns_y: tuple[int, ...]
    label_columns: tuple[str, ...]
    n_classes: int  # one-hot columns among them
    backend: str
    version: str  # of crossphase

    @property
    def is_decided(self) -> bool:
        """Whether the regime of X -> Y is known with 95 % probability."""
        return self.regime_probabilities is not None and max(self.regime_probabilities.values()) >= DECIDED

    @property
    def n_recovered_ca(self) -> int:
        """Signal directions of the coherence above its nuisance."""
        return self.recovery_ca.n_recovered

    @property
    def n_recovered_cp(self) -> int:
        """Signal directions of the prediction operator X -> Y above its nuisance."""
        return self.recovery_cp.n_recovered

    @property
    def n_recovered_cp_reverse(self) -> int:
        """Signal directions of the prediction operator Y -> X above its nuisance."""
        return self.recovery_cp_reverse.n_recovered

    def __repr__(self) -> str:
        ratios = ", ".join(
            f"{name}={getattr(self, name).value:.3g}" for name in ("delta_ca", "delta_cp", "delta_cp_reverse")
        )
        return f"<Diagnosis {self.recommendation.objective}: {ratios}, {self.n_samples} samples>"

    def __str__(self) -> str:
        return text.describe(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain Python objects: what `to_json` writes. Infinity becomes ``"Infinity"``, NaN ``None``."""
        return serialize.to_dict(self)

    def to_json(self, *, indent: int | None = 2) -> str:
        """JSON by the schema that ships as ``crossphase/diagnosis/schema.json``; its version is in the document."""
        return serialize.to_json(self, indent=indent)

    def plot(self) -> Figure:
        """Phase plane with the pair's point in it, and the three spectra with signal and nuisance marked.

        Returns
        -------
        matplotlib.figure.Figure
            Save it with ``.savefig(path)``. Needs matplotlib: ``pip install "crossphase[report]"``.
        """
        from crossphase.diagnosis import plot  # noqa: PLC0415  (matplotlib is an extra)

        return plot.draw(self)
