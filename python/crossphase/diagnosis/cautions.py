"""What the reader of a diagnosis should know about its input and its numbers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase.components import ComponentOptions
from crossphase.labels import LabelMatrix
from crossphase.pair import PreparedPair, PreparedView


@dataclass(frozen=True, slots=True)
class DiagnosisWarning:
    """Something about the input or the result that the reader should know."""

    code: str  # stable, for programs
    message: str  # a sentence, for people


def input_cautions(pair: PreparedPair, labels: LabelMatrix) -> list[DiagnosisWarning]:
    found = [DiagnosisWarning("constant_columns", _dropped(view)) for view in (pair.x, pair.y) if view.constant_columns]
    found += [DiagnosisWarning(code, message) for code, message in labels.notes]
    return found


def _dropped(view: PreparedView) -> str:
    columns = view.constant_columns
    shown = ", ".join(str(c) for c in columns[:10]) + (f" and {len(columns) - 10} more" if len(columns) > 10 else "")
    plural = "s" if len(columns) > 1 else ""
    return (
        f"{view.samples.name}: constant column{plural} {shown} dropped ({len(columns)} of {view.samples.n_features})."
    )


def statistical_cautions(
    pair: PreparedPair, options: ComponentOptions, smallest_signal: float, null_level: float
) -> list[DiagnosisWarning]:
    found = []
    n, n_prepared = pair.x.samples.n_samples, pair.x.n_prepared + pair.y.n_prepared
    if n < 10 * n_prepared:
        found.append(
            DiagnosisWarning(
                "few_rows",
                f"{n} rows for {n_prepared} features: below ten rows a feature, in-sample correlations are inflated and "
                "the ratios pulled towards 1; reduce= lowers the number of features.",
            )
        )
    if smallest_signal < null_level:
        found.append(
            DiagnosisWarning(
                "signal_within_noise",
                f"The weakest signal correlation, {smallest_signal:.3f}, is one that independent data of this size could "
                f"show (up to {null_level:.3f} in 95 % of samples).",
            )
        )
    for view, cov in ((pair.x, pair.covariances.cov_xx), (pair.y, pair.covariances.cov_yy)):
        mean_variance = float(np.trace(cov)) / view.n_prepared
        if options.ridge > 0.01 * mean_variance:
            found.append(
                DiagnosisWarning(
                    "ridge_dominates",
                    f"ridge={options.ridge:g} is not small against the mean variance of {view.samples.name} "
                    f"({mean_variance:.3g}) and shrinks every correlation; rescale {view.samples.name} or pass a smaller ridge.",
                )
            )
    return found
