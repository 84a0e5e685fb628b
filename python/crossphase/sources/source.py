"""What every reader of rows offers, whatever file or array the rows come from."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np

from crossphase.errors import InputTypeError, InputValueError

BFLOAT16_BITS = np.dtype(np.uint16)  # stands for bfloat16, as in `Samples.values`


def holds_floats(stored: np.dtype[Any]) -> bool:
    """Whether values of a stored dtype can be features: real floating-point numbers, bfloat16 as two-byte void."""
    return stored.kind == "f" or stored == np.dtype("V2")


def dtype_name(handed_out: np.dtype[Any]) -> str:
    """The name of a source's dtype."""
    return "bfloat16" if handed_out == BFLOAT16_BITS else handed_out.name


@runtime_checkable
class RowSource(Protocol):
    """One sample matrix that is read in blocks of rows and never held as a whole.

    A source pickles as what it was opened with, not as handles or data (an array in memory is its own data), and
    `read` may be called from several threads.
    """

    @property
    def spec(self) -> Any:
        """What `open_rows` opens the same rows with: ``"path"``, ``"path::member"``, or an array."""

    @property
    def name(self) -> str:
        """The argument's name in messages."""

    @property
    def n_samples(self) -> int:
        """Rows."""

    @property
    def n_features(self) -> int:
        """Columns."""

    @property
    def dtype(self) -> np.dtype[Any]:
        """float16, float32 or float64; uint16 stands for bfloat16 bits.

        What takes arrays of users wants such a block as ``block.view("V2")``, since counts are uint16 too.
        """

    def read(self, first: int, stop: int) -> np.ndarray:
        """Rows ``first`` to ``stop - 1``, shape (stop - first, n_features), in native byte order and memory of their own."""

    def fingerprint(self) -> str:
        """SHA-256 of the sizes and of evenly spaced pieces: cheap, and the same for a copy of the file elsewhere."""

    def require_unchanged(self) -> None:
        """Raise InputValueError if a file has changed since it was opened."""


def check_range(first: int, stop: int, source: RowSource) -> None:
    """Rows asked for must exist."""
    if not 0 <= first <= stop <= source.n_samples:
        raise InputValueError(
            f"{source.name}: rows {first} to {stop} were asked for; there are {source.n_samples} (0 to {source.n_samples})."
        )


def check_shape(shape: tuple[int, ...], name: str, where: object) -> tuple[int, int]:
    """The two sizes of a matrix with rows and columns, or a sentence."""
    if len(shape) != 2:
        raise InputValueError(f"{name} must have shape (n_samples, n_features); {where} has {shape}.")
    if min(shape) < 1:
        raise InputValueError(f"{name} is empty: {where} has shape {shape}; at least one row and column are needed.")
    return shape[0], shape[1]


def value_dtype(stored: np.dtype[Any], name: str, where: object) -> np.dtype[Any]:
    """What values of a stored dtype are handed out as, or a sentence."""
    if stored.kind == "f" and stored.itemsize <= 8:
        return stored.newbyteorder("=")
    if stored.name == "bfloat16" or stored == np.dtype("V2"):
        return BFLOAT16_BITS
    remedy = "Embeddings are floating-point numbers."
    if stored == np.uint16:
        remedy = 'Save counts as float32, and bfloat16 bits as array.view("V2").'
    elif stored.kind in "iub":
        remedy = 'Save it as array.astype("float32") if these numbers are measurements.'
    elif stored.kind == "f":
        remedy = 'Save it as array.astype("float64").'
    elif stored.kind == "c":
        remedy = "Save real and imaginary parts as separate columns."
    elif stored.hasobject:
        remedy = "Python objects are never loaded: they could run any code. Save a plain array, e.g. array.astype('float32')."
    raise InputTypeError(f"{name} must be float16, bfloat16, float32 or float64; {where} holds {stored}. {remedy}")
