"""Ours against a peer: interleaved in one process, two threads each, answers before times."""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from types import ModuleType
from typing import Any

N_THREADS = 2
ROUNDS = 7
_PAUSE = 0.04  # s; OpenBLAS and oneTBB threads spin for about 25 ms after a call, on the other's time


class PeerMissingError(RuntimeError):
    """A peer is not installed here, or a row needs what this machine lacks; the message says which."""


class WrongAnswerError(RuntimeError):
    """The answer is not what it must be, so no time is reported."""


@dataclass(frozen=True, slots=True)
class PeerRow:
    """One peer on one target."""

    target: str  # id in the table, as "1a"
    work: str  # "f32, n = 200 000, 512 + 512"
    peer: str  # "numpy 2.4 centred joint product"
    our_seconds: float  # minimum over the rounds, as is the peer's; NaN where nothing was measured
    peer_seconds: float
    ratio: float  # median over the rounds of peer / ours: above 1, ours is the faster
    error: float  # largest error of our answer, on the scale that the target names
    floor: float | None = None  # of the ratio: what must be reached
    goal: float | None = None
    note: str = ""  # share of the peak, fewer rounds, why missed

    @property
    def is_met(self) -> bool | None:
        """Whether the floor is reached; None without a floor or a measurement."""
        return None if self.floor is None or self.ratio != self.ratio else self.ratio >= self.floor


@dataclass(frozen=True, slots=True)
class Comparison:
    """Times of two calls."""

    our_seconds: float
    peer_seconds: float
    ratio: float


def compare(
    ours: Callable[[], Any],
    theirs: Callable[[], Any],
    *,
    rounds: int = ROUNDS,
    before: Callable[[], Any] = lambda: None,
) -> Comparison:
    """Time both in turn, A B A B ...; `before` runs ahead of every call, untimed.

    Both were called before, to check the answers, so code and pages are there. Arrays that the calls fill are the caller's
    to allocate.
    """
    pairs = [(_seconds_of(ours, before), _seconds_of(theirs, before)) for _ in range(rounds)]
    return Comparison(
        min(our for our, _ in pairs), min(peer for _, peer in pairs), median(peer / our for our, peer in pairs)
    )


def _seconds_of(call: Callable[[], Any], before: Callable[[], Any]) -> float:
    """Wall time of one call, once the threads of the call before have gone to sleep."""
    before()
    time.sleep(_PAUSE)
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def row(
    target: str,
    work: str,
    peer: str,
    found: Comparison,
    error: float,
    *,
    floor: float | None = None,
    goal: float | None = None,
    note: str = "",
) -> PeerRow:
    """A row of the table from a comparison."""
    return PeerRow(
        target, work, peer, found.our_seconds, found.peer_seconds, found.ratio, error, floor=floor, goal=goal, note=note
    )


def not_measured(target: str, work: str, peer: str, why: str) -> PeerRow:
    """The row of a peer that cannot run here: named, never dropped."""
    nothing = float("nan")
    return PeerRow(target, work, peer, nothing, nothing, nothing, nothing, note=why)


def require_peer(name: str) -> ModuleType:
    """Import a peer, or say that it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PeerMissingError(f"not installed ({error})") from error


def check_answer(error: float, most: float, what: str) -> float:
    """`error`, or WrongAnswerError if it is above `most`."""
    if not error <= most:
        raise WrongAnswerError(f"{what}: error {error:.2e}, at most {most:.0e} allowed")
    return error


@contextmanager
def two_threads() -> Iterator[None]:
    """Every BLAS, OpenMP, torch, oneTBB and ourselves on `N_THREADS` threads."""
    import os

    import scipy.linalg  # noqa: F401  (loads SciPy's own BLAS, so that the limit reaches it)
    from threadpoolctl import threadpool_limits

    before = os.environ.get("CROSSPHASE_NUM_THREADS")
    os.environ["CROSSPHASE_NUM_THREADS"] = str(N_THREADS)
    try:
        with threadpool_limits(limits=N_THREADS):
            for name, limit in (("torch", "set_num_threads"), ("daal4py", "daalinit")):
                try:
                    getattr(importlib.import_module(name), limit)(N_THREADS)
                except ImportError:
                    continue
            yield
    finally:
        if before is None:
            del os.environ["CROSSPHASE_NUM_THREADS"]
        else:
            os.environ["CROSSPHASE_NUM_THREADS"] = before


@contextmanager
def peak_extra_memory() -> Iterator[list[int]]:
    """Appends the bytes by which resident memory rose above its size at the start, at most, while inside."""
    found: list[int] = []
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # 5: peak resident size := current one (proc(5))
    before = _status_bytes("VmRSS")
    yield found
    found.append(_status_bytes("VmHWM") - before)


def _status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise PeerMissingError(f"/proc/self/status has no {field}; memory is measured on Linux only")
