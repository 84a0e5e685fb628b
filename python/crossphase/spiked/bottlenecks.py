"""What no linear encoder pair can get around: how many directions correlate, and how large weakly correlated ones must be."""

from __future__ import annotations

import math

from crossphase._scalars import check_integer, check_number
from crossphase.errors import InputValueError


def hard_bottleneck(rank_x: int, rank_y: int, rank_xy: int) -> int:
    """Number of nonzero canonical correlations: ``min(rank_x, rank_y, rank_xy)``.

    Parameters
    ----------
    rank_x, rank_y : int, >= 0
        Signal directions of X and of Y.
    rank_xy : int, >= 0
        Signal directions that the two share.

    References
    ----------
    Kamai et al. (2026), "When to Align, When to Predict", published code, Prop. 2.1.
    """
    ranks = {"rank_x": rank_x, "rank_y": rank_y, "rank_xy": rank_xy}
    return min(check_integer(rank, name, least=0) for name, rank in ranks.items())


def soft_bottleneck(correlation: float) -> float:
    """Least size of a pair of aligned encoders whose weakest canonical correlation is `correlation`: ``2 / correlation``.

    ``‖W Σxx^1/2‖² + ‖V Σyy^1/2‖² >= 2 / φ_k`` (squared Frobenius norms) for every W, V with k rows and
    ``W Σxy V^T = I``. The optimum has ``2 (1 / φ_1 + ... + 1 / φ_k)``: the bound is tight as φ_k goes to 0.

    Parameters
    ----------
    correlation : float, in [0, 1]
        The k-th canonical correlation φ_k. Infinity is returned for 0: no encoder pair satisfies the constraint.

    References
    ----------
    Kamai et al. (2026), "When to Align, When to Predict", Theorem A.1; published code, Prop. 2.3.
    """
    correlation = check_number(correlation, "correlation", least=0)
    if correlation > 1:
        raise InputValueError(f"correlation must be at most 1; got {correlation}.")
    return 2 / correlation if correlation > 0 else math.inf
