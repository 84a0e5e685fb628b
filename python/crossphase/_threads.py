"""How many threads a call may use, and how many BLAS may."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from crossphase._scalars import check_integer
from crossphase.errors import InputValueError

ENVIRONMENT_VARIABLE = "CROSSPHASE_NUM_THREADS"
MOST_THREADS = 256  # more would be a mistake: memory and workers grow with them


def resolve_n_threads(n_threads: int | None) -> int:
    """The count asked for; else the environment variable's; else one for each core this process may run on."""
    if n_threads is not None:
        return check_integer(n_threads, "n_threads", least=1, most=MOST_THREADS)
    text = os.environ.get(ENVIRONMENT_VARIABLE, "")
    if text:
        if not text.isdecimal() or not 1 <= int(text) <= MOST_THREADS:
            raise InputValueError(f"{ENVIRONMENT_VARIABLE} must be an integer from 1 to {MOST_THREADS}; got {text!r}.")
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _SingleThreadedBlas:
    """Counts who wants BLAS on one thread: the first in sets it, the last out restores what was before."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._n_inside = 0
        self._controller: Any = None
        self._limit: Any = None

    def enter(self) -> None:
        import scipy.linalg  # noqa: F401, PLC0415  (loads SciPy's own BLAS, so that the controller sees it)
        from threadpoolctl import ThreadpoolController  # noqa: PLC0415

        with self._lock:
            if self._n_inside == 0:
                if self._controller is None:
                    self._controller = ThreadpoolController().select(user_api="blas")
                self._limit = self._controller.limit(limits=1)
                self._limit.__enter__()
            self._n_inside += 1

    def leave(self) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._limit.__exit__(None, None, None)

    def reset_in_child(self) -> None:
        """After a fork: nobody is inside any more, and whoever held the lock is gone."""
        self._lock = threading.Lock()
        if self._n_inside:
            self._n_inside = 0
            self._limit.__exit__(None, None, None)


_SINGLE_THREADED_BLAS = _SingleThreadedBlas()
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_SINGLE_THREADED_BLAS.reset_in_child)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """NumPy's and SciPy's BLAS and LAPACK on one thread each, process-wide, while inside.

    A factorization then has the same bits whatever the BLAS is set to, small ones do not pay for waking threads, and no idle
    BLAS thread spins beside our own. Parallel work is ours to arrange: one factorization a thread.
    """
    _SINGLE_THREADED_BLAS.enter()
    try:
        yield
    finally:
        _SINGLE_THREADED_BLAS.leave()
