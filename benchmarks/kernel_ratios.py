"""Times of every peer against crossphase's kernels, interleaved in one process: the table of README.md.

    python benchmarks/kernel_ratios.py [--repeats 15]

Runs the classes that asv runs, round after round through all peers, so that what else the machine does falls on all of
them; prints medians, and how many times longer than `cpu` each peer takes (below 1: crossphase is the slower one).
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable
from statistics import median

from benchmarks.bench_diagnose import Diagnose
from benchmarks.bench_moments import CrossCovariance
from benchmarks.bench_projection import Project
from benchmarks.bench_ridge_cv import PermutedR2
from benchmarks.bench_spiked import Sample
from benchmarks.bench_whitening import Whiten

FAMILIES = (CrossCovariance, Whiten, PermutedR2, Project, Sample, Diagnose)


def peers_of(family: type, problem: tuple) -> dict[str, Callable[[], None]]:
    """The timed call of every peer that can run the problem, by name."""
    timed_name = next(name for name in vars(family) if name.startswith("time_"))
    peers = {}
    for backend in family.params[0]:
        benchmark = family()
        try:
            benchmark.setup(backend, *problem)
        except NotImplementedError:
            continue
        timed = getattr(benchmark, timed_name)
        peers[backend] = lambda timed=timed, backend=backend: timed(backend, *problem)
    return peers


def median_seconds(peers: dict[str, Callable[[], None]], n_repeats: int) -> dict[str, float]:
    """Median time of each peer over rounds through all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(n_repeats):
        for name, call in peers.items():
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--repeats", type=int, default=15)
    n_repeats = parser.parse_args().repeats
    for family in FAMILIES:
        for problem in itertools.product(*family.params[1:]):
            seconds = median_seconds(peers_of(family, problem), n_repeats)
            shown = ", ".join(f"{name}={value}" for name, value in zip(family.param_names[1:], problem, strict=True))
            others = "  ".join(
                f"{name} {value / seconds['cpu']:.2f}x" for name, value in seconds.items() if name != "cpu"
            )
            print(f"{family.__name__}({shown}): cpu {1e3 * seconds['cpu']:.2f} ms  {others}", flush=True)


if __name__ == "__main__":
    main()
