"""What the commands that read views were given: shared options; files and words as the library takes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from crossphase.errors import InputValueError
from crossphase.readers import read_column, read_label_files
from crossphase.sources.members import split_location

IdsXOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Names of the rows of X (.npy, .csv), to match rows by.")
]
IdsYOption = Annotated[Path | None, typer.Option(metavar="FILE", help="Names of the rows of Y.")]
IdsLabelsOption = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Names of the rows of the labels; default: those of X.")
]


def as_views(views: Sequence[str], plot: Path | None) -> tuple[str | dict[str, str], str | None]:
    """X and Y; or, of more than two views, a mapping of their files' names to them, and nothing; or a state, and nothing."""
    if len(views) == 2:
        return views[0], views[1]
    if len(views) == 1 and views[0].endswith(".safetensors"):
        return views[0], None
    if len(views) < 2:
        raise InputValueError(f"two views are needed, X and Y; got {views[0]} alone.")
    if plot is not None:
        raise InputValueError("--plot draws one pair of views; diagnose the pair of interest alone.")
    names = [Path(view).stem for view in views]
    repeated = [name for name in names if names.count(name) > 1]
    if repeated:
        raise InputValueError(f"views are named after their files; two are named {repeated[0]}, rename one.")
    return dict(zip(names, views, strict=True)), None


def input_files(*given: str | Path | None) -> list[Path]:
    """The files that views, labels and names of rows are in, without their members: what no output may replace."""
    return [split_location(str(spec)).path for spec in given if spec is not None]


def read_given_labels(paths: Sequence[Path]) -> Any:
    """The path of one file, the variables of several, None where there are none."""
    if len(paths) < 2:
        return paths[0] if paths else None
    return read_label_files(paths)


def read_row_names(files: Mapping[str, Path | None]) -> dict[str, Any]:
    """`groups` and `ids` for `diagnose`, from the files of ``--groups``, ``--ids-x``, ``--ids-y`` and ``--ids-labels``."""
    found = {name: read_column(path, name) for name, path in files.items() if path is not None}
    ids = [found[name] for name in ("ids_x", "ids_y", "ids_labels") if name in found]
    if ids and not ("ids_x" in found and "ids_y" in found):
        raise InputValueError("--ids-x and --ids-y go together: rows are matched where both views name them.")
    return {"groups": found.get("groups"), "ids": tuple(ids) or None}


def parse_reduce(text: str) -> str | int | tuple[int | None, int | None] | None:
    """``auto``, ``none``, a number, or one for each view."""
    if text == "auto":
        return text
    words = text.split(",")
    try:
        sides = [None if word.strip() == "none" else int(word) for word in words]
    except ValueError:
        sides = []
    if len(sides) not in (1, 2):
        raise InputValueError(
            f"--reduce must be auto, none, a number of principal components, or one for each view, e.g. 50,20 or 50,none; got "
            f"{text!r}."
        )
    return sides[0] if len(sides) == 1 else (sides[0], sides[1])
