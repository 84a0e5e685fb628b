"""Products of moments below float64: how far they may be off, and what they must not depend on."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from crossphase import CrossMoments, InputValueError, _core, cross_moments

U32, U16 = 2.0**-24, 2.0**-9  # half the spacing of float32 and bfloat16 at 1
SUM_ROWS = 2 * 256  # products that are summed in float32 at most, pairs of matrix units included
REDUCED = ("f32", "bf16x6", "bf16x3", "bf16")
# Bounds on an entry of the scatter in units of sqrt(s_ii s_jj), by Cauchy-Schwarz from bounds on each product: a value
# rounded to float32 errs by u, two of them by 2 u; k products of b pieces summed in float32 by at most k b u more. Two
# bfloat16 pieces leave 2^-18 of a value and drop the product of the second ones, 2^-18; one piece leaves 2^-9.
BOUNDS = {
    "f32": (SUM_ROWS + 2) * U32,
    "bf16x6": (6 * SUM_ROWS + 2) * U32 + 5 * U16**3,
    "bf16x3": (3 * SUM_ROWS + 2) * U32 + 3 * U16**2,
    "bf16": 5
    * (SUM_ROWS * U32 + 2 * U16 + U16**2),  # products about 0 if the mean is below 2 deviations: 5 times as large
}
# What Gaussian rows come to, n = 20 000: random roundings add up as their root, sqrt(256 n) u / n = 7e-9 a standard
# deviation in float32; the largest of 2000 entries is 4 of those. bf16x3 drops 2^-18 / sqrt(3) / sqrt(3) of each product.
TYPICAL = {"f32": 1e-7, "bf16x6": 1e-7, "bf16x3": 3e-7, "bf16": 2e-4}


def joint(moments: CrossMoments) -> np.ndarray:
    return np.block([[moments.cov_xx, moments.cov_xy], [moments.cov_xy.T, moments.cov_yy]])


def relative_errors(X: np.ndarray, Y: np.ndarray, precision: str) -> np.ndarray:
    exact = joint(cross_moments(X, Y, precision="f64", backend="reference"))
    scale = np.sqrt(np.diag(exact))
    return np.abs(joint(cross_moments(X, Y, precision=precision)) - exact) / scale / scale[:, None]


def correlated(rng: np.random.Generator, n: int, dtype: str = "float32") -> tuple[np.ndarray, np.ndarray]:
    """Columns of scales from 0.1 to 10, means of some standard deviations, correlations near 1 among them."""
    X = rng.standard_normal((n, 35)) * 10.0 ** rng.uniform(-1, 1, 35) + 3 * rng.standard_normal(35)
    Y = np.hstack([X[:, :5] * 1.0001, X[:, 5:20] + rng.standard_normal((n, 15))])
    return X.astype(dtype), Y.astype(dtype)


@pytest.mark.parametrize("precision", REDUCED)
@pytest.mark.parametrize("n", [2, 33, 1000, 5000])
def test_errors_stay_within_the_bound(rng: np.random.Generator, precision: str, n: int) -> None:
    errors = relative_errors(*correlated(rng, n), precision)
    assert errors.max() <= BOUNDS[precision]
    assert np.diag(errors).max() <= (n + 4) * 2.0**-52  # the diagonal is summed in float64


@pytest.mark.parametrize("precision", REDUCED)
def test_errors_of_many_rows_are_far_smaller(rng: np.random.Generator, precision: str) -> None:
    X, Y = (rng.standard_normal((20_000, width), dtype=np.float32) for width in (40, 30))
    assert relative_errors(X, Y, precision).max() <= TYPICAL[precision]


@pytest.mark.parametrize("precision", REDUCED)
@pytest.mark.parametrize("scale", [1e-30, 1e-12, 1e12, 1e30])
def test_units_cost_no_digits(rng: np.random.Generator, precision: str, scale: float) -> None:
    """Squares of such values are beyond float32."""
    X, Y = correlated(rng, 3000)
    assert relative_errors(X * np.float32(scale), Y, precision).max() <= BOUNDS[precision]


@pytest.mark.parametrize("precision", REDUCED)
def test_means_cost_no_digits_of_what_the_type_holds(rng: np.random.Generator, precision: str) -> None:
    """1e4 standard deviations: float32 itself keeps 1e-3 of each value's deviation, all of which is used."""
    X, Y = (rng.standard_normal((4000, 20)).astype(np.float32) + np.float32(1e4) for _ in range(2))
    assert relative_errors(X, Y, precision).max() <= BOUNDS[precision]


