"""The ``crossphase`` command: diagnose, demo, doctor, phase-diagram, moments, merge."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from crossphase import _core
from crossphase.cli.console import guarded, print_diagnosis, progress
from crossphase.cli.inputs import (
    IdsLabelsOption,
    IdsXOption,
    IdsYOption,
    as_views,
    input_files,
    parse_reduce,
    read_given_labels,
    read_row_names,
)
from crossphase.cli.moments import merge, moments
from crossphase.cli.output import JsonOption, check_target, check_targets, write_json, write_plot
from crossphase.cli.phase_diagram import phase_diagram
from crossphase.diagnosis import Diagnosis
from crossphase.diagnosis.settings import Method
from crossphase.errors import InputTypeError, InputValueError
from crossphase.exit_codes import DESCRIPTION as EXIT_CODES
from crossphase.precision import Precision
from crossphase.rehearsal import AtUse
from crossphase.signals import SignalRule

if TYPE_CHECKING:
    from crossphase.pairwise import PairwiseDiagnosis

app = typer.Typer(
    name="crossphase",
    help="For two paired embedding sets: align them, predict one from the other, or train no cross-modal model.",
    epilog=EXIT_CODES,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)

PlotOption = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Write the picture (.png, .svg or .pdf).")
]


def _print_version(wanted: bool) -> None:
    if wanted:
        print(_core.__version__)
        raise typer.Exit


@app.callback()
def _main(
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    pass


@app.command(epilog=EXIT_CODES)
@guarded
def diagnose(
    views: Annotated[
        list[str],
        typer.Argument(
            metavar="VIEW",
            help="Two views, X and Y: files of floating-point rows (.npy, .npz, .safetensors, .parquet, .h5ad and others; "
            "FILE::MEMBER for one array of several); row i of Y belongs to row i of X. Of more than two every pair is diagnosed, "
            "each view named after its file. Or one state of crossphase moments.",
        ),
    ],
    labels: Annotated[
        list[Path] | None,
        typer.Option(
            "--labels",
            metavar="L",
            help=".npy, .csv with a line of column names, or a column of a container (table.parquet::class). Strings and "
            "integers are classes, decimals are measurements. "
            "May be given several times. Without any, clusters of a view stand in.",
        ),
    ] = None,
    json: JsonOption = None,
    plot: PlotOption = None,
    method: Annotated[
        Method, typer.Option(help="How signal is told from nuisance; components: the published procedure.")
    ] = Method.SUBSPACE,
    at_use: Annotated[
        AtUse, typer.Option(help="Which views there will be when the representation is used.")
    ] = AtUse.BOTH,
    nuisance_labels: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="L", help="Labels of what should not be kept, such as batch or donor, in files as --labels."
        ),
    ] = None,
    groups: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Whose each row is (.npy, .csv): rows of one group depend on each other."),
    ] = None,
    ids_x: IdsXOption = None,
    ids_y: IdsYOption = None,
    ids_labels: IdsLabelsOption = None,
    no_rehearse: Annotated[
        bool, typer.Option("--no-rehearse", help="Do not try the objectives on held-out rows.")
    ] = False,
    no_audit: Annotated[
        bool, typer.Option("--no-audit", help="Do not check the pairing of the rows and the shared signal.")
    ] = False,
    standardize: Annotated[
        bool, typer.Option("--standardize", help="Divide each column by its standard deviation.")
    ] = False,
    reduce: Annotated[
        str,
        typer.Option(
            metavar="auto|none|K|K,L",
            help="Principal components kept of each view (of X, of Y); auto: all that the rows can carry.",
        ),
    ] = "auto",
    rng: Annotated[int, typer.Option(help="Seed of everything that is drawn.")] = 0,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            metavar="STATE.safetensors",
            help="Read the files once, whatever their size, and keep here what was read: stopped on the way, the same command "
            "goes on from there.",
        ),
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Of the sums of files read once: those above 1 GiB, and with --checkpoint.")
    ] = None,
    n_threads: Annotated[
        int | None, typer.Option(help="Threads; default: CROSSPHASE_NUM_THREADS, else one a core.")
    ] = None,
    signal_rule: Annotated[
        SignalRule | None, typer.Option(help="Of --method components, as all below: how components are told signal.")
    ] = None,
    n_components: Annotated[
        int | None, typer.Option(help="Components examined in each decomposition; default 50.")
    ] = None,
    n_folds: Annotated[int | None, typer.Option(help="Folds of the label regressions; default 5.")] = None,
    n_permutations: Annotated[
        int | None, typer.Option(help="Label shuffles of the permutation rule; default 30.")
    ] = None,
    alpha: Annotated[float | None, typer.Option(help="Ridge of the label regressions; default 1.")] = None,
    ridge: Annotated[
        float | None, typer.Option(help="Ridge of the covariances, in squared feature units; default 1e-6.")
    ] = None,
) -> None:
    """Tell which objective keeps what the labels need, for two or more paired embedding files."""
    from crossphase.diagnosis import diagnose as run

    row_files = {"groups": groups, "ids_x": ids_x, "ids_y": ids_y, "ids_labels": ids_labels}
    given = input_files(*views, *(labels or ()), *(nuisance_labels or ()), *row_files.values())
    check_targets(json, plot, given)
    if checkpoint is not None:
        check_target("--checkpoint", checkpoint, (".safetensors",), given)
    published = {
        "signal_rule": signal_rule,
        "n_components": n_components,
        "n_folds": n_folds,
        "n_permutations": n_permutations,
        "alpha": alpha,
        "ridge": ridge,
    }
    options: dict[str, Any] = {name: value for name, value in published.items() if value is not None}
    if options and method is not Method.COMPONENTS:
        raise InputValueError(
            f"--{next(iter(options)).replace('_', '-')} is of the published procedure: add --method components."
        )
    x, y = as_views(views, plot)
    with _labels_among(views, labels), progress("reading") as show_rows:
        result = run(
            x,
            y,
            read_given_labels(labels or []),
            method=method,
            nuisance_labels=read_given_labels(nuisance_labels or []),
            **read_row_names(row_files),
            at_use=at_use,
            rehearse=not no_rehearse,
            audit=not no_audit,
            standardize=standardize,
            reduce=parse_reduce(reduce),
            rng=rng,
            n_threads=n_threads,
            checkpoint=checkpoint,
            precision=precision,
            progress=show_rows,
            **options,
        )
    _deliver(result, json, plot)


@app.command(epilog=EXIT_CODES)
@guarded
def demo(json: JsonOption = None, plot: PlotOption = None) -> None:
    """Diagnose real data that ships with the package: two descriptions of 2000 handwritten digits."""
    from crossphase.demo_data import DESCRIPTION, load_demo
    from crossphase.diagnosis import diagnose as run

    check_targets(json, plot)
    with progress("demo"):
        result = run(*load_demo())
    _deliver(result, json, plot, heading=DESCRIPTION + "\n\n")


@app.command(epilog=EXIT_CODES)
@guarded
def doctor(json: JsonOption = None) -> None:
    """Show versions, instruction set, threads, GPU and optional extras."""
    from crossphase.cli import environment

    check_targets(json, None)
    findings = environment.examine()
    if json is not None:
        write_json(environment.to_json(findings), json)
    if json != "-":
        environment.show(findings)


app.command("phase-diagram", epilog=EXIT_CODES)(guarded(phase_diagram))
app.command(epilog=EXIT_CODES)(guarded(moments))
app.command(epilog=EXIT_CODES)(guarded(merge))


@contextmanager
def _labels_among(views: list[str], labels: list[Path] | None) -> Iterator[None]:
    """Where one view of several is refused and there are no labels, say how labels are given: they may be that view."""
    try:
        yield
    except (InputTypeError, InputValueError) as error:
        if len(views) > 2 and not labels and str(error).startswith("views["):
            raise type(error)(f"{error} If these are the labels, write --labels before them.") from error
        raise


def _deliver(result: Diagnosis | PairwiseDiagnosis, json: str | None, plot: Path | None, *, heading: str = "") -> None:
    """Files first: whoever reads the table may close the pipe early."""
    if plot is not None and isinstance(result, Diagnosis):  # pairs of several views have no one picture: refused before
        write_plot(result.plot(), plot)
    if json is not None:
        write_json(result.to_json(), json)
    if json != "-":
        print(heading, end="")
        print_diagnosis(result)
