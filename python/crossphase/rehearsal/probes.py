"""The papers' linear probes: L2 logistic regression for classes, ridge for measurements."""

from __future__ import annotations

import numpy as np

LOGISTIC_C = 0.1  # scikit-learn's C
RIDGE_ALPHA = 1.0
_MOST_STEPS = 100
_CONVERGED = (
    1e-3  # of the objective: what a step must still gain; accuracies no longer change beyond their error below it
)
_RANK = 1e-10  # of the largest eigenvalue of the Gram matrix


def predict_classes(train: np.ndarray, codes: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Classes predicted for the `test` rows, shape (n_test,), by multinomial logistic regression on the `train` rows.

    Minimizes the summed log-loss plus ``|W|² / (2 C)``, the intercepts free, as scikit-learn does.

    Notes
    -----
    In principal coordinates the quadratic bound ``curvature ZᵀZ + I / C`` on the Hessian is diagonal, so that a step is two
    products. A curvature of 1/2 always holds (Böhning 1992, Ann. Inst. Stat. Math. 44, 197-200); with many classes far less
    does, so it starts at 1 / n_classes and doubles where a step fails it. Accelerated after Nesterov (1983), with the restarts
    of O'Donoghue & Candès (2015), Found. Comput. Math. 15, 715-732.
    """
    present, targets = np.unique(codes, return_inverse=True)
    if len(present) == 1:
        return np.full(len(test), present[0])
    z, z_test, eigenvalues = _principal(train, test)
    # The intercept has a coordinate of its own, since z is centred. Single precision: the steps end far above its rounding.
    z = np.hstack([z, np.ones((len(z), 1))]).astype(np.float32)
    z_test = np.hstack([z_test, np.ones((len(z_test), 1))]).astype(np.float32)
    sums = np.append(eigenvalues, len(z)).astype(np.float32)[:, None]
    penalty = np.append(np.full(len(eigenvalues), 1.0 / LOGISTIC_C), 0.0).astype(np.float32)[:, None]
    rows, k = np.arange(len(z)), len(present)

    def objective(weights: np.ndarray, logits: np.ndarray) -> tuple[float, np.ndarray]:
        """The value, and the probabilities."""
        known = logits[rows, targets]
        probabilities = logits - logits.max(axis=1, keepdims=True)
        np.exp(probabilities, out=probabilities)
        totals = probabilities.sum(axis=1, keepdims=True)
        loss = float((np.log(totals[:, 0]) + logits.max(axis=1) - known).sum(dtype=np.float64))
        return loss + 0.5 * float((penalty * weights**2).sum(dtype=np.float64)), probabilities / totals

    curvature, momentum = 1.0 / k, 1.0
    weights = np.zeros((z.shape[1], k), dtype=np.float32)
    weights[-1] = np.log(np.bincount(targets) / len(targets))
    logits = z @ weights
    ahead, logits_ahead = weights, logits
    for _ in range(_MOST_STEPS):
        value, residuals = objective(ahead, logits_ahead)
        residuals[rows, targets] -= 1.0
        gradient = z.T @ residuals + penalty * ahead
        while True:
            step = gradient / (curvature * sums + penalty)
            following = ahead - step
            logits_following = z @ following
            gain = 0.5 * float(np.vdot(gradient, step))
            if curvature >= 0.5 or objective(following, logits_following)[0] <= value - gain:
                break
            curvature = min(2 * curvature, 0.5)
        moved = following - weights
        if np.vdot(step, moved) < 0:
            momentum = 1.0  # against the gradient: forget the momentum
        grown = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        share, momentum = float((momentum - 1) / grown), grown
        ahead, logits_ahead = following + share * moved, logits_following + share * (logits_following - logits)
        weights, logits = following, logits_following
        if gain < _CONVERGED * value:
            break
    return np.asarray(present[np.argmax(z_test @ weights, axis=1)])


def predict_values(train: np.ndarray, values: np.ndarray, test: np.ndarray) -> np.ndarray:
    """Measurements predicted for the `test` rows, shape (n_test,), by ridge regression with a free intercept."""
    z, z_test, eigenvalues = _principal(train, test)
    mean = values.mean()
    return np.asarray(mean + z_test @ ((z.T @ (values - mean)) / (eigenvalues + RIDGE_ALPHA)))


def _principal(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Both sets of rows in principal coordinates of the centred training rows, whose Gram matrix is then diagonal."""
    mean = train.mean(axis=0)
    centred, centred_test = train - mean, test - mean
    n, d = centred.shape
    if n < d:
        values, axes = np.linalg.eigh(centred @ centred.T)
        kept = values > _RANK * max(values[-1], 0.0)
        roots = np.sqrt(values[kept])
        z = axes[:, kept] * roots
        return z, (centred_test @ centred.T) @ (axes[:, kept] / roots), values[kept]
    values, axes = np.linalg.eigh(centred.T @ centred)
    kept = values > _RANK * max(values[-1], 0.0)
    return centred @ axes[:, kept], centred_test @ axes[:, kept], values[kept]
