"""Time and memory of ``crossphase.diagnose`` against the published code's loops, answers compared first.

    python benchmarks/diagnose_speed.py                                        (minutes: the loops are slow)
    python benchmarks/diagnose_speed.py --n-samples 600 --n-permutations 3     (seconds)

Both run in this process, crossphase before and after each run of the loops; times are medians. The published code
predicts Y from X only; crossphase also predicts X from Y, so it does six decompositions where the loops do five. Exit
status 1 if the answers disagree. The targets are for the default size: at small n fixed costs and (p + q)² workspace
dominate.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

import crossphase
import published

N_FEATURES = 100  # a view
diagnose_published = partial(crossphase.diagnose, method="components")
N_CLASSES = 44
N_COMPONENTS = 50
TARGET_SPEEDUP = 100.0
TARGET_MEMORY = 2.0
CROSSPHASE_NAMES = {"svd_x": "svd_x", "svd_y": "svd_y", "pls": "pls", "cca": "cca", "cp_direct": "cp"}


class DisagreementError(Exception):
    """The two implementations give different answers; the message says where."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Paired views of 44 classes."""

    X: np.ndarray  # (n_samples, 100)
    Y: np.ndarray  # (n_samples, 100)
    classes: np.ndarray  # (n_samples,), integers: what crossphase is given
    one_hot: np.ndarray  # (n_samples, 44): what the published code is given

    @property
    def n_bytes(self) -> int:
        """Of what crossphase is given."""
        return self.X.nbytes + self.Y.nbytes + self.classes.nbytes


@dataclass(frozen=True, slots=True)
class Report:
    """What was measured; the fields of the JSON file."""

    n_samples: int
    n_features_x: int
    n_features_y: int
    n_label_columns: int
    n_components: int
    n_permutations: int
    seconds_crossphase: float  # median; both directions
    seconds_published: float  # median; X to Y only
    runs_crossphase: list[float]
    runs_published: list[float]
    speedup: float
    input_bytes: int
    extra_memory_bytes: int
    extra_memory_per_input: float
    largest_spectrum_error: float  # relative to the largest value of the spectrum
    largest_r2_error: float
    crossphase_version: str
    numpy_version: str
    processor: str


def make_problem(n_samples: int, seed: int = 0) -> Problem:
    """Eight shared signal directions that tell classes apart, on nuisance that the views share in part."""
    rng = np.random.default_rng(seed)
    n_signal = 8
    classes = rng.permutation(np.arange(n_samples) % N_CLASSES)
    strengths = np.linspace(2.0, 1.0, n_signal)
    signal = strengths * (
        rng.normal(size=(N_CLASSES, n_signal))[classes] + 0.7 * rng.normal(size=(n_samples, n_signal))
    )
    n_nuisance = N_FEATURES - n_signal
    shared = rng.normal(size=(n_samples, n_nuisance))
    views = []
    for nuisance_scale in (1.0, 1.5):
        noise = rng.normal(size=(n_samples, n_nuisance))
        nuisance = nuisance_scale * (np.sqrt(0.4) * shared + np.sqrt(0.6) * noise)
        rotation, _ = np.linalg.qr(rng.normal(size=(N_FEATURES, N_FEATURES)))
        views.append(np.hstack([signal + 0.5 * rng.normal(size=signal.shape), nuisance]) @ rotation)
    return Problem(views[0], views[1], classes, np.eye(N_CLASSES)[classes])


def run_crossphase(problem: Problem, n_permutations: int) -> crossphase.Diagnosis:
    return diagnose_published(
        problem.X, problem.Y, problem.classes, n_components=N_COMPONENTS, n_permutations=n_permutations
    )


def run_published(problem: Problem, n_permutations: int) -> published.PublishedResult:
    return published.estimate_parameters(
        problem.X, problem.Y, problem.one_hot, n_components=N_COMPONENTS, n_permutations=n_permutations
    )


def compare_answers(diagnosis: crossphase.Diagnosis, loops: published.PublishedResult) -> tuple[float, float]:
    """Largest error of spectra (relative to the largest value of each) and of R²; raises DisagreementError."""
    worst_spectrum = worst_r2 = 0.0
    for name, our_name in CROSSPHASE_NAMES.items():
        theirs, ours = getattr(loops, name), getattr(diagnosis.components, our_name)
        if ours.spectrum.shape != theirs.spectrum.shape or ours.r2.shape != theirs.r2.shape:
            raise DisagreementError(f"{name}: {ours.r2.shape} against {theirs.r2.shape} components and labels.")
        spectrum_error = float(np.abs(ours.spectrum - theirs.spectrum).max() / theirs.spectrum.max())
        r2_error = float(np.abs(ours.r2 - theirs.r2).max())
        if not spectrum_error <= 1e-8:
            raise DisagreementError(f"{name}: the spectra differ by {spectrum_error:.1e} of the largest value.")
        if not r2_error <= 1e-10:
            raise DisagreementError(f"{name}: R² differs by {r2_error:.1e}.")
        for classifier in published.CLASSIFIERS:
            differing = np.flatnonzero(ours.signals[classifier].is_signal != theirs.signals[classifier].is_signal)
            if len(differing):
                raise DisagreementError(f"{name}: {classifier} disagrees on components {differing.tolist()}.")
        worst_spectrum, worst_r2 = max(worst_spectrum, spectrum_error), max(worst_r2, r2_error)
    elbow = loops.estimates["elbow"]
    for name, ours, theirs in (
        ("delta_ca", diagnosis.delta_ca.value, elbow.delta_ca_direct),
        ("delta_cp", diagnosis.delta_cp.value, elbow.delta_cp_direct),
    ):
        if not (ours == theirs or abs(ours - theirs) <= 1e-8 * theirs):
            raise DisagreementError(f"{name}: {ours} against {theirs}.")
    return worst_spectrum, worst_r2


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    result = run()
    return result, time.perf_counter() - start


