"""Which label directions a pair of views knows anything about, and how much."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase.subspace.separation import RowCounts, explained_share

LEVEL = 0.01  # of each test of a further label direction
# Chiani (2014), J. Multivar. Anal. 129, 69-81: the Tracy-Widom law of order 1 as a shifted gamma distribution; the error of its
# distribution function is below 1e-3.
_TW_SHAPE, _TW_SCALE, _TW_SHIFT = 46.446, 0.186054, 9.84801


@dataclass(frozen=True, slots=True, eq=False)
class ViewLabels:
    """What one view knows of the labels, which are whitened: uncorrelated columns of unit variance."""

    covariance: np.ndarray  # (n_features, m), of the whitened view with the labels
    excess: np.ndarray  # (m, m): mean squared residuals weighted by leverage, over plain ones where both are the identity
    residual: np.ndarray  # (m, m): mean squared residuals

    @property
    def n_features(self) -> int:
        return int(self.covariance.shape[0])


@dataclass(frozen=True, slots=True, eq=False)
class LabelSpace:
    """Label directions that at least one view predicts beyond chance."""

    directions: np.ndarray  # (m, r), orthonormal, in whitened labels
    p_values_x: np.ndarray  # of the tests that X predicts a first, second, ... direction; until the first that fails
    p_values_y: np.ndarray
    shares_x: np.ndarray  # (r, r): share of the directions' covariance that X explains, corrected for chance
    shares_y: np.ndarray


def find_label_space(x: ViewLabels, y: ViewLabels, rows: RowCounts) -> LabelSpace:
    """Directions of the labels that X or Y predicts, those that both predict best first."""
    p_values = [_sequential_p_values(view, rows) for view in (x, y)]
    rank = max(int(np.sum(p <= LEVEL)) for p in p_values)
    rank = min(rank, x.n_features, y.n_features)
    shares = [_corrected(view, rows) for view in (x, y)]
    _, vectors = np.linalg.eigh(shares[0] + shares[1])
    directions = vectors[:, ::-1][:, :rank]
    return LabelSpace(
        directions, *p_values, *(np.asarray(directions.T @ share @ directions) for share in shares)
    )


def _corrected(view: ViewLabels, rows: RowCounts) -> np.ndarray:
    energy = view.covariance.T @ view.covariance
    chance = view.n_features / rows.labelled
    return np.asarray((energy - chance * np.eye(len(energy))) / (1 - view.n_features / rows.pairs))


def _sequential_p_values(view: ViewLabels, rows: RowCounts) -> np.ndarray:
    """Largest-root tests of a first, second, ... predicted label direction, up to the first that fails.

    Rows of large leverage that are also badly predicted make chance larger than equal rows would; each test counts so many
    fewer rows (White 1980, Econometrica 48, 817-838).
    """
    values, vectors = np.linalg.eigh(view.covariance.T @ view.covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    m = len(values)
    found: list[float] = []
    for j in range(m):
        rest, one = vectors[:, j:], vectors[:, j]
        inflation = max(
            1.0,
            float(np.trace(rest.T @ view.excess @ rest) / np.trace(rest.T @ view.residual @ rest)),
            float(one @ view.excess @ one / (one @ view.residual @ one)),
        )
        found.append(_largest_root_p_value(float(values[j]), view.n_features - j, m - j, rows, j, inflation))
        if found[-1] > LEVEL or len(found) == view.n_features:
            break
    return np.array(found)
