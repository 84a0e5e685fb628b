"""In which arithmetic the products of the moments are formed."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

import numpy as np

from crossphase import _core


class Precision(StrEnum):
    """What sums of products are formed in; means and variances are always float64. docs/performance.md compares them."""

    AUTO = "auto"  # by the samples' type: `resolve_precision`
    F64 = "f64"  # float64
    F32 = "f32"  # products in float32, summed in float64
    BF16X6 = "bf16x6"  # values cut into three bfloat16 pieces: all digits of a float32
    BF16X3 = "bf16x3"  # two pieces: 16 bits; fast on matrix units
    BF16 = "bf16"  # one piece: 8 bits, exact for bfloat16 samples


def resolve_precision(dtypes: Iterable[np.dtype]) -> Precision:
    """The fastest arithmetic on this processor that loses nothing worth keeping of samples of these types.

    float64 if any is float64. bfloat16 (given as uint16) only: ``bf16``, exact for them, where the processor has such
    products. Else ``bf16x3`` on matrix units, which is within 1e-7 of float32, and ``f32`` on others.
    """
    kinds = set(dtypes)
    if np.dtype(np.float64) in kinds:
        return Precision.F64
    if kinds == {np.dtype(np.uint16)} and _core.cpu.has_fast_bf16():
        return Precision.BF16
    return Precision.BF16X3 if _core.cpu.has_matrix_units() else Precision.F32