def measure(problem: Problem, n_permutations: int, n_repeats: int, n_published_runs: int) -> Report:
    """Check that the answers agree, and time both."""
    run_crossphase(problem, n_permutations)  # imports, first touch of memory, waking threads
    diagnosis = run_crossphase(problem, n_permutations)
    ours: list[float] = []
    theirs: list[float] = []
    errors = (0.0, 0.0)
    for _ in range(n_published_runs):
        ours += [timed(lambda: run_crossphase(problem, n_permutations))[1] for _ in range(n_repeats)]
        loops, seconds = timed(lambda: run_published(problem, n_permutations))
        errors = compare_answers(diagnosis, loops)
        theirs.append(seconds)
        ours += [timed(lambda: run_crossphase(problem, n_permutations))[1] for _ in range(n_repeats)]
    extra_memory = measure_extra_memory(len(problem.X), n_permutations)
    return Report(
        n_samples=len(problem.X),
        n_features_x=problem.X.shape[1],
        n_features_y=problem.Y.shape[1],
        n_label_columns=N_CLASSES,
        n_components=N_COMPONENTS,
        n_permutations=n_permutations,
        seconds_crossphase=median(ours),
        seconds_published=median(theirs),
        runs_crossphase=ours,
        runs_published=theirs,
        speedup=median(theirs) / median(ours),
        input_bytes=problem.n_bytes,
        extra_memory_bytes=extra_memory,
        extra_memory_per_input=extra_memory / problem.n_bytes,
        largest_spectrum_error=errors[0],
        largest_r2_error=errors[1],
        crossphase_version=crossphase.__version__,
        numpy_version=np.__version__,
        processor=processor_name(),
    )


def measure_extra_memory(n_samples: int, n_permutations: int) -> int:
    """Peak resident bytes that one call adds, in a process of its own."""
    arguments = ["--n-samples", str(n_samples), "--n-permutations", str(n_permutations), "--measure-memory-only"]
    child = subprocess.run([sys.executable, __file__, *arguments], check=True, capture_output=True, text=True)
    return int(child.stdout)


def extra_memory_of_this_process(n_samples: int, n_permutations: int) -> int:
    """Peak resident bytes of one call less those before it, after a tiny call has loaded all code."""
    rng = np.random.default_rng(0)
    diagnose_published(rng.normal(size=(60, 4)), rng.normal(size=(60, 4)), np.arange(60) % 3, n_permutations=2)
    problem = make_problem(n_samples)
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # 5: peak resident size := current one (proc(5))
    before = status_bytes("VmRSS")
    run_crossphase(problem, n_permutations)
    return status_bytes("VmHWM") - before


def status_bytes(field: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"/proc/self/status has no {field}; memory is measured on Linux only.")


def processor_name() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]}, {len(names)} cores" if names else platform.processor()


def describe(report: Report) -> str:
    """The report in sentences and a small table."""
    size = (
        f"n = {report.n_samples}, {report.n_features_x} + {report.n_features_y} features, "
        f"{report.n_label_columns} classes, {report.n_components} components, {report.n_permutations} permutations; "
        f"{report.processor}"
    )
    agreement = (
        f"The answers agree: spectra to {report.largest_spectrum_error:.1e}, R² to {report.largest_r2_error:.1e}, "
        "all signal flags, both direct ratios."
    )
    rows = {
        "crossphase.diagnose": f"{report.seconds_crossphase:9.4f} s  median of {len(report.runs_crossphase)}; "
        "six decompositions: X to Y and Y to X",
        "published code's loops": f"{report.seconds_published:9.4f} s  median of {len(report.runs_published)}; "
        "five decompositions: X to Y only",
        "speedup": f"{report.speedup:9.1f} x  "
        f"target {TARGET_SPEEDUP:.0f} x: {is_met(report.speedup >= TARGET_SPEEDUP)}",
        "extra memory / inputs": f"{report.extra_memory_per_input:9.2f} x  "
        f"target {TARGET_MEMORY:.0f} x: {is_met(report.extra_memory_per_input <= TARGET_MEMORY)} "
        f"({report.extra_memory_bytes / 1e6:.1f} MB on top of {report.input_bytes / 1e6:.1f} MB)",
    }
    return "\n".join([size, agreement, *(f"{name:24}{figures}" for name, figures in rows.items())])


def is_met(condition: bool) -> str:
    return "met" if condition else "NOT met"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--n-samples", type=int, default=5000)
    parser.add_argument("--n-permutations", type=int, default=30)
    parser.add_argument("--repeats", type=int, default=5, help="runs of crossphase before and after each of the loops")
    parser.add_argument("--published-runs", type=int, default=1, help="runs of the published code's loops")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there")
    parser.add_argument("--measure-memory-only", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    if arguments.measure_memory_only:
        print(extra_memory_of_this_process(arguments.n_samples, arguments.n_permutations))
        return 0
    problem = make_problem(arguments.n_samples)
    try:
        report = measure(problem, arguments.n_permutations, arguments.repeats, arguments.published_runs)
    except DisagreementError as error:
        print(f"The answers disagree, so no time is reported. {error}", file=sys.stderr)
        return 1
    print(describe(report))
    if arguments.json:
        arguments.json.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
