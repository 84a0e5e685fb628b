"""Random spiked problems with known separation ratios."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from crossphase import Regime, SpikedModel, classify, nuisance_covariance

LABEL_KINDS = ("clean", "noisy", "classes", "partial")
NUISANCE_KINDS = ("full_uniform", "full_level", "sparse")
DEGREES_OF_FREEDOM = (None, None, 10.0, 6.0)  # of the rows: None is Gaussian
TUNING_SEEDS = 100_000  # the estimator was developed on seeds below; it is judged on seeds from here on


@dataclass(frozen=True, slots=True, eq=False)
class Problem:
    """Paired rows, labels, and what the population says about them."""

    X: np.ndarray
    Y: np.ndarray
    labels: np.ndarray  # (n, m) floats, or (n,) integers for classes
    delta_ca: float
    delta_cp: float
    delta_cp_reverse: float
    label_kind: str
    nuisance_kind: str
    degrees_of_freedom: float | None
    model: SpikedModel
    n_labelled_signals: int

    @property
    def regime(self) -> Regime:
        return classify(self.delta_ca, self.delta_cp)

    @property
    def is_away(self) -> bool:
        """Whether both ratios of the direction X -> Y are clear of 1."""
        return min(abs(np.log(self.delta_ca)), abs(np.log(self.delta_cp))) > 0.2


def draw_problem(seed: int) -> Problem:
    """Problem number `seed`: d_x and d_y in 20 ... 100, 1 to 5 signals, 4 to 30 rows a feature of the wider view.

    Signal directions that the labels do not cover ("partial") count as nuisance: labels define what signal is.
    """
    rng = np.random.default_rng([seed, 4])
    p, q = (round(np.exp(rng.uniform(np.log(20), np.log(100)))) for _ in range(2))
    label_kind = str(rng.choice(LABEL_KINDS))
    k = int(rng.integers(2 if label_kind == "partial" else 1, 6))
    n = int(rng.uniform(4, 30) * max(p, q))
    nuisance_kind = str(rng.choice(NUISANCE_KINDS))
    m = min(p, q) - k

    def around(low: float, high: float, spread: float, size: int) -> np.ndarray:
        return np.exp(rng.uniform(np.log(low), np.log(high)) + spread * rng.normal(size=size))

    kappa = around(0.5, 3.0, 0.2, k)
    gamma_tilde_x, gamma_tilde_y = around(0.3, 20.0, 0.3, p - k), around(0.3, 20.0, 0.3, q - k)
    largest = rng.uniform(0.05, 0.95)
    nu = {
        "full_uniform": largest * rng.uniform(0, 1, m),
        "full_level": largest * rng.uniform(0.8, 1, m),
        "sparse": largest * np.where(np.arange(m) < rng.integers(1, 6), rng.uniform(0.3, 1, m), 0.0),
    }[nuisance_kind]
    nu[0] = largest
    model = SpikedModel(
        kappa,
        around(0.1, 2.0, 0.3, k),
        around(0.1, 2.0, 0.3, k),
        gamma_tilde_x,
        gamma_tilde_y,
        nuisance_covariance(nu, gamma_tilde_x[:m], gamma_tilde_y[:m]),
        p,
        q,
        rng=int(rng.integers(2**31)),
    )
    degrees = DEGREES_OF_FREEDOM[rng.integers(len(DEGREES_OF_FREEDOM))]
    X, Y, signal = model.sample(
        n, rng=int(rng.integers(2**31)), **({} if degrees is None else {"degrees_of_freedom": degrees})
    )
    labels, covered = _labels(label_kind, signal, rng)
    ratios = _label_defined_ratios(model, covered)
    return Problem(X, Y, labels, *ratios, label_kind, nuisance_kind, degrees, model, covered)


def _labels(kind: str, signal: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, int]:
    n, k = signal.shape
    if kind == "clean":
        return signal, k
    if kind == "partial":
        covered = int(rng.integers(1, k))
        return signal[:, :covered], covered
    standard = signal / signal.std(axis=0)
    if kind == "noisy":
        rotation = np.linalg.qr(rng.normal(size=(k, k)))[0]
        noise_share = rng.uniform(0.1, 0.7)
        noise = np.sqrt(noise_share / (1 - noise_share)) * rng.normal(size=(n, k))
        return standard @ rotation + noise, k
    centres = rng.normal(size=(int(rng.integers(2 * k + 1, 4 * k + 3)), k)) * 1.5
    distances = ((standard[:, None, :] - centres) ** 2).sum(axis=2)
    return distances.argmin(axis=1), k


def _label_defined_ratios(model: SpikedModel, covered: int) -> tuple[float, float, float]:
    ratios = []
    for signal, nuisance in (
        (model.signal_correlations, model.nuisance_correlations),
        (model.signal_gains, model.nuisance_gains),
        (model.signal_gains_reverse, model.nuisance_gains_reverse),
    ):
        ratios.append(float(signal[:covered].min() / max(nuisance.max(), *signal[covered:], 0.0)))
    return ratios[0], ratios[1], ratios[2]
