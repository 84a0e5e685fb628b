"""Time of crossphase's closed forms against cca-zoo, scikit-learn and the published solvers, answers compared first.

    python benchmarks/closed_form_speed.py                        (about 5 minutes)
    python benchmarks/closed_form_speed.py --n-samples 5000 --n-features 64 --repeats 1     (seconds)

All run in this process, round after round through all of them, with as many BLAS threads as there are cores; times are
medians. crossphase solves alignment and prediction, the published solvers too; cca-zoo and scikit-learn alignment alone.
scikit-learn gets a size that it survives. Exit status 1 if the answers disagree.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
from threadpoolctl import threadpool_limits

import published_solvers
from benchmarks.bench_closed_forms import CORRELATIONS, paired_rows
from crossphase import align_and_predict, cross_moments

N_COMPONENTS = 50
AGREEMENT = 1e-8  # of correlations; iterations of scikit-learn end at its own tolerance, so it gets 1e-3
PAUSE = 0.1  # seconds between calls: a BLAS's idle threads spin for a while and would disturb the next
SKLEARN_SIZE = (10_000, 64, 10)  # rows, features a view, components


def interleaved(calls: dict[str, Callable[[], object]], n_repeats: int) -> dict[str, float]:
    """Median seconds of each call over rounds through all of them."""
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(n_repeats):
        for name, call in calls.items():
            time.sleep(PAUSE)
            start = time.perf_counter()
            call()
            seconds[name].append(time.perf_counter() - start)
    return {name: median(values) for name, values in seconds.items()}


def from_rows(n: int, p: int, k: int, peers: list[str], n_repeats: int) -> dict[str, float]:
    """Times from rows; the answers of all peers are compared first."""
    X, Y = paired_rows(n, p)
    ours = CORRELATIONS["cpu"](X, Y, k)
    for peer in peers:
        gap = np.abs(CORRELATIONS[peer](X, Y, k) - ours).max()
        if not gap <= (1e-3 if peer == "sklearn" else AGREEMENT):
            sys.exit(f"{peer} finds other correlations: largest difference {gap:.2g}")
    calls = {name: lambda name=name: CORRELATIONS[name](X, Y, k) for name in ("cpu", *peers)}
    return interleaved(calls, n_repeats)


def from_moments(n: int, p: int, k: int, n_repeats: int) -> dict[str, float]:
    """Times of both solves from covariances at hand."""
    m = cross_moments(*paired_rows(n, p))
    _ = m.cov_xx
    ours = align_and_predict(m, n_components=k)
    correlations = published_solvers.solve_ca(m.cov_xx, m.cov_yy, m.cov_xy, k)[2][:k]
    gains = published_solvers.solve_cp(m.cov_xx, m.cov_xy, k)[1][:k]
    gap = max(np.abs(ours.alignment.correlations - correlations).max(), np.abs(ours.prediction.gains - gains).max())
    if not gap <= AGREEMENT:
        sys.exit(f"the published solvers find other spectra: largest difference {gap:.2g}")

    def published() -> None:
        published_solvers.solve_ca(m.cov_xx, m.cov_yy, m.cov_xy, k)
        published_solvers.solve_cp(m.cov_xx, m.cov_xy, k)

    return interleaved({"cpu": lambda: align_and_predict(m, n_components=k), "published": published}, n_repeats)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--n-samples", type=int, default=100_000)
    parser.add_argument("--n-features", type=int, default=512, help="of each view")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--json", type=Path, help="write the figures here")
    options = parser.parse_args()
    n_cores = len(os.sched_getaffinity(0))  # kernel benchmarks, whose problems these are, use one thread unless told
    os.environ["CROSSPHASE_NUM_THREADS"] = str(n_cores)
    threadpool_limits(n_cores, user_api="blas")
    n, p, k = options.n_samples, options.n_features, min(N_COMPONENTS, options.n_features)
    measured = {
        f"from {n} rows of {p} + {p}, {k} components": from_rows(n, p, k, ["published", "cca_zoo"], options.repeats),
        "from {} rows of {} + {}, {} components".format(
            SKLEARN_SIZE[0], *2 * SKLEARN_SIZE[1:2], SKLEARN_SIZE[2]
        ): from_rows(*SKLEARN_SIZE, ["published", "cca_zoo", "sklearn"], options.repeats),
        f"from moments of {p} + {p}, {k} components": from_moments(20_000, p, k, max(options.repeats, 7)),
        f"from moments of {2 * p} + {2 * p}, {k} components": from_moments(20_000, 2 * p, k, max(options.repeats, 7)),
    }
    for problem, seconds in measured.items():
        others = "  ".join(f"{name} {value / seconds['cpu']:.1f}x" for name, value in seconds.items() if name != "cpu")
        print(f"{problem}: crossphase {1e3 * seconds['cpu']:.1f} ms  {others}")
    if options.json:
        options.json.write_text(json.dumps(measured, indent=2) + "\n")


if __name__ == "__main__":
    main()
