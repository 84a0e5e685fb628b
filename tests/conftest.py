"""Settings and fixtures of all tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable

import hypothesis
import numpy as np
import pytest

# Derandomised, so that a failure in one run is a failure in the next; no deadline, since shared machines stall.
hypothesis.settings.register_profile(
    "crossphase", deadline=None, derandomize=True, database=None, print_blob=True, max_examples=60
)
hypothesis.settings.load_profile("crossphase")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(20260611)


@pytest.fixture
def run_python() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs a script in a fresh interpreter, with the given environment variables on top of ours."""

    def run(script: str, *, time_limit: float = 60, **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-W", "error", "-c", script],
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=time_limit,
            check=False,
        )

    return run
