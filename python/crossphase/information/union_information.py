"""Union information: the least information about labels that two views with given laws (x, label), (y, label) hold together.

Primal, over q >= 0 with Σ_y q(x, y, l) = p(x, l) and Σ_x q(x, y, l) = p(y, l), where q(x, y) = Σ_l q(x, y, l):

    minimise  I_q = H(labels) + Σ q(x, y, l) log( q(x, y, l) / q(x, y) )

Lagrange multipliers α(x, l), β(y, l) of the two laws. For each pair (x, y), writing q(x, y, l) = w v_l with Σ v = 1, the smallest
of Σ_l q (log(q / q(x, y)) - α - β) over v is w times -logsumexp_l(α + β), at v = softmax(α + β); over w >= 0 it is 0 if that
logsumexp is <= 0, and unbounded otherwise. Hence the dual, whose every feasible point is a lower bound:

    maximise  H(labels) + Σ p(x, l) α(x, l) + Σ p(y, l) β(y, l)
    subject to  logsumexp_l( α(x, l) + β(y, l) ) <= 0  for all (x, y)

w(x, y) is the multiplier of that constraint; its slack is s(x, y). An interior-point method follows w s = μ to μ = 0, each step
corrected to second order (Mehrotra), the curvature of the constraints included. Impossible pairs (x, l) have α = -inf.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MOST_ITERATIONS = 100  # common problems take 5 to 40
_MOST_IDLE_ITERATIONS = 15  # without a better certificate: rounding has the last word
_STEP_SHARE = 0.99  # of the way to the nearest bound; customary
# What follows was chosen on 940 laws with probabilities down to 1e-14: all but two (5e-8) are then certified to 1e-8.
_PRODUCT_SHARE = 0.1  # of the tolerance: the least sum of w s that is aimed at
_LONGEST_PREDICTION = 4.0  # nats that a multiplier moves before curvature is measured
_EXCESS_SHARE = 0.9  # of its slack that a constraint may be in excess after a step
_KEPT_SHARE = 0.01  # of its law that a symbol must keep
_BACKTRACK, _MOST_BACKTRACKS = 0.6, 60
_FITTING_SHARE = 0.1  # a slack is set to what α and β leave, if they leave at least this share of it
_INITIAL_SLACK = 0.1  # nats, of the tightest constraint
_JITTERS = (1e-15, 1e-13, 1e-11, 1e-9)  # added to a matrix of unit diagonal until its Cholesky factor exists
_N_REFINEMENTS = 2  # of every Newton step
_N_SWEEPS = 10  # of iterative proportional fitting before a law is certified


@dataclass(frozen=True, slots=True, eq=False)
class UnionInformation:
    """A feasible joint law q, its information, and how far above the minimum it may be."""

    value: float  # I_q(X, Y; labels), nats
    gap: float  # value minus a dual bound
    pmf: np.ndarray  # (n_symbols_x, n_symbols_y, n_classes), q


def union_information(law_x: np.ndarray, law_y: np.ndarray, *, tolerance: float) -> UnionInformation:
    """Minimise ``I_q(X, Y; labels)`` given the joint probabilities of (x, label) and of (y, label).

    Parameters
    ----------
    law_x, law_y : array, shapes (n_symbols_x, n_classes) and (n_symbols_y, n_classes)
        Each of sum 1, with the same probabilities of the labels.
    """
    # The view with more symbols is eliminated from the Newton systems, so it comes first.
    if len(law_x) < len(law_y):
        found = union_information(law_y, law_x, tolerance=tolerance)
        return UnionInformation(found.value, found.gap, found.pmf.swapaxes(0, 1))
    exist = [law_x.sum(axis=1) > 0, law_y.sum(axis=1) > 0, law_x.sum(axis=0) > 0]
    inner = _minimise(law_x[np.ix_(exist[0], exist[2])], law_y[np.ix_(exist[1], exist[2])], tolerance)
    pmf = np.zeros((len(law_x), *law_y.shape))
    pmf[np.ix_(*exist)] = inner.pmf
    return UnionInformation(inner.value, inner.gap, pmf)


@dataclass(frozen=True, slots=True, eq=False)
class _Point:
    """An iterate: dual variables, slacks that need not fit them yet, and multipliers; a, b symbols and k classes."""

    alpha: np.ndarray  # (a, k), -inf where p(x, l) = 0
    beta: np.ndarray  # (b, k)
    slack: np.ndarray  # (a, b), > 0
    weight: np.ndarray  # (a, b), > 0; 0 for a pair without a common label
    logsumexp: np.ndarray  # (a, b), -slack where the slack fits
    softmax: np.ndarray  # (a, b, k)


@dataclass(frozen=True, slots=True, eq=False)
class _Step:
    alpha: np.ndarray
    beta: np.ndarray
    slack: np.ndarray
    weight: np.ndarray
    logsumexp: np.ndarray  # (a, b), to first order


def _minimise(law_x: np.ndarray, law_y: np.ndarray, tolerance: float) -> UnionInformation:
    """`union_information` without symbols of probability 0."""
    point = _initial_point(law_x, law_y)
    share = point.weight
    best = _certify(point, law_x, law_y)
    n_idle = 0
    for _ in range(_MOST_ITERATIONS):
        if best.gap <= tolerance or n_idle > _MOST_IDLE_ITERATIONS:
            break
        try:
            with np.errstate(
                over="ignore", divide="ignore", invalid="ignore"
            ):  # what is no number is no better certificate
                point = _advance(point, law_x, law_y, share, tolerance)
                found = _certify(point, law_x, law_y)
        except np.linalg.LinAlgError:
            break  # rounding took the Newton system's positive definiteness, or its step
        n_idle = 0 if found.gap < best.gap else n_idle + 1
        best = found if found.gap < best.gap else best
    return best


def _initial_point(law_x: np.ndarray, law_y: np.ndarray) -> _Point:
    """X and Y independent given the label: both laws hold from the start, and α + β is the logarithm of a positive law.

    Dividing α(x, ·) by p(x) and β(y, ·) by p(y) leaves the softmax and takes the magnitudes out of the slacks.
    """
    is_pair = _common_labels(law_x, law_y)
    root = np.sqrt(law_x.sum(axis=0))
    with np.errstate(divide="ignore"):
        alpha, beta = (np.log(_ratio(law, root * law.sum(axis=1, keepdims=True))) for law in (law_x, law_y))
    logsumexp, softmax = _constraints(alpha, beta, is_pair)
    joint = (law_x / root) @ (law_y / root).T
    down = max(float(logsumexp[is_pair].max()), 0.0) + _INITIAL_SLACK
    slack = np.where(is_pair, down - logsumexp, 1.0)
    return _Point(alpha - down / 2, beta - down / 2, slack, joint, -slack, softmax)


def _common_labels(law_x: np.ndarray, law_y: np.ndarray) -> np.ndarray:
    """Whether some label is possible with both symbols of a pair, (a, b)."""
    return np.asarray((law_x > 0).astype(float) @ (law_y > 0).T.astype(float) > 0)


def _constraints(alpha: np.ndarray, beta: np.ndarray, is_pair: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Logsumexp and softmax over labels of α + β for each pair; -1, a satisfied bound, where no label is possible."""
    exponents = alpha[:, None, :] + beta
    top = np.where(is_pair, exponents.max(axis=2), 0.0)
    softmax = np.exp(exponents - top[:, :, None])
    total = np.where(is_pair, softmax.sum(axis=2), 1.0)
    softmax /= total[:, :, None]
    return np.where(is_pair, top + np.log(total), -1.0), softmax


