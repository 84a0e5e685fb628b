"""Parameters of the spiked model, checked."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from crossphase._scalars import check_integer
from crossphase._vectors import check_numbers, check_vector, read_only
from crossphase.errors import InputValueError

LARGEST_KAPPA, LARGEST_VARIANCE = 1e75, 1e150  # products of two variances stay finite
SMALLEST_KAPPA = 1e-75  # and products of two signal variances stay above 0


def check_kappa(kappa: ArrayLike) -> np.ndarray:
    """Signal strengths as a read-only vector of at least one."""
    strengths = np.atleast_1d(check_numbers(kappa, "kappa", most=LARGEST_KAPPA))
    if strengths.ndim != 1 or not len(strengths):
        raise InputValueError(
            f"kappa must be one signal strength or a vector of at least one; got shape {strengths.shape}."
        )
    faint = np.flatnonzero((strengths > 0) & (strengths < SMALLEST_KAPPA))
    if len(faint):
        raise InputValueError(
            f"kappa must be 0 or at least {SMALLEST_KAPPA:g}, or its square vanishes; got kappa[{faint[0]}] = "
            f"{strengths[faint[0]]:g}."
        )
    return read_only(strengths)


def feature_count(
    side: str, n_signals: int, n_features: int | None, gamma_tilde: ArrayLike, basis: ArrayLike | None
) -> int:
    """The count given, else what the vector of nuisance variances makes it, else the size of the basis."""
    name = f"n_features_{side}"
    variances = check_numbers(gamma_tilde, f"gamma_tilde_{side}", most=LARGEST_VARIANCE)
    if n_features is not None:
        count = check_integer(n_features, name, least=1)
    elif variances.ndim > 0:
        count = n_signals + len(variances)
    elif basis is not None:
        count = len(np.atleast_1d(check_numbers(basis, f"basis_{side}", least=-np.inf)))
    else:
        raise InputValueError(
            f"{name} is missing: give it, or gamma_tilde_{side} as a vector of one variance a nuisance coordinate, or "
            f"basis_{side}."
        )
    if count < n_signals:
        raise InputValueError(
            f"{name} must be at least the number of signals in kappa, {n_signals}; got {count}. "
            f"Raise {name} or shorten kappa."
        )
    return count


def check_eta(eta: ArrayLike, variances_x: np.ndarray, variances_y: np.ndarray) -> np.ndarray:
    n_pairs = min(len(variances_x), len(variances_y))
    covariances = check_vector(eta, "eta", n_pairs, "nuisance coordinates that both views have")
    largest = largest_covariance(variances_x[:n_pairs], variances_y[:n_pairs])
    # A caller's own ν sqrt(γ̃_x γ̃_y) rounds four times, ours twice more: that much above the limit is the limit.
    above = covariances > largest * (1 + 4 * np.finfo(float).eps)
    if above.any():
        j = int(np.argmax(above))
        raise InputValueError(
            f"eta must be at most sqrt(gamma_tilde_x * gamma_tilde_y); got eta[{j}] = {covariances[j]:g} with limit "
            f"{largest[j]:g}. Lower eta, or make it from correlations: nuisance_covariance(nu, gamma_tilde_x, gamma_tilde_y)."
        )
    return read_only(np.minimum(covariances, largest))


def largest_covariance(variance_x: np.ndarray, variance_y: np.ndarray) -> np.ndarray:
    return np.asarray(np.sqrt(variance_x) * np.sqrt(variance_y))
