"""What an experiment found, as a figure and a JSON file; and the README's section made from those files."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from linear_experiments import figures
from linear_experiments.registry import EXPERIMENTS, Experiment, Result
from linear_experiments.settings import Settings

README_BEGIN = "<!-- linear experiments: made by `linear.py all --readme`, not by hand -->"
README_END = "<!-- end of the linear experiments -->"
DIGITS = 5  # significant ones of numbers in JSON


@dataclass(frozen=True, slots=True)
class Record:
    """What the JSON file of an experiment says."""

    question: str
    settings: Mapping[str, Any]
    findings: list[Mapping[str, Any]]
    data: Mapping[str, Any]


def write(name: str, experiment: Experiment, settings: Settings, result: Result, folder: Path) -> None:
    """``name.json`` and ``name.png`` in the folder."""
    record = Record(
        experiment.question,
        asdict(settings),
        [{**_plain(asdict(finding)), "agrees": finding.agrees} for finding in result.findings()],
        {field.name: _plain(getattr(result, field.name)) for field in fields(result)},  # type: ignore[arg-type]
    )
    (folder / f"{name}.json").write_text(_to_json(record), encoding="utf-8")
    with figures.style():
        figures.save(experiment.draw(result), folder / f"{name}.png")


def read(name: str, folder: Path) -> Record:
    return Record(**json.loads((folder / f"{name}.json").read_text(encoding="utf-8")))


def write_readme_section(readme: Path, folder: Path) -> None:
    """Replace the section between the two marks in `readme` by one made of the JSON files in `folder`."""
    before, _, rest = readme.read_text(encoding="utf-8").partition(README_BEGIN)
    _, mark, after = rest.partition(README_END)
    if not mark:
        raise ValueError(f"{readme} must contain the lines {README_BEGIN!r} and {README_END!r}, in this order.")
    readme.write_text(before + readme_section(folder, readme.parent) + after, encoding="utf-8")


def readme_section(folder: Path, relative_to: Path) -> str:
    parts = [README_BEGIN]
    link = Path(os.path.relpath(folder, relative_to)).as_posix()
    for name, experiment in EXPERIMENTS.items():
        record = read(name, folder)
        parts += [
            f"### {name}: {experiment.question}",
            experiment.reading,
            _table(record),
            f"![{name}]({link}/{name}.png)",
        ]
    return "\n\n".join([*parts, README_END])


def _table(record: Record) -> str:
    lines = ["| quantity | expected | | found | agrees |", "|---|---|---|---|---|"]
    for finding in record.findings:
        expected = finding["expected"]
        wanted = [_short(expected["value"]), expected["source"]] if expected else ["", ""]
        spread = f" ± {_short(finding['spread'])}" if finding["spread"] else ""
        agrees = {True: "yes", False: "**no**", None: ""}[finding["agrees"]]
        cells = [finding["quantity"], *wanted, _short(finding["found"]) + spread, agrees]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _short(value: float) -> str:
    return "0" if abs(value) < 1e-9 else f"{value:.4g}"


def _plain(value: Any) -> Any:
    """Numbers and arrays as JSON takes them, rounded."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, float | np.floating):
        return float(f"{value:.{DIGITS}g}")
    return int(value) if isinstance(value, np.integer) else value


def _to_json(record: Record) -> str:
    """One line for each finding and each array: readable, and small in version control."""

    def lines(items: list[str]) -> str:
        return "\n    " + ",\n    ".join(items) + "\n  "

    dumps = json.JSONEncoder(ensure_ascii=False, separators=(", ", ": ")).encode
    findings = lines([dumps(finding) for finding in record.findings])
    data = lines([f"{dumps(name)}: {dumps(values)}" for name, values in record.data.items()])
    return (
        f'{{\n  "question": {dumps(record.question)},\n  "settings": {dumps(record.settings)},\n'
        f'  "findings": [{findings}],\n  "data": {{{data}}}\n}}\n'
    )
