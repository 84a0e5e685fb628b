"""Which components carry signal: three rules over their cross-validated R²."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np


class SignalRule(StrEnum):
    """How components are told signal from nuisance."""

    ELBOW = "elbow"  # the knee of the sorted R² sums: the published default
    ELBOW_LOG = "elbow_log"  # the same on their logarithm
    PERMUTATION = "permutation"  # above the 95 % level of shuffled labels


@dataclass(frozen=True, slots=True, eq=False)
class Signal:
    """The components that one rule calls signal."""

    is_signal: np.ndarray  # (n_components,), bool
    strength: float  # share of the single line's error that the second line removes, in [0, 1]; NaN for permutation
    threshold: float  # smallest R² sum among the signal of an elbow (0 if none); NaN for permutation

    @property
    def n_signal(self) -> int:
        return int(self.is_signal.sum())


def find_elbow(r2: np.ndarray, *, log_transform: bool) -> Signal:
    """Split components where two straight lines fit the sorted R² sums best.

    Parameters
    ----------
    r2 : array, shape (n_components, n_labels)
        Clipped at 0, as `ridge_cv.component_r2` returns it.
    log_transform : bool
        Fit the logarithm of the sums, offset by 1 % of the smallest (at least 1e-12).

    Notes
    -----
    Between one and all but one components are signal, unless every sum is 0 (none) or there is one component (it is).
    So the rule nearly always finds a signal, also where there is none.

    References
    ----------
    Kamai et al. (2026), published code, ``_classify_signal_elbow``.
    """
    sums = r2.sum(axis=1)
    n = len(sums)
    if n < 2:
        return Signal(np.ones(n, dtype=bool), 0.0, float(sums[0]) if n else 0.0)
    if sums.max() <= 0:
        return Signal(np.zeros(n, dtype=bool), 0.0, 0.0)
    order = np.argsort(sums, kind="stable")[::-1]
    ranked = sums[order]
    values = np.log(ranked + max(0.01 * ranked[-1], 1e-12)) if log_transform else ranked
    # One sum above 0 and a flat rest: two splits fit exactly. The published code leaves the choice to the rounding of its
    # polynomial fits. On raw sums the zeros fit without error and the first split wins; on logarithms the longer flat
    # piece has the larger rounding error and the last one does (measured with 20 to 50 components).
    n_signal, error = _best_split(values, prefer_last=log_transform)
    single = float(_prefix_errors(values)[-1])
    is_signal = np.zeros(n, dtype=bool)
    is_signal[order[:n_signal]] = True
    strength = max(1.0 - error / single, 0.0) if single > 1e-15 else 0.0
    return Signal(is_signal, float(strength), float(ranked[n_signal - 1]))


def exceed_permutations(r2: np.ndarray, null_max: np.ndarray, null_sum: np.ndarray) -> Signal:
    """Components whose largest or summed R² exceeds the 95 % quantile under shuffled labels.

    Parameters
    ----------
    r2 : array, shape (n_components, n_labels)
    null_max, null_sum : array, shape (n_permutations, n_components)
        Largest R² over labels and sum over labels under each permutation; pooled over components.

    Notes
    -----
    Two rules of 5 % each, pooled over components and without correction for their number: some false signal is expected.

    References
    ----------
    Kamai et al. (2026), published code, ``_classify_signal_permutation``.
    """
    exceeds_max = r2.max(axis=1) > np.quantile(null_max, 0.95)
    exceeds_sum = r2.sum(axis=1) > np.quantile(null_sum, 0.95)
    return Signal(exceeds_max | exceeds_sum, float("nan"), float("nan"))


def _best_split(values: np.ndarray, *, prefer_last: bool) -> tuple[int, float]:
    """Length of the left piece with the least total error, and that error."""
    n = len(values)
    errors = _prefix_errors(values)[: n - 1] + _prefix_errors(values[::-1])[: n - 1][::-1]
    # Splits that fit exactly differ by rounding alone: equal to within it, they are a tie.
    rounding = 1e-13 * float(((values - values.mean()) ** 2).sum())
    tied = np.flatnonzero(errors <= errors.min() + rounding)
    split = int(tied[-1] if prefer_last else tied[0])
    return split + 1, float(errors[split])


def _prefix_errors(values: np.ndarray) -> np.ndarray:
    """Squared error of the least-squares line through each prefix of length 1 ... n; all prefixes at once."""
    n = len(values)
    in_prefix = np.tri(n)
    counts = np.arange(1, n + 1.0)
    ranks = np.arange(n) - (counts - 1)[:, None] / 2  # centred within each prefix
    centred = (values - (in_prefix @ values / counts)[:, None]) * in_prefix
    spread = np.where(counts < 2, 1.0, counts * (counts**2 - 1) / 12)  # of ranks 0 ... k - 1; one point has slope 0
    slopes = (ranks * centred).sum(axis=1) / spread
    residuals = (centred - slopes[:, None] * ranks) * in_prefix
    return np.asarray((residuals**2).sum(axis=1))