def _advance(point: _Point, law_x: np.ndarray, law_y: np.ndarray, share: np.ndarray, tolerance: float) -> _Point:
    is_pair = share > 0
    system = _NewtonSystem(point, law_x, law_y)
    infeasibility = point.logsumexp + point.slack
    product = (point.weight * point.slack).sum()
    # Predictor: straight at w s = 0. How far it gets decides how small a product the corrector aims at; never at less than
    # the tolerance needs, since the system's condition grows with every power of ten.
    ahead = system.solve(np.zeros_like(point.slack), infeasibility)
    length = _longest_step(point, ahead)
    reached = ((point.weight + length * ahead.weight) * (point.slack + length * ahead.slack)).sum()
    least = _PRODUCT_SHARE * tolerance
    # In proportion to p(x, y): with one target for all pairs, the slacks of rare symbols would grow without bound.
    target = share / share.sum() * max(product * (reached / product) ** 3, least)
    length = min(length, _LONGEST_PREDICTION / _largest(ahead.alpha, ahead.beta))
    bent, _ = _constraints(point.alpha + length * ahead.alpha, point.beta + length * ahead.beta, is_pair)
    curvature = bent - point.logsumexp - length * ahead.logsumexp
    step = system.solve(target - ahead.weight * ahead.slack, infeasibility + curvature)
    length = _STEP_SHARE * _longest_step(point, step)
    if not np.isfinite(length * _largest(step.alpha, step.beta)):
        raise np.linalg.LinAlgError("the Newton step is not finite")

    # Newton's model of exp fails rare labels first: go back until constraints and laws are about what it promised.
    allowed = np.maximum(infeasibility, 0) + 1e-9  # nats; below, rounding decides
    kept_x = _KEPT_SHARE * np.minimum(law_x, system.law_x_held)
    kept_y = _KEPT_SHARE * np.minimum(law_y, system.law_y_held)
    for _ in range(_MOST_BACKTRACKS):
        alpha, beta = point.alpha + length * step.alpha, point.beta + length * step.beta
        logsumexp, softmax = _constraints(alpha, beta, is_pair)
        slack, weight = point.slack + length * step.slack, point.weight + length * step.weight
        joint = weight[:, :, None] * softmax
        if (
            (logsumexp + slack <= np.maximum(_EXCESS_SHARE * slack, allowed)).all()
            and (joint.sum(axis=1) >= kept_x).all()
            and (joint.sum(axis=0) >= kept_y).all()
        ):
            break
        length *= _BACKTRACK
    slack = np.where(-logsumexp >= _FITTING_SHARE * slack, -logsumexp, slack)
    return _Point(alpha, beta, slack, weight, logsumexp, softmax)


