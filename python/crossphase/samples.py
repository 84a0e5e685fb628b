"""What an input matrix is: checks at the door, and float64 rows on request."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np

from crossphase import _core
from crossphase.errors import InputTypeError, InputValueError
from crossphase.reference.moments import to_float64

_LEAST_PLAUSIBLE_BITS = 0x2000  # of the bfloat16 number 2^-63; counts below 8192 would all be smaller


@dataclass(frozen=True, slots=True, eq=False)
class Samples:
    """A checked matrix of samples.

    `values` is a view of what the user gave, ``(n_samples, n_features)`` in float16, float32 or float64, or uint16 for
    bfloat16 bits; `name` is the argument's name in messages.
    """

    values: np.ndarray
    name: str

    @property
    def n_samples(self) -> int:
        return int(self.values.shape[0])

    @property
    def n_features(self) -> int:
        return int(self.values.shape[1])

    @property
    def array(self) -> np.ndarray:
        """`values` as `as_samples` takes them back: bfloat16 bits as two-byte voids, since counts are uint16 too."""
        return self.values.view("V2") if self.values.dtype == np.uint16 else self.values

    @property
    def dtype_name(self) -> str:
        return "bfloat16" if self.values.dtype == np.uint16 else self.values.dtype.name


def as_samples(values: Any, name: str, *, uint16_is_bfloat16: bool = False) -> Samples:
    """Check shape and dtype of one input matrix; raises InputTypeError or InputValueError, never copies native floats.

    Integers are refused rather than cast: counts and codes are rarely embeddings. bfloat16 comes as an
    ``ml_dtypes.bfloat16`` array, as the two-byte void that ``np.load`` makes of one, or, where `uint16_is_bfloat16`, as
    its bits.
    """
    array = _as_array(values, name)
    dtype = array.dtype
    if dtype.name == "bfloat16" or dtype == np.dtype("V2"):
        array = array.view(np.uint16)
    elif dtype == np.uint16 and uint16_is_bfloat16:
        if array.size and array.max() < _LEAST_PLAUSIBLE_BITS:
            raise InputTypeError(
                f"{name} is uint16, which is read as bfloat16 bits, but its values end at {array.max()}: as bfloat16 all would "
                f'be below 1e-19. If they are counts, cast with {name}.astype("float32"); else pass {name}.view("V2").'
            )
    elif dtype.kind == "f" and dtype.itemsize <= 8:
        if not dtype.isnative:
            array = array.astype(dtype.newbyteorder("="))
    else:
        raise InputTypeError(_wrong_dtype(dtype, name))
    if array.ndim != 2:
        remedy = f" For a single feature, pass {name}[:, None]." if array.ndim == 1 else ""
        raise InputValueError(f"{name} must have shape (n_samples, n_features); got {array.shape}.{remedy}")
    if array.shape[0] == 0 or array.shape[1] == 0:
        raise InputValueError(f"{name} is empty: its shape is {array.shape}; at least one row and column are needed.")
    return Samples(array, name)


def require_finite(samples: Samples, n_threads: int) -> None:
    """Raise InputValueError naming the first NaN or infinite value and how many there are."""
    count, row, column = _core.cpu.find_non_finite(samples.values, n_threads=n_threads)
    if count:
        value = to_float64(samples.values[row, column])
        raise InputValueError(
            f"{samples.name} must be finite; got {value} at row {row}, column {column} "
            f"({count} such value{'s' if count > 1 else ''} in all). Drop or impute those rows in both views."
        )


def require_same_rows(*samples: Samples) -> None:
    """Raise InputValueError unless all have the same number of rows."""
    counts = {s.n_samples for s in samples}
    if len(counts) > 1:
        names = " and ".join([", ".join(s.name for s in samples[:-1]), samples[-1].name])
        shapes = ", ".join(str(s.values.shape) for s in samples)
        raise InputValueError(
            f"{names} must have the same number of rows, row i of each being the same sample; got shapes {shapes}."
        )


def _as_array(values: Any, name: str) -> np.ndarray:
    if isinstance(values, np.ma.MaskedArray):
        raise InputTypeError(
            f"{name} is a masked array; its mask would be ignored. Drop or fill the masked rows first."
        )
    if values is None:
        raise InputTypeError(f"{name} is needed: an array of shape (n_samples, n_features); got None.")
    if hasattr(values, "tocsr") and hasattr(values, "nnz"):
        raise InputTypeError(f"{name} is a sparse matrix; pass {name}.toarray(), or reduce it first (truncated SVD).")
    if hasattr(values, "__cuda_array_interface__"):
        raise InputTypeError(f"{name} lives on a GPU; copy it to host memory first ({name}.cpu() or {name}.get()).")
    if isinstance(values, np.ndarray):
        return np.asarray(values)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            return np.asarray(values)
    except Exception as error:  # whatever a foreign object's __array__ raises
        raise InputTypeError(
            f"{name} must be an array of shape (n_samples, n_features); got {type(values).__name__}, which NumPy cannot "
            f"read ({error})."
        ) from error


def _wrong_dtype(dtype: np.dtype[Any], name: str) -> str:
    rule = f"{name} must be float16, bfloat16, float32 or float64; got {dtype}."
    if dtype == np.uint16:
        return f'{rule} For counts, cast with {name}.astype("float32"); for bfloat16 bits, pass {name}.view("V2").'
    if dtype.kind in "iub":
        return f'{rule} Cast with {name}.astype("float32") if these numbers are measurements.'
    if dtype.kind == "f":
        return f'{rule} Cast with {name}.astype("float64").'
    if dtype.kind == "c":
        return f"{rule} Pass real and imaginary parts as separate columns."
    if dtype.kind in "OUST":
        return f'{rule} Convert with np.asarray({name}, dtype="float64") if every entry is a number.'
    return f"{rule} Embeddings are floating-point numbers."
