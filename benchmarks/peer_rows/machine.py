"""The machine and the software that a table was measured on, with ceilings probed in the same run."""

from __future__ import annotations

import ctypes
import os
import platform
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path

import numpy as np

from peer_rows.measure import N_THREADS

_SOURCE = Path(__file__).with_name("peaks.cpp")
_PROBES = ("f64", "f32", "bf16_vector", "bf16_matrix")
_COPY_BYTES = 1 << 27  # far more than a cache
_DISTRIBUTIONS = (
    "crossphase", "numpy", "scipy", "torch", "scikit-learn", "scikit-learn-intelex", "welford-torch", "himalaya", "mkl",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Peaks:
    """Best of several 20 ms probes, `N_THREADS` cores together. 0: no such unit. NaN: no compiler to build the probe."""

    f64: float  # flop/s of fused multiply-adds
    f32: float
    bf16_vector: float  # AVX-512 bf16 dot products
    bf16_matrix: float  # AMX tiles
    copy: float  # bytes/s read plus written

    @property
    def bf16(self) -> float:
        """Of the faster of the two bf16 units."""
        return max(self.bf16_vector, self.bf16_matrix)


@cache
def peaks() -> Peaks:
    """Probe once a process."""
    return Peaks(**_arithmetic_peaks(), copy=_copy_bandwidth())


def _arithmetic_peaks() -> dict[str, float]:
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if compiler is None:
        return dict.fromkeys(_PROBES, float("nan"))
    flags = ["-std=c++20", "-O3", "-march=native", "-ffp-contract=fast", "-shared", "-fPIC"]
    with tempfile.TemporaryDirectory() as folder:
        library = Path(folder) / "peaks.so"
        subprocess.run([compiler, *flags, str(_SOURCE), "-o", str(library)], check=True)
        probes = ctypes.CDLL(str(library))
        rates = {}
        for name in _PROBES:
            probe = getattr(probes, f"peak_{name}")
            probe.restype = ctypes.c_double
            rates[name] = max(_together(probe) for _ in range(7))
        return rates


def _together(probe: Callable[[], float]) -> float:
    """Sum of what each of `N_THREADS` threads gets while all of them run; ctypes lets go of the interpreter."""
    with ThreadPoolExecutor(N_THREADS) as threads:
        return sum(threads.map(lambda _: probe(), range(N_THREADS)))


def _copy_bandwidth() -> float:
    source, target = np.ones(_COPY_BYTES, np.uint8), np.empty(_COPY_BYTES, np.uint8)
    pieces = list(zip(np.array_split(source, N_THREADS), np.array_split(target, N_THREADS), strict=True))
    fastest = float("inf")
    with ThreadPoolExecutor(N_THREADS) as threads:
        for _ in range(7):
            start = time.perf_counter()
            list(threads.map(lambda piece: np.copyto(piece[1], piece[0]), pieces))
            fastest = min(fastest, time.perf_counter() - start)
    return 2 * _COPY_BYTES / fastest


def describe() -> dict[str, object]:
    """Processor, instruction sets in use, load and versions; peak memory of the process so far."""
    from threadpoolctl import threadpool_info

    from crossphase import _core

    return {
        "processor": _processor_name(),
        "n_cores": os.cpu_count(),
        "threads_each": N_THREADS,
        "load_average": os.getloadavg()[0],
        "instruction_set": _core.cpu.instruction_set(),
        "peer_libraries": sorted(
            {
                f"{lib['internal_api']} {lib['version']} {lib.get('architecture', '')}".strip()
                for lib in threadpool_info()
            }
        ),
        "versions": {"python": platform.python_version(), **{name: _version(name) for name in _DISTRIBUTIONS}},
        "peak_resident_bytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
    }


def _version(distribution: str) -> str:
    try:
        return metadata.version(distribution)
    except metadata.PackageNotFoundError:
        return "not installed"


def _processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()
