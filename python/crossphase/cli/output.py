"""Files the command writes: checked before the work, replaced whole or not at all."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from crossphase.atomic_file import replace_file
from crossphase.errors import InputValueError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

JsonOption = Annotated[
    str | None,
    typer.Option("--json", metavar="FILE|-", help="Write the result as JSON; - prints it instead of the table."),
]
PLOT_FORMATS = (".png", ".svg", ".pdf")


def check_targets(
    json: str | None,
    plot: Path | None,
    inputs: Sequence[Path] = (),
    *,
    plot_formats: tuple[str, ...] = PLOT_FORMATS,
    html: Path | None = None,
) -> None:
    """Refuse a target that cannot or should not be written before anything is computed."""
    targets: list[tuple[str, Path, tuple[str, ...]]] = []
    if json not in (None, "-"):
        targets.append(("--json", Path(json or ""), (".json",)))
    if plot is not None:
        targets.append(("--plot", plot, plot_formats))
    if html is not None:
        targets.append(("--html", html, (".html",)))
    for option, target, endings in targets:
        check_target(option, target, endings, inputs)
    if plot is not None:
        _require_matplotlib()


def check_target(option: str, target: Path, endings: tuple[str, ...], inputs: Sequence[Path] = ()) -> None:
    """Refuse one file that cannot or should not be written."""
    if target.is_dir():
        raise InputValueError(f"{option} must name a file; {target} is a directory.")
    if target.suffix not in endings:
        raise InputValueError(f"{option} must end in {', '.join(endings)}; got {target}.")
    folder = target.resolve().parent
    if not folder.is_dir():
        raise InputValueError(f"{option}: the folder {folder} does not exist; create it first.")
    if not os.access(folder, os.W_OK) or (target.exists() and not os.access(target, os.W_OK)):
        raise InputValueError(f"{option}: {target} cannot be written to.")
    if target.exists() and not target.is_file():
        raise InputValueError(f"{option}: {target} is not a regular file.")
    if any(target.exists() and given.exists() and target.samefile(given) for given in inputs):
        raise InputValueError(f"{option}: {target} is one of the inputs; choose another name.")
    for given in inputs:
        if given.is_dir() and folder.is_relative_to(given.resolve()):  # the next reading would take it for a shard
            raise InputValueError(
                f"{option}: {target} is inside {given}, which is one of the inputs; write it elsewhere."
            )


def write_json(text: str, target: str) -> None:
    """To a file, or to stdout for ``-``."""
    if target == "-":
        sys.stdout.write(text + "\n")
    else:
        write_file((text + "\n").encode(), Path(target))


def write_plot(figure: Figure, target: Path) -> None:
    buffer = io.BytesIO()
    figure.savefig(buffer, format=target.suffix[1:], dpi=150)
    write_file(buffer.getvalue(), target)


def write_file(content: bytes, target: Path) -> None:
    with replace_file(target) as stream:
        stream.write(content)


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError('--plot needs matplotlib: pip install "crossphase[report]"') from error
