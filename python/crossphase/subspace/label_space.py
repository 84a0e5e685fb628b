"""Which label directions a pair of views knows anything about, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase.canonical_tests import largest_root_law
from crossphase.subspace.separation import RowCounts, explained_share
from crossphase.tracy_widom import tracy_widom_survival

LEVEL = 0.01  # of each test of a further label direction


@dataclass(frozen=True, slots=True, eq=False)
class ViewLabels:
    """What one view knows of the labels, which are whitened: uncorrelated columns of unit variance."""

    covariance: np.ndarray  # (n_features, m), of the whitened view with the labels
    excess: (
        np.ndarray
    )  # (m, m): mean squared residuals weighted by leverage, over plain ones where both are the identity
    residual: np.ndarray  # (m, m): mean squared residuals

    @property
    def n_features(self) -> int:
        return int(self.covariance.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class LabelSpace:
    """Label directions that the views predict beyond chance."""

    directions: np.ndarray  # (m, r), orthonormal, in whitened labels
    p_values: np.ndarray  # of a first, second, ... direction; up to the first that may be chance
    shares_x: np.ndarray  # (r, r): share of the directions' covariance that X explains, corrected for chance
    shares_y: np.ndarray


def find_label_space(x: ViewLabels, y: ViewLabels, rows: RowCounts, coherence_square: float) -> LabelSpace:
    """Directions of the labels that X or Y predicts, those that both predict best first.

    Parameters
    ----------
    coherence_square : float
        Sum of the squared canonical correlations of the views: how far their evidence is the same evidence.
    """
    p_values = _sequential_p_values(x, y, rows, coherence_square / np.sqrt(x.n_features * y.n_features))
    rank = int(np.sum(p_values <= LEVEL))
    shares = [explained_share(view.covariance.T @ view.covariance, view.n_features, rows) for view in (x, y)]
    _, vectors = np.linalg.eigh(shares[0] + shares[1])
    directions = vectors[:, ::-1][:, :rank]
    return LabelSpace(directions, p_values, *(np.asarray(directions.T @ share @ directions) for share in shares))


def _sequential_p_values(x: ViewLabels, y: ViewLabels, rows: RowCounts, dependence: float) -> np.ndarray:
    """Tests of a first, second, ... predicted label direction, up to the first that may be chance.

    Each view's p-value is the smaller of two (Šidák): of the largest remaining root, for one strong direction, and of the
    sum of all that remain, for several weak ones. The views' are combined by Fisher's sum of logarithms, spread by how
    dependent they are (Brown 1975, Biometrics 31, 987-992).
    """
    from scipy.special import gammaincc  # noqa: PLC0415

    decomposed = [np.linalg.eigh(view.covariance.T @ view.covariance) for view in (x, y)]
    found: list[float] = []
    for j in range(min(x.covariance.shape[1], x.n_features, y.n_features)):
        logs = sum(
            -2 * np.log(max(_p_value(view, values[::-1][j:], vectors[:, ::-1][:, j:], rows, j), 1e-300))
            for view, (values, vectors) in zip((x, y), decomposed, strict=True)
        )
        spread = 1 + min(dependence, 1.0)
        found.append(float(gammaincc(2 / spread, logs / 2 / spread)))
        if found[-1] > LEVEL:
            break
    return np.array(found)


def _p_value(view: ViewLabels, values: np.ndarray, vectors: np.ndarray, rows: RowCounts, n_before: int) -> float:
    """That the remaining eigenvalues of ``G^T G``, G the covariance of whitened features and labels, are chance.

    Rows of large leverage that are also badly predicted make chance larger than equal rows would: so many fewer rows count
    (White 1980, Econometrica 48, 817-838).
    """
    inflation = max(
        1.0,
        float(np.trace(vectors.T @ view.excess @ vectors) / np.trace(vectors.T @ view.residual @ vectors)),
        float(vectors[:, 0] @ view.excess @ vectors[:, 0] / (vectors[:, 0] @ view.residual @ vectors[:, 0])),
    )
    p, m = view.n_features - n_before, len(values)
    n = (rows.labelled - n_before) / inflation
    # Where most rows that whitened have no labels, G is plain noise; where all have, whitening has seen the labels' rows too.
    is_same_rows = rows.labelled > rows.pairs / 2
    if is_same_rows and p + m + 2 >= n:
        return 1.0  # so many directions fit so few rows exactly
    smallest = min(
        _largest_root_p(float(values[0]), p, m, n, is_same_rows), _sum_p(float(values.sum()), p, m, n, is_same_rows)
    )
    return 1 - (1 - smallest) ** 2


def _sum_p(value: float, p: int, m: int, n: float, is_same_rows: bool) -> float:
    """Of Pillai's trace, by a gamma law with its exact mean and variance."""
    from scipy.special import gammaincc  # noqa: PLC0415

    degrees = n - 1 if is_same_rows else n
    mean = p * m / degrees
    variance = 2 * p * m / degrees**2
    if is_same_rows:
        variance *= (degrees - p) * (degrees - m) / ((degrees - 1) * (degrees + 2))
    return float(gammaincc(mean**2 / variance, value * mean / variance))


def _largest_root_p(value: float, p: int, m: int, n: float, is_same_rows: bool) -> float:
    fewer, more = min(p, m), max(p, m)
    if fewer == 1:
        return _sum_p(value, p, m, n, is_same_rows)
    if is_same_rows:
        if value >= 1:
            return 0.0
        law = largest_root_law(n, fewer, more)
        statistic = (np.log(value) - np.log1p(-value) - law.centre) / law.scale
    else:  # Johnstone (2001), Ann. Stat. 29, 295-327
        roots = np.sqrt(more - 1), np.sqrt(fewer)
        statistic = (value * n - sum(roots) ** 2) / (sum(roots) * np.cbrt(1 / roots[0] + 1 / roots[1]))
    return float(tracy_widom_survival(np.float64(statistic)))