@pytest.mark.parametrize("precision", REDUCED)
@pytest.mark.parametrize("row", [0, 700])
@pytest.mark.parametrize("size", [3e4, 1e6])
def test_a_row_that_outweighs_the_others_costs_no_digits(
    rng: np.random.Generator, precision: str, row: int, size: float
) -> None:
    """Its products have no others to average their errors with, nor do those of the rows that drown in its sums."""
    X, Y = (rng.standard_normal((3000, width), dtype=np.float32) for width in (40, 35))
    X[row], Y[row] = size * rng.uniform(1, 2, 40), size * rng.uniform(1, 2, 35)
    # The errors of blocks without it count for little beside its squares.
    assert relative_errors(X, Y, precision).max() <= BOUNDS[precision] * 3000 / size**2 + 3000 * 2.0**-52
    Y[row] = 1  # outweighs those of one view only: its errors are those of one product with ordinary values
    assert relative_errors(X, Y, precision).max() <= BOUNDS[precision]


def test_bfloat16_samples_lose_nothing_to_bfloat16_products(rng: np.random.Generator) -> None:
    """Around 0 and around a mean far from it they are multiplied as they are: only the float32 sums round."""
    X, Y = ((rng.standard_normal((5000, 30)) + mean).astype(ml_dtypes.bfloat16) for mean in (0.0, 20.0))
    exact = joint(cross_moments(X, Y, precision="f64", backend="reference"))
    scale = np.sqrt(np.diag(exact))
    errors = np.abs(joint(cross_moments(X, Y, precision="bf16")) - exact) / scale / scale[:, None]
    # Uncentred columns have means of at most 2 deviations: their products are at most 5 times as large.
    assert errors.max() <= 5 * BOUNDS["f32"]


@pytest.mark.parametrize("precision", REDUCED)
def test_constant_and_repeated_columns(rng: np.random.Generator, precision: str) -> None:
    X, Y = correlated(rng, 3000)
    X[:, 0] = 0.1
    X[:, 1] = X[:, 2]
    cov = joint(cross_moments(X, Y, precision=precision))
    assert (cov[0] == 0).all()
    assert np.array_equal(cov[1, 3:], cov[2, 3:])
    assert cov[1, 1] == cov[2, 2]
    assert abs(cov[1, 2] - cov[1, 1]) <= BOUNDS[precision] * cov[1, 1]


def test_automatic_precision_goes_by_the_samples(rng: np.random.Generator) -> None:
    X, Y = correlated(rng, 50)
    reduced = "bf16x3" if _core.cpu.has_matrix_units() else "f32"
    of_bfloat16 = "bf16" if _core.cpu.has_fast_bf16() else reduced
    labels = np.ones((50, 1))
    for left, right, expected in [
        (X, Y, reduced),
        (X.astype(np.float16), Y, reduced),
        (X.astype(np.float64), Y, "f64"),
        (X, Y.astype(np.float64), "f64"),
        (X.astype(ml_dtypes.bfloat16), Y, reduced),
        (X.astype(ml_dtypes.bfloat16), Y.astype(ml_dtypes.bfloat16), of_bfloat16),
    ]:
        assert cross_moments(left, right, labels).precision == expected
    assert CrossMoments(2, 1).precision == "auto"


