"""The spiked model of a pair of views: population theory and samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crossphase._seeds import Seed, seed_sequence
from crossphase._vectors import check_broadcast, check_numbers, check_vector, read_only
from crossphase.errors import InputTypeError, InputValueError
from crossphase.regimes import Regime, ca_boundary, classify, cp_boundary
from crossphase.spiked.bases import choose_basis, rotated, rotated_diagonal
from crossphase.spiked.parameters import LARGEST_VARIANCE, check_eta, check_kappa, feature_count, largest_covariance
from crossphase.spiked.row_sampler import BLOCK_ROWS, RowSampler, place, tail_scale
from crossphase.spiked.separation import Separation, nuisance_threshold

NO_NUISANCE = 1e-15  # nuisance correlations up to this count as none (published code, theory.py)

PARAMETERS = ("kappa", "gamma_x", "gamma_y", "gamma_tilde_x", "gamma_tilde_y", "eta")


class SpikedSample(NamedTuple):
    """Paired rows of a spiked model."""

    X: np.ndarray  # (n_samples, n_features_x)
    Y: np.ndarray  # (n_samples, n_features_y)
    signal: np.ndarray  # (n_samples, n_signals): the shared s behind each row


def nuisance_covariance(nu: ArrayLike, gamma_tilde_x: ArrayLike, gamma_tilde_y: ArrayLike) -> np.ndarray:
    """Nuisance covariance η that has correlation `nu`: ``ν sqrt(γ̃_x γ̃_y)``.

    Parameters
    ----------
    nu : float or array, in [0, 1]
    gamma_tilde_x, gamma_tilde_y : float or array, >= 0
        Nuisance variances; all three broadcast.
    """
    nu = check_numbers(nu, "nu", most=1.0)
    variance_x = check_numbers(gamma_tilde_x, "gamma_tilde_x")
    variance_y = check_numbers(gamma_tilde_y, "gamma_tilde_y")
    check_broadcast(nu=nu, gamma_tilde_x=variance_x, gamma_tilde_y=variance_y)
    return np.asarray(nu * largest_covariance(variance_x, variance_y))


@dataclass(frozen=True, eq=False, init=False, repr=False)
class SpikedModel(RowSampler[SpikedSample]):
    """Two views that share k signals and correlated nuisance, in orthogonal bases.

    ``x = Q_x [s + e_x; m_x]``, ``y = Q_y [s + e_y; m_y]`` with independent ``s_i`` of variance ``κ_i²``, noise ``e_x`` and
    ``e_y`` of variances ``γ_x`` and ``γ_y``, and nuisance coordinates of variances ``γ̃_x`` and ``γ̃_y`` that pair up:
    ``Cov(m_x,j, m_y,j) = η_j``. The model has `cov_xx`, `cov_yy` and `cov_xy`, so that `crossphase.coherence` and
    `crossphase.prediction_operator` take it as it is.

    Parameters
    ----------
    kappa : float or array, shape (k,), in [0, 1e75]
        Signal strengths: standard deviations of s. One number is one signal.
    gamma_x, gamma_y : float or array, shape (k,), in [0, 1e150]
        Noise variances on the signal coordinates.
    gamma_tilde_x : float or array, shape (n_features_x - k,), in [0, 1e150]
        Variances of the nuisance coordinates.
    gamma_tilde_y : float or array, shape (n_features_y - k,), in [0, 1e150]
    eta : float or array, shape (m,), m the smaller of the two nuisance counts
        Nuisance covariances, ``0 <= η_j <= sqrt(γ̃_x,j γ̃_y,j)``. The further coordinates of the larger view are unpaired.
    n_features_x, n_features_y : int, >= k, optional
        May be left out where the vector of nuisance variances or the basis fixes them.
    basis_x, basis_y : array, shape (n_features, n_features), optional
        Orthogonal; its first k columns carry the signals. Default: drawn uniformly if `rng` is given, else coordinate axes.
    rng : int, numpy.random.SeedSequence or numpy.random.Generator, optional
        Seed of the bases that are not given. Independent of the rows that the same seed draws.

    Raises
    ------
    InputValueError, InputTypeError
        A parameter is out of its range, has a wrong length or shape, or is missing.

    Notes
    -----
    In units: κ in feature units; γ, γ̃ and η in their squares; correlations have none, gains are in units of the target.

    References
    ----------
    Kamai et al. (2026), "When to Align, When to Predict", eqs. 4 and 18 to 22, Props. 3.1 and 3.2.

    Examples
    --------
    >>> from crossphase import SpikedModel, coherence
    >>> model = SpikedModel((3, 2, 1.5), 0.5, 0.05, 1.0, 50.0, eta=2.0, n_features_x=20, n_features_y=20, rng=0)
    >>> model
    SpikedModel(n_signals=3, n_features_x=20, n_features_y=20): ca_only, delta_ca = 3.16, delta_cp = 0.678
    >>> coherence(model).correlations[:4].round(3).tolist()  # three signals, then nuisance
    [0.971, 0.937, 0.895, 0.283]
    >>> X, Y, signal = model.sample(5000, rng=1)
    >>> X.shape, Y.shape, signal.shape
    ((5000, 20), (5000, 20), (5000, 3))
    """

    kappa: np.ndarray  # (n_signals,)
    gamma_x: np.ndarray  # (n_signals,)
    gamma_y: np.ndarray  # (n_signals,)
    gamma_tilde_x: np.ndarray  # (n_features_x - n_signals,)
    gamma_tilde_y: np.ndarray  # (n_features_y - n_signals,)
    eta: np.ndarray  # (n_nuisance_pairs,)
    _basis_x: np.ndarray | None  # None: coordinate axes
    _basis_y: np.ndarray | None

    def __init__(
        self,
        kappa: ArrayLike,
        gamma_x: ArrayLike,
        gamma_y: ArrayLike,
        gamma_tilde_x: ArrayLike,
        gamma_tilde_y: ArrayLike,
        eta: ArrayLike,
        n_features_x: int | None = None,
        n_features_y: int | None = None,
        basis_x: ArrayLike | None = None,
        basis_y: ArrayLike | None = None,
        rng: Seed | None = None,
    ) -> None:
        strengths = check_kappa(kappa)
        k = len(strengths)
        p = feature_count("x", k, n_features_x, gamma_tilde_x, basis_x)
        q = feature_count("y", k, n_features_y, gamma_tilde_y, basis_y)
        nuisance_x = check_vector(
            gamma_tilde_x, "gamma_tilde_x", p - k, "nuisance coordinates of X", most=LARGEST_VARIANCE
        )
        nuisance_y = check_vector(
            gamma_tilde_y, "gamma_tilde_y", q - k, "nuisance coordinates of Y", most=LARGEST_VARIANCE
        )
        seed = None if rng is None else seed_sequence(rng)
        for name, value in {
            "kappa": strengths,
            "gamma_x": check_vector(gamma_x, "gamma_x", k, "signals", most=LARGEST_VARIANCE),
            "gamma_y": check_vector(gamma_y, "gamma_y", k, "signals", most=LARGEST_VARIANCE),
            "gamma_tilde_x": nuisance_x,
            "gamma_tilde_y": nuisance_y,
            "eta": check_eta(eta, nuisance_x, nuisance_y),
            "_basis_x": choose_basis(basis_x, "basis_x", p, seed, view=0),
            "_basis_y": choose_basis(basis_y, "basis_y", q, seed, view=1),
        }.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen

    def __repr__(self) -> str:
        return (
            f"SpikedModel(n_signals={self.n_signals}, n_features_x={self.n_features_x}, n_features_y={self.n_features_y}): "
            f"{self.regime}, delta_ca = {self.delta_ca:.3g}, delta_cp = {self.delta_cp:.3g}"
        )

    def replace(self, **changes: ArrayLike) -> SpikedModel:
        """The model with some of kappa, gamma_x, gamma_y, gamma_tilde_x, gamma_tilde_y, eta changed; sizes and bases stay.

        Raises
        ------
        InputTypeError
            Another name is given.
        InputValueError
            The parameters do not fit together, or the number of signals would change.
        """
        for name in changes:
            if name not in PARAMETERS:
                raise InputTypeError(f"replace changes {', '.join(PARAMETERS)}; got {name}. Build a new SpikedModel.")
        if "kappa" in changes and len(check_kappa(changes["kappa"])) != self.n_signals:
            raise InputValueError(
                f"kappa must keep its {self.n_signals} signals; got {np.size(changes['kappa'])}. Build a new SpikedModel."
            )
        kept = {name: getattr(self, name) for name in PARAMETERS}
        sizes = {"n_features_x": self.n_features_x, "n_features_y": self.n_features_y}
        return SpikedModel(**{**kept, **changes, **sizes, "basis_x": self._basis_x, "basis_y": self._basis_y})

    # Sizes and directions ---------------------------------------------------------------------------------------------

    @property
    def n_signals(self) -> int:
        return len(self.kappa)

    @property
    def n_features_x(self) -> int:
        return self.n_signals + len(self.gamma_tilde_x)

    @property
    def n_features_y(self) -> int:
        return self.n_signals + len(self.gamma_tilde_y)

    @property
    def n_nuisance_pairs(self) -> int:
        """Nuisance coordinates that both views have."""
        return len(self.eta)

    @property
    def basis_x(self) -> np.ndarray:
        """Orthogonal, shape (n_features_x, n_features_x): its first n_signals columns carry the signals."""
        return np.eye(self.n_features_x) if self._basis_x is None else self._basis_x

    @property
    def basis_y(self) -> np.ndarray:
        """Orthogonal, shape (n_features_y, n_features_y): its first n_signals columns carry the signals."""
        return np.eye(self.n_features_y) if self._basis_y is None else self._basis_y

    @property
    def signal_basis_x(self) -> np.ndarray:
        """Orthonormal directions of X that carry the signals, shape (n_features_x, n_signals)."""
        return self.basis_x[:, : self.n_signals]

    @property
    def signal_basis_y(self) -> np.ndarray:
        """Orthonormal directions of Y that carry the signals, shape (n_features_y, n_signals)."""
        return self.basis_y[:, : self.n_signals]

    # Population covariances -------------------------------------------------------------------------------------------

    @cached_property
    def cov_xx(self) -> np.ndarray:
        """Population covariance of X, shape (n_features_x, n_features_x)."""
        return rotated_diagonal(self._basis_x, np.append(self.kappa**2 + self.gamma_x, self.gamma_tilde_x))

    @cached_property
    def cov_yy(self) -> np.ndarray:
        """Population covariance of Y, shape (n_features_y, n_features_y)."""
        return rotated_diagonal(self._basis_y, np.append(self.kappa**2 + self.gamma_y, self.gamma_tilde_y))

    @cached_property
    def cov_xy(self) -> np.ndarray:
        """Population cross-covariance, shape (n_features_x, n_features_y)."""
        cross = np.zeros((self.n_features_x, self.n_features_y))
        np.fill_diagonal(cross, np.append(self.kappa**2, self.eta))
        return rotated(self._basis_x, cross, self._basis_y)

    # Spectra of the coherence and of the prediction operators ---------------------------------------------------------

    @cached_property
    def signal_correlations(self) -> np.ndarray:
        """ρ_i, shape (n_signals,), in the order of kappa: ``κ² / sqrt((κ² + γ_x)(κ² + γ_y))``."""
        return read_only(ca_boundary(self.kappa, self.gamma_x, self.gamma_y))

    @cached_property
    def nuisance_correlations(self) -> np.ndarray:
        """ν_j, shape (n_nuisance_pairs,), in the order of eta: ``η / sqrt(γ̃_x γ̃_y)``; 0 where a variance is 0."""
        largest = np.multiply(*self._paired_deviations)
        return read_only(np.divide(self.eta, largest, out=np.zeros_like(self.eta), where=largest > 0))

    @cached_property
    def signal_gains(self) -> np.ndarray:
        """τ_i of X → Y, shape (n_signals,): ``κ² / sqrt(κ² + γ_x)``."""
        return read_only(cp_boundary(self.kappa, self.gamma_x, 1.0))

    @cached_property
    def nuisance_gains(self) -> np.ndarray:
        """ξ_j of X → Y, shape (n_nuisance_pairs,): ``η / sqrt(γ̃_x) = ν sqrt(γ̃_y)``."""
        return read_only(self.nuisance_correlations * self._paired_deviations[1])

    @cached_property
    def signal_gains_reverse(self) -> np.ndarray:
        """τ_i of Y → X, shape (n_signals,): ``κ² / sqrt(κ² + γ_y)``."""
        return read_only(cp_boundary(self.kappa, self.gamma_y, 1.0))

    @cached_property
    def nuisance_gains_reverse(self) -> np.ndarray:
        """ξ_j of Y → X, shape (n_nuisance_pairs,): ``η / sqrt(γ̃_y) = ν sqrt(γ̃_x)``."""
        return read_only(self.nuisance_correlations * self._paired_deviations[0])

    # Verdicts ---------------------------------------------------------------------------------------------------------

    @property
    def delta_ca(self) -> float:
        """Separation ratio of alignment: weakest signal correlation over strongest nuisance correlation.

        Infinite without nuisance correlation (at most 1e-15); 0 if a signal has strength 0, with or without nuisance.
        """
        return self._ca.ratio

    @property
    def delta_cp(self) -> float:
        """Separation ratio of predicting Y from X: weakest signal gain over strongest nuisance gain; corners as `delta_ca`."""
        return self._cp.ratio

    @property
    def delta_cp_reverse(self) -> float:
        """Separation ratio of predicting X from Y."""
        return self._cp_reverse.ratio

    @property
    def n_recovered_ca(self) -> int:
        """Signals whose correlation exceeds every nuisance correlation: all of them exactly where delta_ca > 1."""
        return self._ca.n_recovered

    @property
    def n_recovered_cp(self) -> int:
        """Signals whose gain X → Y exceeds every nuisance gain."""
        return self._cp.n_recovered

    @property
    def n_recovered_cp_reverse(self) -> int:
        """Signals whose gain Y → X exceeds every nuisance gain."""
        return self._cp_reverse.n_recovered

    @property
    def regime(self) -> Regime:
        """By delta_ca and delta_cp."""
        return classify(self.delta_ca, self.delta_cp)

    @property
    def delta_ratio_bound(self) -> float:
        """What delta_ca / delta_cp cannot exceed: ``sqrt(max γ̃_y / min(κ² + γ_y))``, over paired nuisance coordinates.

        Attained if κ, γ_y and γ̃_y are each the same for all coordinates; the published code takes it for an equality always.
        Infinite where nothing bounds the ratio: no paired nuisance, or a signal coordinate of Y without variance.
        """
        smallest = math.sqrt((self.kappa**2 + self.gamma_y).min())
        largest = float(self._paired_deviations[1].max(initial=0.0))
        return largest / smallest if largest > 0 and smallest > 0 else math.inf

    @property
    def nuisance_threshold_ca(self) -> float:
        """Common nuisance correlation ν below which alignment recovers every signal; the model's own eta plays no part.

        The thresholds are infinite without paired nuisance coordinates that vary.
        """
        varies = np.sign(self._paired_deviations[0])  # a correlation has no units: deviations of 1
        return nuisance_threshold(self.signal_correlations, varies)

    @property
    def nuisance_threshold_cp(self) -> float:
        """Common nuisance correlation ν below which predicting Y from X recovers every signal; above 1: at any ν."""
        return nuisance_threshold(self.signal_gains, self._paired_deviations[1])

    @property
    def nuisance_threshold_cp_reverse(self) -> float:
        """Common nuisance correlation ν below which predicting X from Y recovers every signal; above 1: at any ν."""
        return nuisance_threshold(self.signal_gains_reverse, self._paired_deviations[0])

    @cached_property
    def _ca(self) -> Separation:
        return Separation(self.signal_correlations, self.nuisance_correlations, self._has_nuisance)

    @cached_property
    def _cp(self) -> Separation:
        return Separation(self.signal_gains, self.nuisance_gains, self._has_nuisance)

    @cached_property
    def _cp_reverse(self) -> Separation:
        return Separation(self.signal_gains_reverse, self.nuisance_gains_reverse, self._has_nuisance)

    @property
    def _has_nuisance(self) -> bool:
        # By correlations for the gains too: they have no units, so rescaling the data cannot make nuisance vanish.
        return bool((self.nuisance_correlations > NO_NUISANCE).any())

    @cached_property
    def _paired_deviations(self) -> tuple[np.ndarray, np.ndarray]:
        """Nuisance standard deviations of X and of Y where both views have the coordinate and both vary, else 0."""
        m = self.n_nuisance_pairs
        deviations = np.sqrt([self.gamma_tilde_x[:m], self.gamma_tilde_y[:m]])
        deviations[:, (deviations == 0).any(axis=0)] = 0.0
        return deviations[0], deviations[1]

    # What `RowSampler` asks for ---------------------------------------------------------------------------------------

    @property
    def _widths(self) -> tuple[int, int, int]:
        return self.n_features_x, self.n_features_y, self.n_signals

    @property
    def _largest_variance(self) -> float:
        signal = self.kappa**2 + np.maximum(self.gamma_x, self.gamma_y)
        return float(np.concatenate([signal, self.gamma_tilde_x, self.gamma_tilde_y]).max())

    def _as_sample(self, arrays: Sequence[np.ndarray]) -> SpikedSample:
        return SpikedSample(*arrays)

    def _draw_block(
        self, generator: np.random.Generator, degrees_of_freedom: float | None, out: Sequence[np.ndarray]
    ) -> None:
        k, nu = self.n_signals, self.nuisance_correlations
        paired = slice(k, k + len(nu))
        signal = generator.standard_normal((BLOCK_ROWS, k)) * self.kappa
        x = generator.standard_normal((BLOCK_ROWS, self.n_features_x))
        y = generator.standard_normal((BLOCK_ROWS, self.n_features_y))
        y[:, paired] *= np.sqrt((1 - nu) * (1 + nu))  # paired unit normals: y = ν x + sqrt(1 - ν²) z
        y[:, paired] += nu * x[:, paired]
        x *= np.sqrt(np.append(self.gamma_x, self.gamma_tilde_x))
        y *= np.sqrt(np.append(self.gamma_y, self.gamma_tilde_y))
        x[:, :k] += signal
        y[:, :k] += signal
        if degrees_of_freedom is not None:
            scale = tail_scale(generator, degrees_of_freedom)
            signal *= scale
            x *= scale
            y *= scale
        place(x, self._basis_x, out[0])
        place(y, self._basis_y, out[1])
        out[2][...] = signal
