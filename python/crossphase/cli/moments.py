"""``crossphase moments`` and ``crossphase merge``: a pair of any size read once, in parts if need be, and kept."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from crossphase.cli.console import progress
from crossphase.cli.inputs import (
    IdsLabelsOption,
    IdsXOption,
    IdsYOption,
    input_files,
    read_given_labels,
    read_row_names,
)
from crossphase.cli.output import check_target
from crossphase.errors import InputValueError
from crossphase.pair_state import PairState, merge_states
from crossphase.precision import Precision

_ENDINGS = (".safetensors",)
OutputOption = Annotated[
    Path, typer.Option("--output", "-o", metavar="STATE.safetensors", help="Where the state is written.")
]


def moments(
    x: Annotated[str, typer.Argument(metavar="X", help="A file of rows; FILE::MEMBER for one array of several.")],
    y: Annotated[str, typer.Argument(metavar="Y", help="The other view: row i of Y belongs to row i of X.")],
    output: OutputOption,
    labels: Annotated[
        list[Path] | None, typer.Option(metavar="L", help="Labels as for diagnose; may be given several times.")
    ] = None,
    rows: Annotated[
        str | None,
        typer.Option(
            metavar="FIRST:STOP",
            help="Read rows FIRST to STOP - 1 alone, FIRST: all from there; crossphase merge joins the parts.",
        ),
    ] = None,
    ids_x: IdsXOption = None,
    ids_y: IdsYOption = None,
    ids_labels: IdsLabelsOption = None,
    precision: Annotated[
        Precision, typer.Option(help="In which arithmetic products are formed; auto goes by the types of X and Y.")
    ] = Precision.AUTO,
    checkpoint_every: Annotated[
        float,
        typer.Option(metavar="SECONDS", help="How often what has been read is kept in STATE.safetensors.partial."),
    ] = 30.0,
    n_threads: Annotated[
        int | None, typer.Option(help="Threads; default: CROSSPHASE_NUM_THREADS, else one a core.")
    ] = None,
) -> None:
    """Read a pair of files of any size once and keep what a diagnosis needs.

    Stopped on the way, the same command goes on from STATE.safetensors.partial and ends with the same bytes.
    """
    from crossphase.summarize import summarize_pair

    row_files = {"ids_x": ids_x, "ids_y": ids_y, "ids_labels": ids_labels}
    check_target("--output", output, _ENDINGS, input_files(x, y, *(labels or ()), *row_files.values()))
    partial = output.with_name(output.name + ".partial")
    with progress("reading") as show_rows:
        state = summarize_pair(
            x,
            y,
            read_given_labels(labels or []),
            ids=read_row_names(row_files)["ids"],
            rows=None if rows is None else _row_range(rows),
            precision=precision,
            checkpoint=partial,
            checkpoint_every_s=checkpoint_every,
            progress=show_rows,
            n_threads=n_threads,
        )
    state.save(output)
    partial.unlink()
    _report(state, output)


def merge(
    states: Annotated[
        list[Path],
        typer.Argument(metavar="STATE", help="Files of crossphase moments over disjoint rows of one data set."),
    ],
    output: OutputOption,
) -> None:
    """Join states of parts of one data set: the same bytes as one pass over all of it."""
    check_target("--output", output, _ENDINGS, states)
    state = merge_states((str(path), PairState.load(path)) for path in states)
    state.save(output)
    _report(state, output)


def _row_range(text: str) -> tuple[int, int | None]:
    first, colon, stop = text.partition(":")
    try:
        if colon:
            return int(first or 0), int(stop) if stop else None
    except ValueError:
        pass
    raise InputValueError(f"--rows must be FIRST:STOP, two row numbers, e.g. --rows 0:100000; got {text!r}.")


def _report(state: PairState, output: Path) -> None:
    dataset = state.dataset
    print(
        f"{output}: rows {_listed(state.row_ranges)} of {dataset.n_samples}, {dataset.n_features_x} + "
        f"{dataset.n_features_y} features, {state.n_label_columns} label columns."
    )
    if dataset.unmatched is not None:
        print(dataset.unmatched)
    if not state.is_complete:
        print(f"Missing: rows {_listed(state.missing_ranges)}.")


def _listed(ranges: Iterable[tuple[int, int]]) -> str:
    return ", ".join(f"{first} to {stop - 1}" for first, stop in ranges)
