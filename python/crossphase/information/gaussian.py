"""Information that two jointly Gaussian views hold about labels, from second moments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from crossphase._scalars import check_integer, check_number
from crossphase._threads import single_threaded_blas
from crossphase.covariances import PairCovariances
from crossphase.errors import InputValueError
from crossphase.information.decomposition import InformationDecomposition, decompose
from crossphase.precision import null_variance_of
from crossphase.spectra import equilibrated_whitener

_RCOND = 1e-10  # a direction of relative variance below this is null; rounding then feigns correlations of about 1e-6


class LabelledPairCovariances(PairCovariances, Protocol):
    """Anything that holds the covariances of a pair and its labels; `CrossMoments` made with labels does."""

    @property
    def cov_xl(self) -> np.ndarray: ...  # (n_features_x, n_labels)
    @property
    def cov_yl(self) -> np.ndarray: ...  # (n_features_y, n_labels)
    @property
    def cov_ll(self) -> np.ndarray: ...  # (n_labels, n_labels)


def gaussian_information_decomposition(
    moments: LabelledPairCovariances, *, relative_ridge: float = 0.0
) -> InformationDecomposition:
    """Partial information decomposition of labels by X and Y, as if [X Y labels] were jointly Gaussian.

    Parameters
    ----------
    moments : CrossMoments made with labels, or anything with `cov_xx`, `cov_yy`, `cov_xy`, `cov_xl`, `cov_yl`, `cov_ll`
        Labels may be linearly dependent (one-hot classes are): their null directions hold no information and are left out.
    relative_ridge : float, >= 0
        Times the mean variance of the features of X is added to every variance of X, and likewise for Y: the informations are
        then those of features with that much independent noise. Scaling single columns changes its meaning.

    Returns
    -------
    InformationDecomposition
        With `gap` 0: the union information has a closed form (Notes).

    Raises
    ------
    numpy.linalg.LinAlgError
        The covariance of X, of Y or of both together is singular, or some label is a linear function of them, which makes the
        information infinite.
    InputValueError
        There are no labels, or none that varies.

    Notes
    -----
    ``I(X; labels) = -½ Σ log(1 - ρ²)`` over the canonical correlations ρ of X with the labels; likewise for Y and for [X Y].

    Union information. Let E_x and E_y be the covariances of the (whitened) labels given X and given Y. Whatever the joint law,
    the error Q of predicting the labels from both views is below E_x and below E_y in the order of positive definite matrices,
    and ``I(X, Y; labels) >= -½ log det Q``. Conversely, every Q below both is the error of a Gaussian channel of which X and Y
    can be noisy copies with independent noises, and hold no more together than it does. So the union information is the
    minimum of ``-½ log det Q`` over those Q. A congruence takes E_x to the identity and E_y to diag(d), d being the
    eigenvalues of E_y relative to E_x; by Hadamard's inequality the best Q is then diag(min(1, d)). Hence

        unique_y = ½ Σ log(1 / d) over d < 1,   unique_x = ½ Σ log d over d > 1,

    which for a single label is the minimum-mutual-information rule: redundancy is the smaller of the two informations. It is
    the optimum that Thin-PID (Zhao et al.) approaches by gradient descent.

    Estimated moments bias the informations upwards; `gaussian_information_bias` tells by how much for Gaussian rows. The four
    parts inherit the bias: synergy most of all, since the joint information has the most parameters; and both uniques are
    positive in any sample, even where the population's are 0. Compare with the same decomposition of shuffled labels. For class
    labels, "as if Gaussian" means that only the differences between class means are seen, and that informations can exceed the
    entropy of the labels: compare them with each other, not with it.

    References
    ----------
    Definition: Bertschinger et al. (2014), Entropy 16, 2161-2183. Zhao, Balachandran, Tian & Liang (2025), arXiv 2510.04417.
    """
    relative_ridge = check_number(relative_ridge, "relative_ridge", least=0)
    cov_x, cov_y = (_with_ridge(cov, relative_ridge) for cov in (moments.cov_xx, moments.cov_yy))
    cov_xy = np.asarray(moments.cov_xy, dtype=np.float64)
    cov_joint = np.block([[cov_x, cov_xy], [cov_xy.T, cov_y]])
    null = null_variance_of(moments)
    whitener_labels = _label_whitener(np.asarray(moments.cov_ll, dtype=np.float64), null)
    labels_x, labels_y = (
        np.asarray(cov, dtype=np.float64) @ whitener_labels.T for cov in (moments.cov_xl, moments.cov_yl)
    )
    with single_threaded_blas():
        x = _residual(cov_x, labels_x, "X", null)
        y = _residual(cov_y, labels_y, "Y", null)
        joint = _residual(cov_joint, np.vstack([labels_x, labels_y]), "[X Y]", null)
        relative = _relative_eigenvalues(y.cov, x.cov)
    unique_y = -0.5 * float(np.log(relative[relative < 1]).sum())
    return decompose(x.information, y.information, joint.information, x.information + unique_y, 0.0)


def gaussian_information_bias(n_samples: int, n_features: int, n_labels: int) -> float:
    """How far, in nats, Gaussian mutual information from sample covariances exceeds the population's, on average.

    Parameters
    ----------
    n_samples : int
        Rows, their mean removed. Must exceed ``n_features + n_labels``.
    n_features, n_labels : int
        Of either side, linearly independent. For the information of both views together, n_features is their sum; one-hot
        labels of k classes count k - 1.

    Notes
    -----
    Exact for jointly Gaussian rows whatever their correlations, since the expected log-determinant of a Wishart matrix differs
    from that of its population by a function of its sizes alone. About ``n_features n_labels / (2 n_samples)`` when small.

    References
    ----------
    Misra, Singh & Demchuk (2005), J. Multivar. Anal. 92, 324-342. Cai, Liang & Zhou (2015), J. Multivar. Anal. 137, 161-172.
    """
    from scipy.special import digamma  # noqa: PLC0415  (SciPy only where it is needed)

    n = check_integer(n_samples, "n_samples", least=1)
    p, q = check_integer(n_features, "n_features", least=1), check_integer(n_labels, "n_labels", least=1)
    if p + q >= n:
        raise InputValueError(f"n_features + n_labels must be less than n_samples; got {p} + {q} and {n}.")
    # E log det S = log det Σ + Σ_j ψ((n - j) / 2) + const, j = 1 … size; of p + q, the first p terms cancel.
    terms = digamma((n - np.arange(1, p + q + 1)) / 2)
    return float((terms[:q].sum() - terms[p:].sum()) / 2)


@dataclass(frozen=True, slots=True, eq=False)
class _Residual:
    cov: np.ndarray  # (rank of the labels, same): covariance of the whitened labels given the features
    information: float  # nats


def _with_ridge(cov: np.ndarray, relative_ridge: float) -> np.ndarray:
    cov = np.asarray(cov, dtype=np.float64)
    return np.asarray(cov + relative_ridge * np.trace(cov) / len(cov) * np.eye(len(cov)))


def _label_whitener(cov: np.ndarray, null_variance: float) -> np.ndarray:
    """Rows that take the labels to uncorrelated ones of variance 1, null directions left out."""
    if len(cov) == 0:
        raise InputValueError("moments hold no labels; pass labels to cross_moments, or n_labels to CrossMoments.")
    varies = np.diag(cov) > 0
    if not varies.any():
        raise InputValueError(
            f"no label varies: all {len(cov)} variances in cov_ll are 0. At least one must tell rows apart."
        )
    scale = np.where(varies, 1 / np.sqrt(np.where(varies, np.diag(cov), 1.0)), 0.0)
    values, vectors = np.linalg.eigh(cov * scale * scale[:, None])
    kept = values > max(_RCOND * values[-1], null_variance)
    return np.asarray((vectors[:, kept] / np.sqrt(values[kept])).T * scale)


def _residual(cov: np.ndarray, cov_labels: np.ndarray, name: str, null_variance: float) -> _Residual:
    whitener = equilibrated_whitener(cov, rcond=_RCOND, least_variance=null_variance if null_variance > _RCOND else 0.0)
    if whitener.rank < len(cov):
        raise np.linalg.LinAlgError(
            f"the covariance of {name} is singular (rank {whitener.rank} of {len(cov)}); pass relative_ridge > 0, such as 1e-3, "
            "drop dependent columns, or collect more rows than columns."
        )
    _, correlations, directions = np.linalg.svd(whitener.matrix @ cov_labels, full_matrices=False)
    left = 1 - correlations**2
    if left.min(initial=1.0) < null_variance:
        raise np.linalg.LinAlgError(
            f"the information is infinite: a label is a linear function of {name} (canonical correlation "
            f"{correlations.max():.12g}). Leave that label out, or pass relative_ridge > 0, such as 1e-3."
        )
    residual = np.eye(cov_labels.shape[1]) - (directions.T * correlations**2) @ directions
    return _Residual(residual, -0.5 * float(np.log(left).sum()))


def _relative_eigenvalues(cov: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The eigenvalues of `cov` relative to `other`, both positive definite."""
    from scipy.linalg import eigh  # noqa: PLC0415  (SciPy only where it is needed)

    return np.asarray(eigh(cov, other, eigvals_only=True))