def _largest(*changes: np.ndarray) -> float:
    return max(float(np.abs(change).max()) for change in changes) + np.finfo(float).tiny


def _longest_step(point: _Point, step: _Step) -> float:
    """The share of a step, at most 1, up to which slacks and multipliers stay positive."""
    shrinkage = 1.0
    for value, change in ((point.slack, step.slack), (point.weight, step.weight)):
        falls = change < 0
        if falls.any():
            shrinkage = max(shrinkage, float((-change[falls] / value[falls]).max()))
    return 1 / shrinkage


class _NewtonSystem:
    """The linear system in (Δα, Δβ) of one iterate, factorised: blocks of x eliminated, Cholesky of what is left for y.

    Its matrix is Σ over pairs of w (diag(v) - v v^T) + (w / s) v v^T, v the softmax, at rows and columns (x, ·) and (y, ·).
    """

    def __init__(self, point: _Point, law_x: np.ndarray, law_y: np.ndarray) -> None:
        self.point, self.law_x, self.law_y = point, law_x, law_y
        self.joint = point.weight[:, :, None] * point.softmax
        self.law_x_held, self.law_y_held = self.joint.sum(axis=1), self.joint.sum(axis=0)
        self.rank_one = point.weight / point.slack - point.weight
        n_x, n_y, k = self.joint.shape
        labels = np.arange(k)
        outer = self.rank_one[:, :, None] * point.softmax
        block_x = outer.swapaxes(1, 2) @ point.softmax
        block_y = outer.transpose(1, 2, 0) @ point.softmax.swapaxes(0, 1)
        # A variable that does not exist (law 0) gets the equation 1 Δ = 0.
        block_x[:, labels, labels] += np.where(law_x > 0, self.law_x_held, 1.0)
        block_y[:, labels, labels] += np.where(law_y > 0, self.law_y_held, 1.0)
        coupling = outer[:, :, :, None] * point.softmax[:, :, None, :]
        coupling[:, :, labels, labels] += self.joint
        coupling = coupling.transpose(0, 2, 1, 3).reshape(n_x, k, n_y * k)

        # Probabilities span orders of magnitude: scaling to unit diagonals keeps the factors accurate.
        scale_x = 1 / np.sqrt(block_x[:, labels, labels])
        scaled = block_x * scale_x[:, :, None] * scale_x[:, None, :] + _JITTERS[0] * np.eye(k)
        self.whitener_x = np.linalg.inv(np.linalg.cholesky(scaled)) * scale_x[:, None, :]
        self.coupling = (self.whitener_x @ coupling).reshape(n_x * k, n_y * k)
        schur = -(self.coupling.T @ self.coupling)
        by_symbol = schur.reshape(n_y, k, n_y, k)
        symbols = np.arange(n_y)
        by_symbol[symbols, :, symbols, :] += block_y
        # Adding c(l) to every α(x, l) and taking it from every β(y, l) changes nothing: fix Σ_y Δβ(y, l) = 0.
        diagonal = schur.diagonal().reshape(n_y, k)
        for label in labels:
            exists = np.flatnonzero(law_y[:, label] > 0)
            if len(exists):
                by_symbol[np.ix_(exists, [label], exists, [label])] += diagonal[exists, label].mean()
        self.scale_y = 1 / np.sqrt(np.maximum(schur.diagonal(), np.finfo(float).tiny))
        self.factor = _cholesky(schur * self.scale_y * self.scale_y[:, None])

    def solve(self, product: np.ndarray, infeasibility: np.ndarray) -> _Step:
        """The step to w s = `product` and logsumexp + s = 0, where the latter is now `infeasibility` to first order."""
        point = self.point
        weight = np.where(point.weight > 0, (product + point.weight * infeasibility) / point.slack, 0.0)
        joint = weight[:, :, None] * point.softmax
        missing = self._existing(self.law_x - joint.sum(axis=1), self.law_y - joint.sum(axis=0))
        alpha, beta = self._eliminate(*missing)
        for _ in range(_N_REFINEMENTS):  # recover what the jitter and cancellation in the Schur complement cost
            applied = self._apply(alpha, beta)
            more = self._eliminate(*self._existing(missing[0] - applied[0], missing[1] - applied[1]))
            alpha, beta = alpha + more[0], beta + more[1]
        logsumexp = self._change_of_logsumexp(alpha, beta)
        change = weight - point.weight + point.weight / point.slack * logsumexp
        return _Step(alpha, beta, -infeasibility - logsumexp, change, logsumexp)

    def _existing(self, at_x: np.ndarray, at_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.where(self.law_x > 0, at_x, 0.0), np.where(self.law_y > 0, at_y, 0.0)

    def _eliminate(self, right_x: np.ndarray, right_y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        from scipy.linalg import cho_solve  # noqa: PLC0415  (SciPy only where it is needed)

        white = (self.whitener_x @ right_x[:, :, None]).reshape(-1)
        right = (right_y.reshape(-1) - self.coupling.T @ white) * self.scale_y
        beta = cho_solve((self.factor, True), right, check_finite=False) * self.scale_y
        white = (white - self.coupling @ beta).reshape(right_x.shape)
        alpha = (self.whitener_x.swapaxes(1, 2) @ white[:, :, None])[:, :, 0]
        return alpha, beta.reshape(right_y.shape)

    def _apply(self, alpha: np.ndarray, beta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The matrix times a step, from the pairs themselves."""
        change = (self.rank_one * self._change_of_logsumexp(alpha, beta))[:, :, None] * self.point.softmax
        change += self.joint * (alpha[:, None, :] + beta)
        return change.sum(axis=1), change.sum(axis=0)

    def _change_of_logsumexp(self, alpha: np.ndarray, beta: np.ndarray) -> np.ndarray:
        softmax = self.point.softmax
        return np.asarray(
            (softmax @ alpha[:, :, None])[:, :, 0] + (softmax.swapaxes(0, 1) @ beta[:, :, None])[:, :, 0].T
        )


def _cholesky(matrix: np.ndarray) -> np.ndarray:
    """Lower factor of a matrix of unit diagonal, with as little added to the diagonal as it takes."""
    for jitter in _JITTERS:
        try:
            return np.linalg.cholesky(matrix + jitter * np.eye(len(matrix)))
        except np.linalg.LinAlgError:
            continue
    raise np.linalg.LinAlgError("not positive definite")


def _certify(point: _Point, law_x: np.ndarray, law_y: np.ndarray) -> UnionInformation:
    """The joint law and the dual point nearest to an iterate that are feasible, and the gap between their values."""
    classes = law_x.sum(axis=0)
    entropy = -_sum_of_x_log_x(classes)
    pmf = _with_laws(point.weight[:, :, None] * point.softmax, law_x, law_y)
    value = entropy + _sum_of_x_log_x(pmf) - _sum_of_x_log_x(pmf.sum(axis=2))
    # Every α(x, ·), then every β(y, ·), moves to its tightest constraint, which makes all of them hold.
    binding = np.where(_common_labels(law_x, law_y), point.logsumexp, -np.inf)
    shift_x = binding.max(axis=1)
    shift_y = (binding - shift_x[:, None]).max(axis=0)
    bound = entropy
    for law, multipliers, shift in ((law_x, point.alpha, shift_x), (law_y, point.beta, shift_y)):
        exists = law > 0
        bound += float((law[exists] * (multipliers - shift[:, None])[exists]).sum())
    return UnionInformation(value, max(value - bound, 0.0), pmf)


def _with_laws(joint: np.ndarray, law_x: np.ndarray, law_y: np.ndarray) -> np.ndarray:
    """A joint law near `joint` with the given pairwise laws.

    Sweeps of proportional fitting leave little to correct and keep the support; then excess is scaled away and what is missing
    spread as a product, label by label (Altschuler, Weed & Rigollet 2017, algorithm 2), which makes the laws exact.
    """
    for _ in range(_N_SWEEPS):
        joint = joint * _ratio(law_x, joint.sum(axis=1))[:, None, :]
        joint *= _ratio(law_y, joint.sum(axis=0))
    joint = joint * np.minimum(1, _ratio(law_x, joint.sum(axis=1)))[:, None, :]
    joint *= np.minimum(1, _ratio(law_y, joint.sum(axis=0)))
    missing_x, missing_y = np.maximum(law_x - joint.sum(axis=1), 0), np.maximum(law_y - joint.sum(axis=0), 0)
    return np.asarray(joint + missing_x[:, None, :] * _ratio(missing_y, missing_x.sum(axis=0)))


def _ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    out = np.zeros(np.broadcast_shapes(numerator.shape, denominator.shape))
    np.divide(numerator, denominator, out=out, where=denominator > 0)
    return out


def _sum_of_x_log_x(values: np.ndarray) -> float:
    positive = values[values > 0]
    return float((positive * np.log(positive)).sum())
