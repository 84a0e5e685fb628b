"""Input matrices at the door: what is let in as it is, and a sentence for everything else."""

from __future__ import annotations

import re
from typing import Any

import ml_dtypes
import numpy as np
import pytest
import scipy.sparse

import problems
from crossphase import InputTypeError, InputValueError
from crossphase.samples import as_samples, require_finite, require_same_rows


class OnGpu:
    __cuda_array_interface__ = None


class Unreadable:
    def __array__(self, dtype: object = None, copy: object = None) -> np.ndarray:
        raise RuntimeError("call .detach() first")


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
def test_native_floats_are_not_copied(dtype: str) -> None:
    values = np.ones((4, 6), dtype)[::2, ::-1]
    samples = as_samples(values, "X")
    assert np.shares_memory(samples.values, values)
    assert (samples.n_samples, samples.n_features, samples.dtype_name, samples.name) == (2, 6, dtype, "X")


@pytest.mark.parametrize("dtype", ["bfloat16", "bfloat16 void"])
def test_bfloat16_is_taken_as_its_bits(dtype: str) -> None:
    values = problems.CASTS[dtype](np.ones((2, 3)))
    samples = as_samples(values, "X")
    assert (samples.dtype_name, samples.values.dtype) == ("bfloat16", np.uint16)
    assert np.shares_memory(samples.values, values)
    assert (samples.values == 0x3F80).all()


def test_uint16_is_bfloat16_only_where_asked_for() -> None:
    bits = np.full((2, 2), 0x3F80, np.uint16)
    assert as_samples(bits, "X", uint16_is_bfloat16=True).dtype_name == "bfloat16"
    with pytest.raises(InputTypeError, match=r'got uint16.*X\.astype\("float32"\).*X\.view\("V2"\)'):
        as_samples(bits, "X")


@pytest.mark.parametrize("dtype", [">f8", ">f4", ">f2"])
def test_foreign_byte_order_keeps_the_values(dtype: str) -> None:
    values = np.arange(6.0).reshape(2, 3).astype(dtype)
    samples = as_samples(values, "X")
    assert samples.values.dtype.isnative
    assert np.array_equal(samples.values, values)


def test_lists_and_frames_are_read() -> None:
    pd = pytest.importorskip("pandas")
    assert as_samples([[1.0, 2.0]], "X").values.tolist() == [[1.0, 2.0]]
    assert as_samples(pd.DataFrame({"a": [1.0, 2.0], "b": [3.0, 4.0]}), "X").values.tolist() == [[1.0, 3.0], [2.0, 4.0]]


MUST_BE_FLOAT = r"X must be float16, bfloat16, float32 or float64; got {}\."


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((2, 2), int), MUST_BE_FLOAT.format("int64") + r'.*X\.astype\("float32"\) if these .*measurements'),
        (np.ones((2, 2), bool), MUST_BE_FLOAT.format("bool") + ".*Cast"),
        ([[1, 2], [3, 4]], MUST_BE_FLOAT.format("int64")),
        (np.ones((2, 2), np.longdouble), r'must be float16.*got float128\. Cast with X\.astype\("float64"\)'),
        (
            np.ones((2, 2), complex),
            MUST_BE_FLOAT.format("complex128") + ".*real and imaginary parts as separate columns",
        ),
        (np.array([["a"]]), r"got <U1\. Convert with np\.asarray"),
        (np.array([[None]]), r"got object\. Convert with np\.asarray"),
        (None, r"needed: an array of shape \(n_samples, n_features\); got None\."),
        (np.array([["2020"]], "M8[Y]"), r"got datetime64\[Y\]\. Embeddings are floating-point numbers"),
        (np.zeros((2, 2), "V3"), r"got \|V3\. Embeddings are floating-point"),
        (np.zeros((2, 2), ml_dtypes.float8_e4m3fn), "got float8_e4m3fn"),
        (np.ma.masked_array(np.ones((2, 2)), np.eye(2)), "X is a masked array; its mask .*Drop or fill"),
        (scipy.sparse.csr_matrix(np.eye(3)), r"X is a sparse matrix; pass X\.toarray\(\)"),
        (OnGpu(), r"X lives on a GPU; copy it to host memory first \(X\.cpu\(\) or X\.get\(\)\)"),
        ([[1.0, 2.0], [3.0]], r"X must be an array of shape \(n_samples, n_features\); got list.*cannot read"),
        (Unreadable(), r"got Unreadable, which NumPy cannot read \(call \.detach\(\) first\)"),
    ],
)
def test_wrong_types_are_explained(values: Any, message: str) -> None:
    with pytest.raises(InputTypeError, match=message):
        as_samples(values, "X")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            np.ones(3),
            r"Y must have shape \(n_samples, n_features\); got \(3,\)\. For a single feature, pass Y\[:, None\]",
        ),
        (np.float64(1.0), r"Y must have shape .*got \(\)"),
        (np.ones((2, 2, 2)), r"Y must have shape .*got \(2, 2, 2\)\.$"),
        (np.ones((0, 3)), r"Y is empty: its shape is \(0, 3\); at least one row and column"),
        (np.ones((3, 0)), r"Y is empty: its shape is \(3, 0\)"),
    ],
)
def test_wrong_shapes_are_explained(values: Any, message: str) -> None:
    with pytest.raises(InputValueError, match=message):
        as_samples(values, "Y")


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_the_first_non_finite_value_is_named(dtype: str, value: float, n_threads: int) -> None:
    values = np.ones((5000, 3))
    values[2050, 2] = values[4100, 0] = value
    samples = as_samples(problems.CASTS[dtype](values), "X")
    message = f"X must be finite; got {value} at row 2050, column 2 (2 such values in all). Drop or impute those rows"
    with pytest.raises(InputValueError, match=re.escape(message)):
        require_finite(samples, n_threads)


def test_one_non_finite_value_in_any_place_and_layout() -> None:
    for row, column in ((0, 0), (1023, 1), (1024, 0), (1999, 2)):
        values = np.zeros((2000, 3))
        values[row, column] = np.nan
        for same in (values, np.asfortranarray(values), values[::-1, ::-1][::-1, ::-1]):
            with pytest.raises(InputValueError, match=rf"row {row}, column {column} \(1 such value in all\)"):
                require_finite(as_samples(same, "X"), 2)


@pytest.mark.parametrize("dtype", sorted(problems.CASTS))
def test_the_largest_and_smallest_numbers_are_finite(dtype: str) -> None:
    name = dtype.split(maxsplit=1)[0]
    limits = ml_dtypes.finfo(name)
    extremes = np.array([[limits.max, limits.min, limits.smallest_subnormal, -0.0]], dtype=np.float64)
    samples = as_samples(problems.CASTS[dtype](extremes), "X", uint16_is_bfloat16=True)
    require_finite(samples, 1)
    assert np.array_equal(problems.exact_float64(samples.values), extremes)


def test_different_numbers_of_rows_are_named() -> None:
    x, y, labels = (as_samples(np.ones((n, 2)), name) for n, name in ((3, "X"), (3, "Y"), (4, "labels")))
    require_same_rows(x, y)
    message = r"X, Y and labels must have the same number of rows.*got shapes \(3, 2\), \(3, 2\), \(4, 2\)"
    with pytest.raises(InputValueError, match=message):
        require_same_rows(x, y, labels)
