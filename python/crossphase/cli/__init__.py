"""The ``crossphase`` command: diagnose, demo, doctor, phase-diagram."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from crossphase import _core
from crossphase.cli.console import guarded, print_diagnosis, progress
from crossphase.cli.output import JsonOption, check_targets, write_json, write_plot
from crossphase.cli.phase_diagram import phase_diagram
from crossphase.diagnosis import Diagnosis
from crossphase.exit_codes import DESCRIPTION as EXIT_CODES
from crossphase.signals import SignalRule

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
    x: Annotated[Path, typer.Argument(metavar="X", help="First view: .npy, (n_samples, n_features), floating point.")],
    y: Annotated[Path, typer.Argument(metavar="Y", help="Second view; row i belongs to row i of X.")],
    labels: Annotated[
        list[Path],
        typer.Option(
            "--labels",
            metavar="L",
            help=".npy, or .csv with a line of column names. Strings and integers are classes, decimals are measurements. "
            "May be given several times.",
        ),
    ],
    json: JsonOption = None,
    plot: PlotOption = None,
    n_components: Annotated[int, typer.Option(help="Components examined in each decomposition.")] = 50,
    signal_rule: Annotated[
        SignalRule, typer.Option(help="How components are told signal from nuisance.")
    ] = SignalRule.ELBOW,
    n_folds: Annotated[int, typer.Option(help="Folds of the label regressions.")] = 5,
    n_permutations: Annotated[int, typer.Option(help="Label shuffles of the permutation rule.")] = 30,
    alpha: Annotated[float, typer.Option(help="Ridge of the label regressions.")] = 1.0,
    ridge: Annotated[float, typer.Option(help="Ridge of the covariances, in squared feature units.")] = 1e-6,
    standardize: Annotated[
        bool, typer.Option("--standardize", help="Divide each column by its standard deviation.")
    ] = False,
    reduce: Annotated[int | None, typer.Option(help="Keep this many principal components of each view.")] = None,
    n_threads: Annotated[
        int | None, typer.Option(help="Threads; default: CROSSPHASE_NUM_THREADS, else one a core.")
    ] = None,
) -> None:
    """Tell which objective keeps what the labels need, for two paired embedding files."""
    from crossphase.diagnosis import diagnose as run

    check_targets(json, plot, [x, y, *labels])
    with progress("reading"):
        result = run(
            x,
            y,
            _labels(labels),
            n_components=n_components,
            signal_rule=signal_rule,
            n_folds=n_folds,
            n_permutations=n_permutations,
            alpha=alpha,
            ridge=ridge,
            standardize=standardize,
            reduce=reduce,
            n_threads=n_threads,
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


def _labels(paths: list[Path]) -> Any:
    if len(paths) == 1:
        return paths[0]
    from crossphase.readers import read_label_files

    return read_label_files(paths)


def _deliver(result: Diagnosis, json: str | None, plot: Path | None, *, heading: str = "") -> None:
    """Files first: whoever reads the table may close the pipe early."""
    if plot is not None:
        write_plot(result.plot(), plot)
    if json is not None:
        write_json(result.to_json(), json)
    if json != "-":
        print(heading, end="")
        print_diagnosis(result)
