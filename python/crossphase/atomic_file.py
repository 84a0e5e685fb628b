"""Files replaced whole or not at all."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from crossphase.errors import InputValueError, OutputError


@contextmanager
def replace_file(target: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """A stream to write to, whose content takes the place of `target` once the block has ended without an error.

    Written beside the target, flushed to disk, renamed: whoever looks, and whenever process or machine stop, there is the
    old file or the new one, whole. A symbolic link stays one; the file it points to is replaced, and keeps its mode.

    Raises
    ------
    OutputError
        The disk is full, the folder read-only and the like; `target` is as it was, and nothing is left beside it.
    InputValueError
        `target` is there and no regular file.
    """
    path = Path(target).resolve()
    try:
        if path.exists() and not path.is_file():
            raise InputValueError(f"{path} is not a regular file, so it is not written to; choose another name.")
        stream, temporary = _create_beside(path)
        try:
            with stream:
                yield stream
                stream.flush()
                if path.exists():
                    os.chmod(stream.fileno(), path.stat().st_mode)  # noqa: PTH101  (the file may have no path yet)
                os.fsync(stream.fileno())
                if temporary is None:
                    temporary = _name(stream, _name_beside(path))
            temporary.replace(path)
        except BaseException:
            if temporary is not None:
                temporary.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise OutputError(
            f"{path} could not be written ({error.strerror or error}); an older file there is unchanged."
        ) from error
    _sync_folder(path.parent)


def _create_beside(path: Path) -> tuple[BinaryIO, Path | None]:
    """A new file in the same folder and its name; nameless where the system can: a killed process then leaves nothing."""
    if sys.platform == "linux" and Path("/proc/self/fd").is_dir():
        with suppress(
            OSError
        ):  # a file system without nameless files, or a folder that cannot be written: the next line tells
            return os.fdopen(os.open(path.parent, os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC, 0o666), "wb"), None
    name = _name_beside(path)
    return name.open("xb"), name


def _name_beside(path: Path) -> Path:
    return path.with_name(f".{path.name}.{secrets.token_hex(6)}")


def _name(stream: BinaryIO, name: Path) -> Path:
    folder = os.open(name.parent, os.O_RDONLY)
    try:  # a folder's descriptor makes Python call linkat, which alone follows /proc's link to the nameless file
        os.link(f"/proc/self/fd/{stream.fileno()}", name.name, dst_dir_fd=folder, follow_symlinks=True)
    finally:
        os.close(folder)
    return name


def _sync_folder(folder: Path) -> None:
    """So that the new name survives a power cut; the file itself is safe already, so a folder that cannot is no error."""
    if sys.platform != "win32":
        with suppress(OSError):
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
