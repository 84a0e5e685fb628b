"""Files the command writes: checked before the work, replaced whole or not at all."""

from __future__ import annotations

import io
import os
import sys
import tempfile
from pathlib import Path

from crossphase.diagnosis import Diagnosis
from crossphase.errors import InputValueError

PLOT_FORMATS = (".png", ".svg", ".pdf")


def check_targets(json: str | None, plot: Path | None) -> None:
    """Refuse a target that cannot be written before anything is computed."""
    if plot is not None and plot.suffix not in PLOT_FORMATS:
        raise InputValueError(f"--plot must end in {', '.join(PLOT_FORMATS)}; got {plot}.")
    for option, target in (("--json", None if json in (None, "-") else Path(json or "")), ("--plot", plot)):
        if target is None:
            continue
        if target.is_dir():
            raise InputValueError(f"{option} must name a file; {target} is a directory.")
        if not target.absolute().parent.is_dir():
            raise InputValueError(f"{option}: the folder {target.absolute().parent} does not exist; create it first.")
        if not os.access(target.absolute().parent, os.W_OK):
            raise InputValueError(f"{option}: the folder {target.absolute().parent} cannot be written to.")
    if plot is not None:
        _require_matplotlib()


def write_json(text: str, target: str) -> None:
    """To a file, or to stdout for ``-``."""
    if target == "-":
        sys.stdout.write(text + "\n")
    else:
        _replace(Path(target), (text + "\n").encode())


def write_plot(result: Diagnosis, target: Path) -> None:
    buffer = io.BytesIO()
    result.plot().savefig(buffer, format=target.suffix[1:], dpi=150)
    _replace(target, buffer.getvalue())


def _require_matplotlib() -> None:
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError('--plot needs matplotlib: pip install "crossphase[report]"') from error


def _replace(target: Path, content: bytes) -> None:
    """Write beside the target, flush to disk, rename: whoever looks sees the old file or the new one, whole."""
    target = target.absolute()
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.chmod(target.stat().st_mode if target.exists() else 0o666 & ~_umask())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current