def test_states_of_different_precision_do_not_merge(rng: np.random.Generator) -> None:
    X, Y = correlated(rng, 50)
    ours = cross_moments(X, Y, precision="f32")
    before = joint(ours).tobytes()
    theirs = CrossMoments(35, 20, first_row=50, precision="f64").update(X, Y)
    with pytest.raises(InputValueError, match=r"precision='f32', the other with 'f64'\. Give all shards the same"):
        ours.merge(theirs)
    assert joint(ours).tobytes() == before
    assert ours.merge(CrossMoments(35, 20)).n_samples == 50  # one without rows has no precision yet
    assert joint(CrossMoments(35, 20).merge(ours)).tobytes() == before


def test_an_unknown_precision_is_named() -> None:
    with pytest.raises(
        InputValueError, match="precision must be one of auto, f64, f32, bf16x6, bf16x3, bf16; got 'f16'"
    ):
        CrossMoments(2, 1, precision="f16")


ON_EVERY_PATH = """
import json, numpy as np, crossphase
from crossphase import _core
rng = np.random.default_rng(5)
X, Y = (rng.standard_normal((3000, width), dtype=np.float32) + 1 for width in (45, 20))
exact = crossphase.cross_moments(X, Y, precision="f64", backend="reference").cov_xy
found = {p: crossphase.cross_moments(X, Y, precision=p).cov_xy for p in ("f32", "bf16x6", "bf16x3", "bf16")}
print(json.dumps([_core.cpu.instruction_set(), {p: float(np.abs(cov - exact).max()) for p, cov in found.items()}]))
"""


@pytest.mark.parametrize("name", _core.cpu.available_instruction_sets())
def test_every_instruction_set_stays_within_the_bounds(run_python, name: str) -> None:
    process = run_python(ON_EVERY_PATH, CROSSPHASE_ISA=name)
    assert process.returncode == 0, process.stderr
    used, worst = json.loads(process.stdout)
    assert used == name
    for precision, error in worst.items():
        assert error <= min(BOUNDS[precision], 4 * TYPICAL[precision]), precision  # n is 7 times smaller


def test_instructions_of_matrix_units_as_they_are_compiled(tmp_path: Path) -> None:
    """What the compiler makes of them, its tile configuration above all, runs under emulation: few machines have the units."""
    root = Path(__file__).resolve().parents[1]
    compiler = shutil.which(os.environ.get("CXX", "c++"))
    if platform.machine() != "x86_64" or platform.system() != "Linux" or compiler is None:
        pytest.skip("needs a C++ compiler for x86-64 Linux")
    if "avx512" not in _core.cpu.available_instruction_sets():
        pytest.skip("needs AVX-512 beside the emulated units")
    include = ["-std=c++20", "-O3", f"-I{root}/csrc/include", f"-I{root}/csrc/cpu"]
    units = [
        "-mavx512f",
        "-mavx512vl",
        "-mamx-tile",
        "-mamx-bf16",
        "-ffp-contract=fast",
        "-Wno-psabi",
    ]  # CMakeLists.txt
    if subprocess.run([compiler, *units, "-E", "-x", "c++", os.devnull], capture_output=True, check=False).returncode:
        pytest.skip("needs a compiler that knows the units")
    for source, flags in [("csrc/cpu/isa/block_kernels_amx.cpp", units), ("tests/native/emulated_amx.cpp", [])]:
        target = tmp_path / f"{Path(source).stem}.o"
        subprocess.run([compiler, *include, *flags, "-c", root / source, "-o", target], check=True)
    subprocess.run([compiler, *tmp_path.glob("*.o"), "-o", tmp_path / "emulated"], check=True)
    done = subprocess.run([tmp_path / "emulated"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    errors = [float(line.rpartition(":")[2]) for line in done.stdout.splitlines()]
    assert errors == [0.0] * 12  # integers that no sum of theirs rounds
