"""How many threads a call may use."""

from __future__ import annotations

import os

from crossphase._scalars import check_integer
from crossphase.errors import InputValueError

ENVIRONMENT_VARIABLE = "CROSSPHASE_NUM_THREADS"


def resolve_n_threads(n_threads: int | None) -> int:
    """The count asked for; else the environment variable's; else one for each core this process may run on."""
    if n_threads is not None:
        return check_integer(n_threads, "n_threads", least=1)
    text = os.environ.get(ENVIRONMENT_VARIABLE, "")
    if text:
        if not text.isdecimal() or int(text) < 1:
            raise InputValueError(f"{ENVIRONMENT_VARIABLE} must be a positive integer; got {text!r}.")
        return int(text)
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
