"""Reproduce the linear experiments of "When to Align, When to Predict".

python benchmarks/reproduction/linear.py E4 --out DIR        # one of them: a figure and a JSON file
python benchmarks/reproduction/linear.py all --out DIR
python benchmarks/reproduction/linear.py all --reduced       # smaller grids, fewer seeds: under a minute
python benchmarks/reproduction/linear.py all --readme        # and the README's tables from the JSON files
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from threadpoolctl import threadpool_limits

from linear_experiments import report
from linear_experiments.registry import EXPERIMENTS
from linear_experiments.settings import PUBLISHED, REDUCED, Settings

FOLDER = Path(__file__).resolve().parent
README = FOLDER / "README.md"
RESULTS = FOLDER / "results" / "linear"


def parse_arguments(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n", 1)[0], epilog=f"Experiments: {', '.join(EXPERIMENTS)}, all."
    )
    parser.add_argument("experiment", help="name of an experiment, or all")
    parser.add_argument("--out", type=Path, metavar="DIR", help=f"where figures and JSON files go; default {RESULTS}")
    parser.add_argument("--reduced", action="store_true", help="smaller grids, fewer seeds")
    parser.add_argument("--readme", action="store_true", help="renew the README's tables from the JSON files in DIR")
    parsed = parser.parse_args(arguments)
    if parsed.experiment != "all" and parsed.experiment not in EXPERIMENTS:
        parser.error(f"experiment must be one of {', '.join(EXPERIMENTS)}, or all; got {parsed.experiment!r}.")
    if parsed.reduced and parsed.out is None:
        parser.error("--reduced needs --out DIR: the default folder holds results at the published settings.")
    if parsed.reduced and parsed.readme:
        parser.error("--readme shows results at the published settings; leave --reduced out.")
    parsed.out = parsed.out or RESULTS
    if parsed.out.exists() and not parsed.out.is_dir():
        parser.error(f"--out must be a folder; {parsed.out} is a file.")
    names = list(EXPERIMENTS) if parsed.experiment == "all" else [parsed.experiment]
    missing = [name for name in EXPERIMENTS if name not in names and not (parsed.out / f"{name}.json").exists()]
    if parsed.readme and missing:
        parser.error(f"--readme needs all results in {parsed.out}; {', '.join(missing)} missing. Run them, or all.")
    parsed.names = names
    return parsed


def run(name: str, settings: Settings, folder: Path) -> None:
    started, used = time.perf_counter(), processor_seconds()
    experiment = EXPERIMENTS[name]
    with threadpool_limits(1):  # matrices are small: BLAS threads would cost more than they bring
        result = experiment.run(settings)
    report.write(name, experiment, settings, result, folder)
    verdicts = [finding.agrees for finding in result.findings() if finding.agrees is not None]
    seconds = f"{time.perf_counter() - started:7.1f} s ({processor_seconds() - used:.1f} s of processors)"
    print(f"{name:9}{seconds:36}{sum(verdicts)} of {len(verdicts)} expected numbers found", flush=True)


def processor_seconds() -> float:
    """Of this process and of children that have ended."""
    return sum(os.times()[:4])


def main(arguments: list[str] | None = None) -> int:
    parsed = parse_arguments(arguments)
    parsed.out.mkdir(parents=True, exist_ok=True)
    for name in parsed.names:
        run(name, REDUCED if parsed.reduced else PUBLISHED, parsed.out)
    if parsed.readme:
        report.write_readme_section(README, parsed.out)
    return 0


if __name__ == "__main__":
    sys.exit(main())
