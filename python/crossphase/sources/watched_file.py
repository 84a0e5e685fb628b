"""A file that is read by position and must not change while it is read."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from crossphase.errors import InputValueError

_N_PIECES, _PIECE = 16, 4096


@dataclass(frozen=True, slots=True)
class WatchedFile:
    """Path, size and time stamp of a file as it was when opened.

    No handle is kept: opening costs microseconds beside a block of megabytes, a directory of many thousand shards needs no
    descriptors, and nothing has to be closed, carried over a fork or left out of a pickle.
    """

    path: Path
    name: str  # the argument's, in messages
    size: int
    mtime_ns: int

    @classmethod
    def open(cls, path: str | os.PathLike[str], name: str) -> Self:
        """Look the file up; it must exist, be a regular file with bytes in it, and be readable."""
        file = existing_file(path, name)
        status = file.stat()
        return cls(file, name, status.st_size, status.st_mtime_ns)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill a writable buffer of bytes from a position on; the count of bytes, fewer only at the end of the file."""
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            raise InputValueError(f"{self.name}: {self.path} cannot be read any more ({error.strerror}).") from error
        try:
            n_read = 0
            while n_read < len(buffer):  # one call reads at most 2 GiB, and may read less
                count = os.preadv(descriptor, [buffer[n_read:]], offset + n_read)
                if count == 0:
                    break
                n_read += count
            self._compare(os.fstat(descriptor))
        except OSError as error:
            raise InputValueError(f"{self.name}: reading {self.path} failed ({error.strerror}).") from error
        finally:
            os.close(descriptor)
        return n_read

    def read_bytes(self, offset: int, count: int) -> bytes:
        """At most `count` bytes from a position on."""
        buffer = bytearray(min(count, max(self.size - offset, 0)))
        n_read = self.read_into(memoryview(buffer), offset)
        return bytes(buffer[:n_read])

    def add_to(self, digest: Any) -> None:
        """Put the size and evenly spaced pieces of the file into a hash."""
        digest.update(str(self.size).encode())
        if self.size <= _N_PIECES * _PIECE:
            digest.update(self.read_bytes(0, self.size))
            return
        for piece in range(_N_PIECES):
            digest.update(self.read_bytes(piece * (self.size - _PIECE) // (_N_PIECES - 1), _PIECE))

    def require_unchanged(self) -> None:
        """Raise InputValueError if size or time stamp are not what they were."""
        try:
            status = self.path.stat()
        except OSError as error:
            raise InputValueError(f"{self.name}: {self.path} is gone ({error.strerror}).") from error
        self._compare(status)

    def _compare(self, status: os.stat_result) -> None:
        if (status.st_size, status.st_mtime_ns) != (self.size, self.mtime_ns):
            sizes = (
                f"{self.size} bytes then, {status.st_size} now" if status.st_size != self.size else "it was written to"
            )
            raise InputValueError(
                f"{self.name}: {self.path} has changed since it was opened ({sizes}). Wait until it is complete, "
                "or copy it, and start again."
            )


def existing_file(path: str | os.PathLike[str], name: str) -> Path:
    """The path of a regular, readable file that is not empty, or an error that says what is there instead."""
    file = Path(path)
    try:
        status = file.stat()
    except FileNotFoundError:
        raise FileNotFoundError(f"{name}: no such file: {file}") from None
    except (OSError, ValueError) as error:
        raise InputValueError(f"{name}: {file} cannot be read ({getattr(error, 'strerror', error)}).") from error
    if stat.S_ISDIR(status.st_mode):
        raise IsADirectoryError(f"{name} must be a file; {file} is a directory.")
    if not stat.S_ISREG(status.st_mode):  # opening a named pipe would wait for ever
        raise InputValueError(f"{name}: {file} is a pipe or a device; rows are read by position, so copy it to a file.")
    if status.st_size == 0:
        raise InputValueError(f"{name}: {file} is empty (0 bytes).")
    try:
        file.open("rb").close()
    except OSError as error:
        raise InputValueError(f"{name}: {file} cannot be read ({error.strerror}).") from error
    return file


def fingerprint_of(files: list[WatchedFile], *description: object) -> str:
    """SHA-256 of a description (shape, dtype, member) and of the files in their order; paths and times do not enter."""
    digest = hashlib.sha256("\n".join(map(str, description)).encode())
    for file in files:
        file.add_to(digest)
    return digest.hexdigest()
