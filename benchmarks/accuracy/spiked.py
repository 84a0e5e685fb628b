"""Regimes, intervals and probabilities of `diagnose` on random spiked problems, against the published procedure.

python benchmarks/accuracy/spiked.py --json benchmarks/accuracy/results/spiked.json
"""

from __future__ import annotations

import argparse
import json
import math
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from spiked_grid import TUNING_SEEDS, draw_problem

import crossphase

RATIOS = ("delta_ca", "delta_cp", "delta_cp_reverse")
BINS = 10


@dataclass(frozen=True, slots=True)
class Outcome:
    """What both methods said of one problem."""

    seed: int
    label_kind: str
    nuisance_kind: str
    tails: str
    is_away: bool
    regime: str
    regime_found: str
    regime_published: str
    regime_probability: float  # of the regime found
    true: tuple[float, float, float]
    value: tuple[float, float, float]
    low: tuple[float, float, float]
    high: tuple[float, float, float]
    probability_above_one: tuple[float, float, float]
    n_directions: int
    n_labelled_signals: int

    @property
    def is_right(self) -> bool:
        return self.regime == self.regime_found


def judge(seed: int) -> Outcome:
    """Diagnose problem number `seed` by both methods."""
    problem = draw_problem(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", crossphase.InputWarning)
        found = crossphase.diagnose(problem.X, problem.Y, problem.labels, rehearse=False, audit=False, n_threads=1)
        published = crossphase.diagnose(problem.X, problem.Y, problem.labels, method="components", n_threads=1)
    ratios = [getattr(found, name) for name in RATIOS]
    return Outcome(
        seed=seed,
        label_kind=problem.label_kind,
        nuisance_kind=problem.nuisance_kind,
        tails="Gaussian" if problem.degrees_of_freedom is None else f"t, {problem.degrees_of_freedom:g} degrees",
        is_away=bool(problem.is_away),
        regime=str(problem.regime),
        regime_found=str(found.regime),
        regime_published=str(published.regime),
        regime_probability=found.regime_probabilities[found.regime] if found.regime_probabilities else 0.25,
        true=(problem.delta_ca, problem.delta_cp, problem.delta_cp_reverse),
        value=tuple(r.value for r in ratios),
        low=tuple(r.low for r in ratios),
        high=tuple(r.high for r in ratios),
        probability_above_one=tuple(r.probability_above_one for r in ratios),
        n_directions=found.subspace.n_directions,
        n_labelled_signals=problem.n_labelled_signals,
    )


def summarize(outcomes: Sequence[Outcome]) -> dict[str, object]:
    """Figures of all problems, of those away from the boundaries, and of each kind."""
    kinds: dict[str, Callable[[Outcome], str]] = {
        "labels": lambda o: o.label_kind,
        "nuisance": lambda o: o.nuisance_kind,
        "tails": lambda o: o.tails,
    }
    return {
        "all": _figures(outcomes),
        "both |log ratio| > 0.2": _figures([o for o in outcomes if o.is_away]),
        **{
            f"{name}: {value}": _figures([o for o in outcomes if of(o) == value])
            for name, of in kinds.items()
            for value in sorted({of(o) for o in outcomes})
        },
    }


def _figures(outcomes: Sequence[Outcome]) -> dict[str, object]:
    true, low, high, probability = (
        np.array([getattr(o, name) for o in outcomes]) for name in ("true", "low", "high", "probability_above_one")
    )
    covered = (low <= true) & (true <= high)
    return {
        "n_problems": len(outcomes),
        "accuracy": float(np.mean([o.is_right for o in outcomes])),
        "accuracy_published": float(np.mean([o.regime == o.regime_published for o in outcomes])),
        "coverage": {name: float(c) for name, c in zip(RATIOS, covered.mean(axis=0), strict=True)},
        "calibration_error": {
            name: _calibration_error(probability[:, i], true[:, i] > 1) for i, name in enumerate(RATIOS)
        },
        "calibration_error_of_regimes": _calibration_error(
            np.array([o.regime_probability for o in outcomes]), np.array([o.is_right for o in outcomes])
        ),
        "right_number_of_directions": float(np.mean([o.n_directions == o.n_labelled_signals for o in outcomes])),
    }


def _calibration_error(stated: np.ndarray, happened: np.ndarray) -> float:
    """Expected calibration error: mean distance of stated probability and frequency over bins, weighted by their size."""
    bins = np.minimum((stated * BINS).astype(int), BINS - 1)
    return float(
        sum(np.mean(bins == b) * abs(stated[bins == b].mean() - happened[bins == b].mean()) for b in np.unique(bins))
    )


def table(summary: dict[str, dict]) -> str:
    """The figures as Markdown."""
    lines = [
        "| problems | n | right regime | published | coverage CA / CP / CP-reverse | calibration error CA / CP / CP-reverse |",
        "|---|---|---|---|---|---|",
    ]
    for name, f in summary.items():
        coverage = " / ".join(f"{v:.3f}" for v in f["coverage"].values())
        calibration = " / ".join(f"{v:.3f}" for v in f["calibration_error"].values())
        lines.append(
            f"| {name} | {f['n_problems']} | {f['accuracy']:.3f} | {f['accuracy_published']:.3f} | {coverage} | {calibration} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--first-seed", type=int, default=TUNING_SEEDS, help=f"tuning used seeds below {TUNING_SEEDS}")
    parser.add_argument("--n-problems", type=int, default=600)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.n_problems)
    with ProcessPoolExecutor() as pool:
        outcomes = list(pool.map(judge, seeds, chunksize=4))
    summary = summarize(outcomes)
    print(table(summary))
    if arguments.json is not None:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        document = {"summary": summary, "outcomes": [_plain(asdict(o)) for o in outcomes]}
        arguments.json.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return ("Infinity" if value > 0 else "-Infinity") if isinstance(value, float) and math.isinf(value) else value


if __name__ == "__main__":
    main()
