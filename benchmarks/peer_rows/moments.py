"""Moments of paired rows: targets 1a to 1e, and what the fixed order of sums costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np

from crossphase import CrossMoments
from peer_rows.machine import peaks
from peer_rows.measure import (
    ROUNDS,
    Comparison,
    PeerMissingError,
    PeerRow,
    check_answer,
    compare,
    not_measured,
    require_peer,
    row,
)

WIDTH = 512  # features a side
MOST_ERROR = (
    3e-7  # of covariances, relative to the standard deviations: what float32 samples with exact diagonals allow
)
_BATCH = 20_000  # rows that the incremental peers see at a time
_SLOW_ROUNDS = 3  # of peers that take seconds


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """Rows of two views, and the covariance of [X Y] in float64."""

    X: np.ndarray
    Y: np.ndarray
    joint: np.ndarray  # [X Y], for the peers that take one matrix
    cov: np.ndarray

    @property
    def work(self) -> str:
        n, p = self.X.shape
        return f"{self.X.dtype}, n = {n}, {p} + {self.Y.shape[1]}"

    @property
    def flops(self) -> float:
        """Of the triangle of the joint product."""
        return len(self.X) * float(self.joint.shape[1]) ** 2

    def error(self, cov: np.ndarray) -> float:
        """Largest error of a covariance, relative to the standard deviations."""
        return covariance_error(cov, self.cov)


@cache
def float32_pair(quick: bool, mean: float = 0.0) -> Pair:
    """Views that share 50 directions; sizes of targets 1a and 1b."""
    rng = np.random.default_rng(0)
    n, width = (20_000, 128) if quick else (200_000, WIDTH)
    joint = rng.standard_normal((n, 2 * width), dtype=np.float32)
    joint[:, :50] += joint[:, width : width + 50]
    joint += np.float32(mean)
    return Pair(joint[:, :width].copy(), joint[:, width:].copy(), joint, exact_covariance(joint))


def exact_covariance(rows: np.ndarray) -> np.ndarray:
    """Covariance of the columns in float64, two passes, a block of rows at a time."""
    blocks = np.array_split(rows, max(1, len(rows) // _BATCH))
    mean = sum(block.sum(axis=0, dtype=np.float64) for block in blocks) / len(rows)
    cov = np.zeros((rows.shape[1], rows.shape[1]))
    for block in blocks:
        centred = block.astype(np.float64) - mean
        cov += centred.T @ centred
    return cov / (len(rows) - 1)


def covariance_error(cov: np.ndarray, exact: np.ndarray) -> float:
    deviations = np.sqrt(np.diag(exact))
    return float(np.abs((cov - exact) / deviations / deviations[:, None]).max())


def our_covariance(pair: Pair, **options: str) -> np.ndarray:
    """Covariance of [X Y] by crossphase."""
    p, q = pair.X.shape[1], pair.Y.shape[1]
    moments = CrossMoments(p, q, **options).update(pair.X, pair.Y)
    return np.block([[moments.cov_xx, moments.cov_xy], [moments.cov_xy.T, moments.cov_yy]])


def our_pass(pair: Pair, **options: str) -> Callable[[], object]:
    """The timed call: one pass, from no state to the covariances; its state is made inside, as a user makes it."""
    p, q = pair.X.shape[1], pair.Y.shape[1]
    return lambda: CrossMoments(p, q, **options).update(pair.X, pair.Y).cov_xy


def share_of_peaks(flops: float, found: Comparison) -> str:
    """Our rate over the triangle, in the units of this run's probes."""
    rate, ceiling = flops / found.our_seconds, peaks()
    return (
        f"{rate / 1e9:.0f} GFlop/s: {rate / ceiling.f32:.0%} of the f32 peak"
        + (f", {rate / ceiling.bf16:.0%} of the bf16 peak" if ceiling.bf16 > 0 else "")
        + f"; peer {flops / found.peer_seconds / 1e9:.0f}"
    )


class NumpyJoint:
    """The best that NumPy does: centre both views into one matrix, one symmetric product in the samples' precision."""

    def __init__(self, pair: Pair) -> None:
        self._pair = pair
        self._centred = np.empty_like(pair.joint)
        self.product = np.empty((pair.joint.shape[1],) * 2, pair.joint.dtype)

    def __call__(self) -> np.ndarray:
        p = self._pair.X.shape[1]
        np.subtract(self._pair.X, self._pair.X.mean(axis=0), out=self._centred[:, :p])
        np.subtract(self._pair.Y, self._pair.Y.mean(axis=0), out=self._centred[:, p:])
        np.matmul(self._centred.T, self._centred, out=self.product)
        self.product /= len(self._centred) - 1
        return self.product


def against_numpy(quick: bool) -> Iterator[PeerRow]:
    """1a: the default precision of float32 samples."""
    pair = float32_pair(quick)
    error = check_answer(pair.error(our_covariance(pair)), MOST_ERROR, "1a")
    peer = NumpyJoint(pair)
    note = f"peer's error {pair.error(peer()):.0e}"
    found = compare(our_pass(pair), peer, rounds=3 if quick else ROUNDS)
    note = f"{share_of_peaks(pair.flops, found)}; {note}"
    yield row(
        "1a", pair.work, f"numpy {np.__version__} centred joint product", found, error, floor=2.5, goal=3.7, note=note
    )


def without_matrix_units(quick: bool) -> Iterator[PeerRow]:
    """1d: float32 products in the vector units, whatever else the machine has."""
    pair = float32_pair(quick)
    error = check_answer(pair.error(our_covariance(pair, precision="f32")), MOST_ERROR, "1d")
    peer = NumpyJoint(pair)
    peer()
    found = compare(our_pass(pair, precision="f32"), peer, rounds=3 if quick else ROUNDS)
    note = share_of_peaks(pair.flops, found)
    yield row(
        "1d", pair.work, f"numpy {np.__version__} centred joint product", found, error, floor=1.1, goal=1.3, note=note
    )


