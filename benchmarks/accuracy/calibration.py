"""False-alarm rates of the tests for shared and label signal, on data of known null: one command, JSON.

    python benchmarks/accuracy/calibration.py --json calibration.json              (about 20 minutes on 2 cores)
    python benchmarks/accuracy/calibration.py --n-draws 100 --only gaussian        (seconds)

Every scenario draws pairs without shared signal, or with a known number of shared directions; the false-alarm rate is the
share of draws in which a test at the level .05 finds a direction too many. Seeds are below 100 000.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from crossphase import count_shared_directions, label_recoverability, label_signal_rank
from crossphase.spiked import SpikedModel

LEVEL = 0.05
Draw = Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray, np.ndarray | None]]  # X, Y, groups


@dataclass(frozen=True)
class Scenario:
    """Pairs with `n_shared` directions in common, drawn by `draw`."""

    name: str
    draw: Draw
    n_shared: int = 0


def independent(n: int, p: int, q: int, entries: Callable[[np.random.Generator, int, int], np.ndarray]) -> Draw:
    """Both views with rows from the same law, independent of each other."""
    return lambda rng: (entries(rng, n, p), entries(rng, n, q), None)


def gaussian(rng: np.random.Generator, n: int, p: int) -> np.ndarray:
    return rng.standard_normal((n, p))


def student_rows(rng: np.random.Generator, n: int, p: int) -> np.ndarray:
    return rng.standard_normal((n, p)) / np.sqrt(rng.chisquare(5, (n, 1)) / 5)


def lognormal(rng: np.random.Generator, n: int, p: int) -> np.ndarray:
    return np.exp(rng.standard_normal((n, p)))


def sparse_counts(rng: np.random.Generator, n: int, p: int) -> np.ndarray:
    return rng.poisson(0.1, (n, p)) + 0.01 * rng.standard_normal((n, p))


def spiked(n: int, kappa: tuple[float, ...], degrees_of_freedom: float | None, n_features: int) -> Draw:
    """Rows of the spiked model with nuisance that is uncorrelated; Student t rows share one scale between the views."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, None]:
        model = SpikedModel(kappa, 0.5, 0.5, 1.0, 3.0, 0.0, n_features_x=n_features, n_features_y=n_features, rng=rng)
        sample = model.sample(n, rng, degrees_of_freedom=degrees_of_freedom, n_threads=1)
        return sample.X, sample.Y, None

    return draw


def grouped(sizes: tuple[int, ...], p: int, q: int) -> Draw:
    """Half of every column's variance is the group's, in either view independently."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        groups = np.repeat(np.arange(len(sizes)), sizes)
        views = [gaussian(rng, len(sizes), k)[groups] + gaussian(rng, len(groups), k) for k in (p, q)]
        return views[0], views[1], groups

    return draw


def duplicated(n: int, copies: int, p: int, q: int) -> Draw:
    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        groups = np.repeat(np.arange(n), copies)
        return gaussian(rng, n, p)[groups], gaussian(rng, n, q)[groups], groups

    return draw


SCENARIOS = (
    Scenario("gaussian, n 150, 10 + 10", independent(150, 10, 10, gaussian)),
    Scenario("gaussian, n 500, 60 + 40", independent(500, 60, 40, gaussian)),
    Scenario("gaussian, n 60, 3 + 2", independent(60, 3, 2, gaussian)),
    Scenario("gaussian, n 200, 300 + 150", independent(200, 300, 150, gaussian)),
    Scenario("student t5 rows, n 200, 20 + 20", independent(200, 20, 20, student_rows)),
    Scenario("lognormal, n 150, 10 + 10", independent(150, 10, 10, lognormal)),
    Scenario("sparse counts, n 200, 20 + 20", independent(200, 20, 20, sparse_counts)),
    Scenario("spiked without signal, t5, n 200, 20 + 20", spiked(200, (1e-6,), 5.0, 20)),
    Scenario("spiked, 3 signals, n 400, 20 + 20", spiked(400, (2.0, 1.5, 1.2), None, 20), n_shared=3),
    Scenario("spiked, 3 signals, t5, n 400, 20 + 20", spiked(400, (2.0, 1.5, 1.2), 5.0, 20), n_shared=3),
    Scenario("60 groups of 5, 10 + 10", grouped((5,) * 60, 10, 10)),
    Scenario("60 groups of 1 to 20, 10 + 10", grouped(tuple(1 + i % 20 for i in range(60)), 10, 10)),
    Scenario("100 rows three times each, 10 + 10", duplicated(100, 3, 10, 10)),
)


def with_labels(scenario: Scenario) -> Draw:
    """The same X; as labels six classes of unequal size, a whole group in one class."""

    def draw(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
        X, _, groups = scenario.draw(rng)
        n_units = len(X) if groups is None else int(groups.max()) + 1
        classes = rng.choice(6, n_units, p=(0.4, 0.25, 0.15, 0.1, 0.06, 0.04))
        return X, classes if groups is None else classes[groups], groups

    return draw


def rates(scenario: Scenario, n_draws: int, n_resamples: int) -> dict[str, float]:
    """Share of draws in which each test finds a direction, or a label, too many."""
    false_alarms: dict[str, list[bool]] = {}
    labelled = with_labels(scenario)
    for seed in range(n_draws):
        rng = np.random.default_rng(seed)
        X, Y, groups = scenario.draw(rng)
        methods = ["sign_flip"]
        if groups is None or len(set(np.bincount(groups))) == 1:
            methods.append("permutation")
        if groups is None:
            methods.append("tracy_widom")
        for method in methods:
            found = count_shared_directions(
                X, Y, groups=groups, method=method, level=LEVEL, n_resamples=n_resamples, rng=seed, n_threads=1
            )
            false_alarms.setdefault(method, []).append(found.n_directions > scenario.n_shared)
        X, classes, groups = labelled(np.random.default_rng(seed))
        options = {"groups": groups, "level": LEVEL, "n_resamples": n_resamples, "rng": seed, "n_threads": 1}
        false_alarms.setdefault("labels, rank", []).append(label_signal_rank(X, classes, **options).is_any)
        recoverable = label_recoverability(X, classes, **options).is_recoverable
        false_alarms.setdefault("labels, any column", []).append(bool(recoverable.any()))
    return {test: float(np.mean(alarms)) for test, alarms in false_alarms.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-draws", type=int, default=2000)
    parser.add_argument("--n-resamples", type=int, default=99)
    parser.add_argument("--only", default="", help="scenarios whose name contains this")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    found = {}
    print(f"false-alarm rates at level {LEVEL}, standard error {np.sqrt(LEVEL * (1 - LEVEL) / options.n_draws):.3f}")
    for scenario in SCENARIOS:
        if options.only in scenario.name:
            start = time.perf_counter()
            found[scenario.name] = rates(scenario, options.n_draws, options.n_resamples)
            shown = "  ".join(f"{test} {rate:.3f}" for test, rate in found[scenario.name].items())
            print(f"{scenario.name:45s} {shown}  ({time.perf_counter() - start:.0f} s)", flush=True)
    if options.json:
        record = {"level": LEVEL, "n_draws": options.n_draws, "n_resamples": options.n_resamples, "rates": found}
        options.json.write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
