"""``crossphase phase-diagram``: the regimes of chosen parameters, and where points fall."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from crossphase._scalars import check_choice
from crossphase.cli.console import progress
from crossphase.cli.output import PLOT_FORMATS, JsonOption, check_targets, write_file, write_json, write_plot
from crossphase.errors import InputValueError
from crossphase.phase_diagram import Direction, Parameter, ParameterSweep, PhaseDiagram, PhasePoint
from crossphase.readers import read_json


def phase_diagram(
    gamma_x: Annotated[
        float | None, typer.Option(metavar="VARIANCE", help="Noise on the signal coordinates of X.")
    ] = None,
    gamma_y: Annotated[
        float | None, typer.Option(metavar="VARIANCE", help="Noise on the signal coordinates of Y.")
    ] = None,
    gamma_tilde_x: Annotated[
        float | None, typer.Option(metavar="VARIANCE", help="Nuisance of X; needed to predict X from Y.")
    ] = None,
    gamma_tilde_y: Annotated[
        float | None, typer.Option(metavar="VARIANCE", help="Nuisance of Y; needed to predict Y from X.")
    ] = None,
    direction: Annotated[
        Direction | None, typer.Option(help="Which way to predict; default: every way whose nuisance is given.")
    ] = None,
    point: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KAPPA,NU[,NAME]",
            help="A pair of views to place: signal strength, nuisance correlation. May be given several times.",
        ),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="RESULT.json",
            help="Parameters and point of a diagnosis (crossphase diagnose ... --json RESULT.json); "
            "parameters given beside it replace its own.",
        ),
    ] = None,
    kappa_max: Annotated[float | None, typer.Option(help="Right edge of the plane; default: chosen to fit.")] = None,
    sweep: Annotated[
        str | None,
        typer.Option(
            metavar="PARAMETER=START:STOP[:FRAMES]",
            help="Move a parameter, e.g. gamma-tilde-y=0.1:100:60, in equal ratios where START and STOP differ tenfold or "
            "more, else in equal steps; --plot then writes a .gif, and --html a page that plays it.",
        ),
    ] = None,
    json: JsonOption = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write the picture (.png, .svg or .pdf; with --sweep .gif).")
    ] = None,
    html: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write an offline page with a slider for every parameter (.html)."),
    ] = None,
) -> None:
    """Show where aligning and predicting recover the signal, and in which regime given points are."""
    moving = None if sweep is None else _sweep(sweep)
    _check_outputs(json, plot, html, [] if from_ is None else [from_], moving)
    variances = {
        Parameter.GAMMA_X: gamma_x,
        Parameter.GAMMA_Y: gamma_y,
        Parameter.GAMMA_TILDE_X: gamma_tilde_x,
        Parameter.GAMMA_TILDE_Y: gamma_tilde_y,
    }
    given: dict[str, Any] = {name: value for name, value in variances.items() if value is not None}
    given |= {"direction": direction, "points": [_point(text) for text in point or ()], "kappa_max": kappa_max}
    if from_ is not None:
        diagram = PhaseDiagram.from_diagnosis(read_json(from_, "--from"), **given)
    else:
        if moving is not None:
            given.setdefault(moving.parameter, moving.values[0])
        missing = [f"--{name.replace('_', '-')}" for name in ("gamma_x", "gamma_y") if name not in given]
        if missing:
            raise InputValueError(
                f"{' and '.join(missing)} must be given, e.g. {missing[0]} 0.5; or --from RESULT.json, a diagnosis to take "
                "the parameters from."
            )
        diagram = PhaseDiagram(**given)
    _deliver(diagram, moving, json, plot, html)


def _check_outputs(
    json: str | None, plot: Path | None, html: Path | None, inputs: list[Path], sweep: ParameterSweep | None
) -> None:
    if sweep is None and plot is not None and plot.suffix == ".gif":
        raise InputValueError(
            f"--plot {plot} needs --sweep, e.g. --sweep gamma-tilde-y=0.1:100:60: a .gif is a moving picture."
        )
    if sweep is not None and json is None and plot is None and html is None:
        raise InputValueError("--sweep needs somewhere to go: --plot FILE.gif, --html FILE.html or --json FILE.json.")
    formats = PLOT_FORMATS if sweep is None else (".gif",)
    check_targets(json, plot, inputs, plot_formats=formats, html=html)


def _deliver(
    diagram: PhaseDiagram, sweep: ParameterSweep | None, json: str | None, plot: Path | None, html: Path | None
) -> None:
    """Files first: whoever reads the table may close the pipe early."""
    if sweep is not None:
        sweep.check_moves(diagram)
    if plot is not None:
        with progress("drawing"):
            if sweep is None:
                write_plot(diagram.plot(), plot)
            else:
                write_file(diagram.to_gif(sweep), plot)
    if html is not None:
        write_file(diagram.to_html(sweep).encode(), html)
    if json is not None:
        write_json(diagram.to_json(sweep), json)
    if json != "-":
        print(diagram)
        if sweep is not None:
            option = sweep.parameter.replace("_", "-")
            first, last, n_frames = sweep.values[0], sweep.values[-1], len(sweep.values)
            shown = getattr(diagram, sweep.parameter)
            frames = f"{option} from {first:g} to {last:g} in {n_frames} frames"
            print(f"\n  The sweep takes {frames}; the table is of {option} {shown:g}.")


def _point(text: str) -> PhasePoint:
    kappa, _, rest = text.partition(",")
    nu, _, name = rest.partition(",")
    try:
        return PhasePoint(float(kappa), float(nu), name.strip())
    except InputValueError:
        raise
    except ValueError:
        raise InputValueError(
            f"--point must be KAPPA,NU or KAPPA,NU,NAME with decimal points, e.g. --point 1.5,0.4,images; got {text!r}."
        ) from None


def _sweep(text: str) -> ParameterSweep:
    name, _, values = text.partition("=")
    parameter = check_choice(name.strip().replace("-", "_"), "the parameter of --sweep", Parameter)
    start, _, rest = values.partition(":")
    stop, _, n_frames = rest.partition(":")
    try:
        numbers = float(start), float(stop), int(n_frames or 60)
    except ValueError:
        raise InputValueError(
            f"--sweep must be PARAMETER=START:STOP or PARAMETER=START:STOP:FRAMES, e.g. --sweep gamma-tilde-y=0.1:100:60; "
            f"got {text!r}."
        ) from None
    return ParameterSweep.between(parameter, *numbers)
