"""In which arithmetic the products of the moments are formed."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import Any

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


# Variance, columns scaled to unit variance, below which a direction counts as null, by the precision of the sums. What errors
# leave in a null direction must not be whitened into a correlation. Entries of a covariance err by up to e, relative to
# sqrt(c_ii c_jj); a symmetric matrix of such errors has a spectral norm of about 2 e sqrt(D), 128 e at D = 4096 columns:
#   f64     e = 1e-16    norm 1e-14    a direction kept at 1e-10 feigns at most 1e-16 / 1e-10 even if both views' are null
#   f32     e = 1.2e-8   norm 1.5e-6; bf16x6 sums in float32 as well
#   bf16x3  e = 1.3e-7   norm 1.7e-5
#   bf16    e = 6e-5, but these are no free errors: the sums are those of rows rounded to 8 bits, a matrix with eigenvalues of its
#           own. Rounding adds noise of variance 2^-18 / 3 = 1.3e-6 to a column, on the diagonal up to 1.1e-4 where that is
#           replaced by exact squares; it is unrelated to the other view's, and shrinks a correlation along a direction of
#           variance v by 1.3e-6 / v.
# Each e is the largest of some million entries, four times a typical one, and the cutoffs stand 5 to 50 norms above zero.
NULL_VARIANCE = {"f64": 1e-10, "f32": 1e-5, "bf16x6": 1e-5, "bf16x3": 1e-4, "bf16": 1e-3}


def precision_of(moments: Any) -> str:
    """In which precision covariances were summed; those that do not say are taken for float64."""
    precision = getattr(moments, "precision", None)
    return precision if isinstance(precision, str) and precision in NULL_VARIANCE else "f64"


def null_variance_of(moments: Any) -> float:
    """Variance of a direction, columns scaled to unit variance, below which it counts as null."""
    return NULL_VARIANCE[precision_of(moments)]
