"""Every peer target in one process: two threads each, interleaved, answers checked before they are timed.

    python benchmarks/peers.py [--only 1a,4] [--quick] [--json FILE]

Prints a Markdown table and writes the same figures as JSON, to `results/peers.json` unless told otherwise. A ratio above
1 means that crossphase is the faster one. `--quick` shows in a minute that everything runs; its sizes are too small for
the targets. Exit status 1: a row failed, by a wrong answer for one.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from math import isnan
from pathlib import Path

from peer_rows import machine, moments, order, ridge_cv, spectra, streaming, whitening
from peer_rows.measure import PeerMissingError, PeerRow, not_measured, two_threads

RESULTS = Path(__file__).parent / "results" / "peers.json"

# Target, or what its ids begin with -> its rows.
TARGETS: dict[str, Callable[[bool], Iterable[PeerRow]]] = {
    "1a": moments.against_numpy,
    "1b": moments.against_incremental,
    "1c": moments.bfloat16_in,
    "1d": moments.without_matrix_units,
    "1e": moments.merged_and_off_centre,
    "1f": streaming.memory_mapped_stream,
    "order": order.fixed_order,
    "2a": whitening.exact_roots,
    "2b": whitening.cholesky,
    "2c": whitening.roots_of_larger,
    "2e": whitening.ill_conditioned,
    "3a": spectra.leading,
    "3b": spectra.full,
    "4a": ridge_cv.against_published_loop,
    "4b": ridge_cv.against_numpy,
    "4c": ridge_cv.against_himalaya,
}


def measured(only: tuple[str, ...], quick: bool) -> Iterator[tuple[PeerRow, bool]]:
    """Rows of the targets asked for, and whether they could be measured; a row that fails does not stop the others."""
    for target, rows in TARGETS.items():
        if not any(_concerns(target, wanted) for wanted in only):
            continue
        try:
            for found in rows(quick):
                if found.target.startswith(only):
                    yield found, True
        except PeerMissingError as missing:
            yield not_measured(target, "", "", str(missing)), True
        except Exception as error:
            traceback.print_exc()
            yield not_measured(target, "", "", f"FAILED: {type(error).__name__}: {error}"), False


def _concerns(target: str, wanted: str) -> bool:
    return target.startswith(wanted) or wanted.startswith(target)


def as_markdown(rows: Iterable[PeerRow]) -> str:
    """The table."""
    lines = [
        "| target | work | peer | ours | peer's | ratio | floor | goal | error | |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for found in rows:
        ratio = _number(found.ratio, ".2f")
        cells = [
            found.target,
            found.work,
            found.peer,
            _seconds(found.our_seconds),
            _seconds(found.peer_seconds),
            f"**{ratio}** (missed)" if found.is_met is False else ratio,
            "" if found.floor is None else f"{found.floor:.3g}",
            "" if found.goal is None else f"{found.goal:g}",
            _number(found.error, ".1e"),
            found.note,
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _number(value: float, form: str) -> str:
    return "-" if isnan(value) else format(value, form)


def _seconds(value: float) -> str:
    return "-" if isnan(value) else f"{value:.2f} s" if value >= 1 else f"{1e3 * value:.1f} ms"


def describe_machine(facts: dict[str, object], peaks: machine.Peaks) -> str:
    """Two lines above the table."""
    versions = ", ".join(f"{name} {version}" for name, version in facts["versions"].items())
    rates = (
        ("f64", peaks.f64),
        ("f32", peaks.f32),
        ("bf16 vectors", peaks.bf16_vector),
        ("bf16 tiles", peaks.bf16_matrix),
    )
    shown = ", ".join(f"{unit} {rate / 1e9:.0f}" for unit, rate in rates)
    return (
        f"{facts['processor']}, {facts['n_cores']} cores, {facts['threads_each']} threads each; load average "
        f"{facts['load_average']:.1f}; crossphase uses {facts['instruction_set']}, peers {', '.join(facts['peer_libraries'])}. "
        f"Peaks of this run, GFlop/s: {shown}; copy {peaks.copy / 1e9:.1f} GB/s read and written. "
        f"Peak memory of the process {facts['peak_resident_bytes'] / 1e9:.1f} GB.\n\n{versions}."
    )


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--only", metavar="IDS", default="", help="targets or beginnings of them, as 1a,4")
    parser.add_argument("--quick", action="store_true", help="small sizes, few rounds: shows that it runs")
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help=f"default: {RESULTS.name}; --quick and --only write none"
    )
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    only = tuple(part for part in arguments.only.split(",") if part) or ("",)
    unknown = [wanted for wanted in only if not any(_concerns(target, wanted) for target in TARGETS)]
    if unknown:
        print(f"No target is called {unknown[0]!r}; there are {', '.join(TARGETS)}.", file=sys.stderr)
        return 2
    rows, all_ran = [], True
    with two_threads():
        load_before = machine.describe()["load_average"]
        ceiling = machine.peaks()
        for found, ran in measured(only, arguments.quick):
            print(as_markdown([found]).splitlines()[-1], file=sys.stderr, flush=True)
            rows.append(found)
            all_ran &= ran
        facts = machine.describe() | {"load_average": load_before}  # of others: ours would count too
    print(describe_machine(facts, ceiling))
    if arguments.quick:
        print("\nSizes of --quick: ratios mean nothing, errors do.")
    print("", as_markdown(rows), sep="\n")
    is_whole = not arguments.quick and only == ("",)
    path = arguments.json or (RESULTS if is_whole else None)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        whole = {"machine": facts, "peaks": asdict(ceiling), "rows": [asdict(found) for found in rows]}
        path.write_text(json.dumps(_without_nan(whole), indent=2) + "\n", encoding="utf-8")
    return 0 if all_ran else 1


def _without_nan(value: object) -> object:
    """The same with None for NaN, which JSON does not have."""
    if isinstance(value, dict):
        return {key: _without_nan(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_without_nan(inner) for inner in value]
    return None if isinstance(value, float) and isnan(value) else value


if __name__ == "__main__":
    sys.exit(main())