def against_incremental(quick: bool) -> Iterator[PeerRow]:
    """1b: the default precision against `np.cov` and the two incremental peers."""
    pair = float32_pair(quick)
    error = check_answer(pair.error(our_covariance(pair)), MOST_ERROR, "1b")
    peers: tuple[tuple[str, Callable[[Pair], Callable[[], np.ndarray]], float, float], ...] = (
        (f"numpy {np.__version__} np.cov defaults", _np_cov, 8.0, 12.0),
        ("scikit-learn-intelex IncrementalEmpiricalCovariance", _intelex, 3.0, 4.0),
        ("welford-torch OnlineCovariance", _welford, 4.0, 6.0),
    )
    for name, prepare, floor, goal in peers:
        try:
            peer = prepare(pair)
        except PeerMissingError as missing:
            yield not_measured("1b", pair.work, name, str(missing))
            continue
        note = f"{_SLOW_ROUNDS} rounds; peer's error {pair.error(peer()):.0e}"
        found = compare(our_pass(pair), peer, rounds=_SLOW_ROUNDS)
        yield row("1b", pair.work, name, found, error, floor=floor, goal=goal, note=note)


def _np_cov(pair: Pair) -> Callable[[], np.ndarray]:
    return lambda: np.cov(pair.X, pair.Y, rowvar=False)


def _intelex(pair: Pair) -> Callable[[], np.ndarray]:
    covariance = require_peer("sklearnex.covariance")

    def fit() -> np.ndarray:
        estimator = covariance.IncrementalEmpiricalCovariance(copy=False)
        for start in range(0, len(pair.joint), _BATCH):
            estimator.partial_fit(pair.joint[start : start + _BATCH])
        n = len(pair.joint)
        return np.asarray(estimator.covariance_, np.float64) * (n / (n - 1))  # theirs divides by n

    return fit


def _welford(pair: Pair) -> Callable[[], np.ndarray]:
    welford, torch = require_peer("welford_torch"), require_peer("torch")
    batches = torch.from_numpy(pair.joint).split(_BATCH)

    def fit() -> np.ndarray:
        state = welford.OnlineCovariance()
        for batch in batches:
            state.add_all(batch)
        n = len(pair.joint)
        return np.asarray(state.cov.numpy(), np.float64) * (n / (n - 1))  # theirs divides by n

    return fit


def bfloat16_in(quick: bool) -> Iterator[PeerRow]:
    """1c: bfloat16 samples, exact products, against torch's product of the same samples."""
    for width in (128,) if quick else (512, 1024):
        n = 20_000 if quick else 100_000
        name = "torch bf16 X.T @ X"
        work = f"bfloat16, n = {n}, {width} + {width}"
        try:
            torch = require_peer("torch")
        except PeerMissingError as missing:
            yield not_measured("1c", work, name, str(missing))
            continue
        rows = torch.randn(n, 2 * width, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
        bits = rows.view(torch.uint16).numpy()
        joint = rows.to(torch.float32).numpy()
        pair = Pair(bits[:, :width].copy(), bits[:, width:].copy(), joint, exact_covariance(joint))
        error = check_answer(pair.error(our_covariance(pair, precision="bf16")), MOST_ERROR, "1c")
        product = torch.empty(2 * width, 2 * width, dtype=torch.bfloat16)

        def multiply(rows=rows, product=product, torch=torch) -> object:
            return torch.matmul(rows.T, rows, out=product)

        multiply()
        found = compare(our_pass(pair, precision="bf16"), multiply, rounds=3 if quick else ROUNDS)
        note = f"{share_of_peaks(pair.flops, found)}; the peer neither centres nor returns more than 8 bits"
        yield row("1c", work, name, found, error, floor=1.6, goal=2.0, note=note)


def merged_and_off_centre(quick: bool) -> Iterator[PeerRow]:
    """1e: 64 shards merged in random order, bytes as in one pass, on samples 10 000 standard deviations from 0."""
    pair = float32_pair(quick, mean=1e4)
    p, q = pair.X.shape[1], pair.Y.shape[1]
    error = check_answer(pair.error(our_covariance(pair)), 1e-6, "1e")
    bounds = np.linspace(0, len(pair.X), 65).astype(int)
    shards = [
        CrossMoments(p, q, first_row=start).update(pair.X[start:stop], pair.Y[start:stop])
        for start, stop in pairwise(bounds)
    ]
    order = np.random.default_rng(0).permutation(64)
    merged = shards[order[0]]
    for k in order[1:]:
        merged.merge(shards[k])
    whole = CrossMoments(p, q).update(pair.X, pair.Y)
    is_same = all(
        getattr(merged, name).tobytes() == getattr(whole, name).tobytes()
        for name in ("mean_x", "mean_y", "cov_xx", "cov_yy", "cov_xy")
    )
    check_answer(0.0 if is_same else np.inf, 0.0, "1e: bytes of 64 shards merged, of one pass")
    name = "scikit-learn-intelex IncrementalEmpiricalCovariance"
    try:
        peer = _intelex(pair)
    except PeerMissingError as missing:
        yield not_measured("1e", pair.work, name, str(missing))
        return
    note = f"mean = 1e4 sd; 64 shards merged have the bytes of one pass; the peer's float32 sums err by {pair.error(peer()):.1g}"
    found = compare(our_pass(pair), peer, rounds=_SLOW_ROUNDS)
    yield row("1e", pair.work, name, found, error, note=note)
