"""The spiked model of two or more views, each with its own selection of the signals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from crossphase._scalars import check_integer
from crossphase._seeds import Seed, seed_sequence
from crossphase._vectors import check_vector
from crossphase.covariances import Covariances
from crossphase.errors import InputTypeError, InputValueError
from crossphase.spiked.bases import choose_basis, rotated, rotated_diagonal
from crossphase.spiked.parameters import LARGEST_VARIANCE, check_kappa
from crossphase.spiked.row_sampler import BLOCK_ROWS, RowSampler, place, tail_scale


class MultiviewSample(NamedTuple):
    """Rows of several views that belong together."""

    views: list[np.ndarray]  # (n_samples, n_features of the view), one a view
    signal: np.ndarray  # (n_samples, n_signals): the shared s behind each row


@dataclass(frozen=True, slots=True, eq=False)
class _View:
    signals: np.ndarray  # (n_own,), indices into kappa: signal coordinate a carries signals[a]
    gamma: np.ndarray  # (n_own,)
    gamma_tilde: np.ndarray  # (n_features - n_own,)
    basis: np.ndarray | None  # None: coordinate axes

    @property
    def n_features(self) -> int:
        return len(self.gamma) + len(self.gamma_tilde)


@dataclass(frozen=True, eq=False, init=False, repr=False)
class MultiviewSpikedModel(RowSampler[MultiviewSample]):
    """N views: view i carries the signals listed for it; nuisance coordinates covary equally between every two views.

    ``x_i = Q_i [s_(signals[i]) + e_i; m_i]`` with independent ``s`` of variances ``κ²`` and noise ``e_i`` of variances
    ``γ_i``. Nuisance coordinate j has variance ``γ̃_i,j`` in view i and covariance ``η_j`` between any two views that have
    it: ``m_i,j = sqrt(η_j) f_j + sqrt(γ̃_i,j - η_j) u_i,j`` with one common factor ``f_j``.

    Parameters
    ----------
    kappa : float or array, shape (k,), in [0, 1e75]
        Signal strengths: standard deviations of s.
    signals : sequence of at least two sequences of int
        For each view the distinct signals it carries, as positions in `kappa`, in the order of its signal coordinates. A
        view may carry none.
    gamma : float, or one entry for each view: float or array, shape (number of the view's signals,), in [0, 1e150]
        Noise variances on the signal coordinates.
    gamma_tilde : float, or one entry for each view: float or array, shape (number of nuisance coordinates,), in [0, 1e150]
        Variances of the nuisance coordinates.
    eta : float or array, shape (n,), n the second largest of the views' nuisance counts, default 0
        Covariance of nuisance coordinate j between every two views that have it; at most the smallest of their ``γ̃_i,j``.
        (Two views of unequal variances admit more, up to their geometric mean: `SpikedModel`.)
    n_features : int, or one for each view
        At least the number of the view's signals.
    bases : one orthogonal matrix or None for each view, optional
        The first columns carry the view's signals. None: drawn uniformly if `rng` is given, else coordinate axes.
    rng : int, numpy.random.SeedSequence or numpy.random.Generator, optional
        Seed of the bases.

    Raises
    ------
    InputValueError, InputTypeError
        A parameter is out of its range, or has a wrong length or shape.

    References
    ----------
    Kamai et al. (2026), "When to Align, When to Predict", published code, ``experiment_e1_multimodal``.
    """

    kappa: np.ndarray  # (n_signals,)
    signals: tuple[tuple[int, ...], ...]  # one a view
    eta: np.ndarray  # (n,)
    _views: tuple[_View, ...]

    def __init__(
        self,
        kappa: ArrayLike,
        signals: Sequence[Sequence[int]],
        *,
        gamma: float | Sequence[ArrayLike],
        gamma_tilde: float | Sequence[ArrayLike],
        n_features: int | Sequence[int],
        eta: ArrayLike = 0.0,
        bases: Sequence[ArrayLike | None] | None = None,
        rng: Seed | None = None,
    ) -> None:
        strengths = check_kappa(kappa)
        carried = _checked_signals(signals, len(strengths))
        seed = None if rng is None else seed_sequence(rng)
        parameters = zip(
            carried,
            _per_view(gamma, "gamma", len(carried)),
            _per_view(gamma_tilde, "gamma_tilde", len(carried)),
            _per_view(n_features, "n_features", len(carried)),
            _per_view(bases, "bases", len(carried)),
            strict=True,
        )
        views = tuple(_checked_view(i, seed, *own) for i, own in enumerate(parameters))
        for name, value in {
            "kappa": strengths,
            "signals": carried,
            "eta": _checked_eta(eta, views),
            "_views": views,
        }.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen

    def __repr__(self) -> str:
        return f"MultiviewSpikedModel(n_signals={self.n_signals}, signals={self.signals}, n_features={self.n_features})"

    @property
    def n_signals(self) -> int:
        return len(self.kappa)

    @property
    def n_views(self) -> int:
        return len(self._views)

    @property
    def n_features(self) -> tuple[int, ...]:
        """Features of every view."""
        return tuple(view.n_features for view in self._views)

    def basis(self, view: int) -> np.ndarray:
        """Orthogonal basis of a view, shape (n_features, n_features): its first columns carry the view's signals."""
        found = self._view(view, "view")
        return np.eye(found.n_features) if found.basis is None else found.basis

    def n_shared(self, *views: int) -> int:
        """Number of signals of strength above 0 that all the given views carry; without arguments, all views of the model.

        For a pair and ``eta = 0``, the number of nonzero canonical correlations.
        """
        chosen = [self._view(view, "view") for view in views] or self._views
        shared = set(np.flatnonzero(self.kappa).tolist())
        for view in chosen:
            shared &= set(view.signals.tolist())
        return len(shared)

    def covariance(self, i: int, j: int) -> np.ndarray:
        """Population covariance of view i with view j, shape (features of i, features of j)."""
        left, right = self._view(i, "i"), self._view(j, "j")
        if left is right:
            return rotated_diagonal(left.basis, np.append(self.kappa[left.signals] ** 2 + left.gamma, left.gamma_tilde))
        coordinates = np.zeros((left.n_features, right.n_features))
        is_same = left.signals[:, None] == right.signals
        n_left, n_right = is_same.shape
        coordinates[:n_left, :n_right] = np.where(is_same, self.kappa[left.signals, None] ** 2, 0.0)
        n_pairs = min(len(left.gamma_tilde), len(right.gamma_tilde))
        np.fill_diagonal(coordinates[n_left:, n_right:], self.eta[:n_pairs])
        return rotated(left.basis, coordinates, right.basis)

    def pair(self, i: int, j: int) -> Covariances:
        """The three population covariances of views i and j, i as X and j as Y."""
        return Covariances(self.covariance(i, i), self.covariance(j, j), self.covariance(i, j))

    # What `RowSampler` asks for ---------------------------------------------------------------------------------------

    @property
    def _widths(self) -> tuple[int, ...]:
        return *self.n_features, self.n_signals

    @property
    def _largest_variance(self) -> float:
        noise = [0.0, *(variance for view in self._views for variance in (*view.gamma, *view.gamma_tilde))]
        return float(self.kappa.max() ** 2 + max(noise))

    def _as_sample(self, arrays: Sequence[np.ndarray]) -> MultiviewSample:
        *views, signal = arrays
        return MultiviewSample(views, signal)

    def _draw_block(
        self, generator: np.random.Generator, degrees_of_freedom: float | None, out: Sequence[np.ndarray]
    ) -> None:
        signal = generator.standard_normal((BLOCK_ROWS, self.n_signals)) * self.kappa
        common = generator.standard_normal((BLOCK_ROWS, len(self.eta))) * np.sqrt(self.eta)
        scale = None if degrees_of_freedom is None else tail_scale(generator, degrees_of_freedom)
        for view, rows in zip(self._views, out, strict=False):  # the last array is the signal's
            own = view.gamma_tilde.copy()
            n_common = min(len(own), len(self.eta))
            own[:n_common] -= self.eta[:n_common]
            n_own = len(view.signals)
            x = generator.standard_normal((BLOCK_ROWS, view.n_features)) * np.sqrt(np.append(view.gamma, own))
            x[:, :n_own] += signal[:, view.signals]
            x[:, n_own : n_own + n_common] += common[:, :n_common]
            place(x if scale is None else x * scale, view.basis, rows)
        out[-1][...] = signal if scale is None else signal * scale

    def _view(self, index: int, name: str) -> _View:
        return self._views[check_integer(index, name, least=0, most=self.n_views - 1)]


def _per_view(value: Any, name: str, n_views: int) -> list[Any]:
    """One entry for each view; what is no sequence stands for all."""
    if not isinstance(value, list | tuple) and np.ndim(value) == 0:
        return [value] * n_views
    if len(value) != n_views:
        raise InputValueError(
            f"{name} must have one entry for each of the {n_views} views in signals; got {len(value)}."
        )
    return list(value)


def _checked_view(
    i: int,
    seed: np.random.SeedSequence | None,
    signals: tuple[int, ...],
    gamma: ArrayLike,
    gamma_tilde: ArrayLike,
    n_features: Any,
    basis: ArrayLike | None,
) -> _View:
    n_own, p = len(signals), check_integer(n_features, f"n_features[{i}]", least=1)
    if p < n_own:
        raise InputValueError(f"n_features[{i}] must be at least the {n_own} signals that view {i} carries; got {p}.")
    return _View(
        np.array(signals, dtype=np.intp),
        check_vector(gamma, f"gamma[{i}]", n_own, "signals of the view", most=LARGEST_VARIANCE),
        check_vector(
            gamma_tilde, f"gamma_tilde[{i}]", p - n_own, "nuisance coordinates of the view", most=LARGEST_VARIANCE
        ),
        choose_basis(basis, f"bases[{i}]", p, seed, view=i),
    )


def _checked_signals(signals: Any, n_signals: int) -> tuple[tuple[int, ...], ...]:
    if isinstance(signals, str) or not hasattr(signals, "__len__"):
        raise InputTypeError(f"signals must be a sequence with the signals of every view; got {signals!r}.")
    if len(signals) < 2:
        raise InputValueError(f"signals must list the signals of at least two views; got {len(signals)}.")
    carried = []
    for i, own in enumerate(signals):
        if isinstance(own, str) or not hasattr(own, "__iter__"):
            raise InputTypeError(f"signals[{i}] must be a sequence of positions in kappa; got {own!r}.")
        positions = tuple(
            check_integer(s, f"signals[{i}][{a}]", least=0, most=n_signals - 1) for a, s in enumerate(own)
        )
        repeated = next((s for a, s in enumerate(positions) if s in positions[:a]), None)
        if repeated is not None:
            raise InputValueError(f"signals[{i}] must be distinct; got {repeated} more than once.")
        carried.append(positions)
    return tuple(carried)


def _checked_eta(eta: ArrayLike, views: Sequence[_View]) -> np.ndarray:
    n_pairs = sorted(len(view.gamma_tilde) for view in views)[-2]
    covariances = check_vector(eta, "eta", n_pairs, "nuisance coordinates that at least two views have")
    for i, view in enumerate(views):
        n_common = min(len(view.gamma_tilde), n_pairs)
        above = covariances[:n_common] > view.gamma_tilde[:n_common]
        if above.any():
            j = int(np.argmax(above))
            raise InputValueError(
                f"eta must be at most the nuisance variance of every view; got eta[{j}] = {covariances[j]:g} and variance "
                f"{view.gamma_tilde[j]:g} in view {i}. Lower eta or raise gamma_tilde."
            )
    return covariances
