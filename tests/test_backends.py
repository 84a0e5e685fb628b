"""The dispatch seam: which backend runs, what each offers, and the instruction sets behind the compiled one."""

from __future__ import annotations

import copy
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from crossphase import BackendUnavailableError, InputValueError, _core, reference
from crossphase._backends import _REGISTRY, BACKENDS, select

KINDS, METHODS = _core.cpu.WhiteningKind, _core.cpu.WhiteningMethod
CALLS = {  # operation: keyword arguments that every implementation takes
    "component_r2": {
        "scores": np.arange(12.0).reshape(6, 2) ** 2,
        "scores_per_component": 1,
        "labels": np.arange(6.0)[:, None],
        "folds": np.arange(6) % 2,
        "n_folds": 2,
        "permutations": np.arange(6)[None],
        "alpha": 1.0,
        "precision": _core.cpu.Precision.f64,
        "n_threads": 1,
    },
    "leading_eigenvectors": {"matrix": np.diag([4.0, 1.0, 9.0, 2.0]), "k": 2},
    "moments": {"n_columns": 3, "first_row": 0, "precision": _core.cpu.Precision.f64},
    "projection": {
        "samples": np.eye(3),
        "mean": np.ones(3),
        "weights": np.eye(3)[:, :2],
        "scores": np.empty((3, 2)),
        "n_threads": 1,
    },
    "whitening": {
        "covs": np.diag([4.0, 1.0])[None],
        "kind": KINDS.zca,
        "method": METHODS.eigh,
        "ridge": 0.0,
        "rcond": 0.0,
        "n_threads": 1,
    },
}


class OnGpu:
    __cuda_array_interface__ = None


@pytest.mark.parametrize("operation", sorted(_REGISTRY))
def test_every_backend_offers_every_operation_in_order_of_preference(operation: str) -> None:
    assert tuple(implementation.backend for implementation in _REGISTRY[operation]) == BACKENDS
    assert select(operation).backend == BACKENDS[0]
    for backend in BACKENDS:
        assert select(operation, np.ones(3), backend=backend).backend == backend


def test_the_calls_below_cover_the_registry() -> None:
    assert CALLS.keys() == _REGISTRY.keys()


@pytest.mark.parametrize("operation", ["component_r2", "leading_eigenvectors", "projection", "whitening"])
def test_backends_take_the_same_arguments_and_agree(operation: str) -> None:
    results = []
    for backend in BACKENDS:
        arguments = copy.deepcopy(CALLS[operation])
        result = select(operation, backend=backend).run(**arguments)
        if result is None:  # it filled an argument
            result = arguments["scores"]
        results.append(result if isinstance(result, tuple) else (result,))
    first, *others = results
    for other in others:
        for left, right in zip(first, other, strict=True):
            assert np.shape(left) == np.shape(right)
            assert np.abs(left - right).max() <= 1e-14  # a handful of products of numbers up to 100, well conditioned


def test_states_of_backends_have_the_same_names_and_agree() -> None:
    states = [select("moments", backend=backend).run(**CALLS["moments"]) for backend in BACKENDS]
    public = {name for name in dir(reference.CrossMoments) if not name.startswith("_")}
    for state in states:
        assert {name for name in dir(state) if not name.startswith("_")} == public
        state.update([np.eye(3)[:, :2], np.arange(3.0)[:, None]], n_threads=1)
    cpu, in_numpy = (state.summarize(3) for state in states)
    assert states[0].row_ranges == states[1].row_ranges == [(0, 3)]
    assert np.abs(cpu[0] - in_numpy[0]).max() <= 1e-15
    assert np.abs(cpu[1] - in_numpy[1]).max() <= 1e-15


def test_unknown_backends_are_named() -> None:
    with pytest.raises(InputValueError, match=r"backend must be one of cpu, reference or None; got 'tpu'\."):
        select("moments", backend="tpu")


def test_a_backend_that_cannot_run_gives_its_reasons() -> None:
    with pytest.raises(BackendUnavailableError, match=r"'moments' \(cpu: argument 1 .*GPU; reference: argument 1"):
        select("moments", np.ones(2), OnGpu())
    with pytest.raises(BackendUnavailableError) as only_named:
        select("whitening", OnGpu(), backend="reference")
    assert "cpu" not in str(only_named.value)


ON_EVERY_PATH = """
import json, numpy as np, crossphase
from crossphase import _core
from crossphase._backends import select
from crossphase.projection import project
from crossphase.samples import as_samples
rng = np.random.default_rng(5)
X, Y = rng.standard_normal((2500, 19)) + 10, rng.standard_normal((2500, 18))
labels, folds = rng.standard_normal((2500, 2)), np.arange(2500) % 5
worst = {}
def compare(name, compute):
    cpu, reference = (np.asarray(compute(backend)) for backend in ("cpu", "reference"))
    worst[name] = float(np.abs(cpu - reference).max())
compare("moments", lambda b: crossphase.cross_moments(X, Y, backend=b).cov_xx)
classes = np.eye(3)[(X[:, 0] > 10).astype(int)]
compare("component_r2", lambda b: np.hstack([
    crossphase.component_r2(X, z, folds, backend=b) for z in (labels + X[:, :2], classes)]))
compare("projection", lambda b: project(as_samples(X, "X"), X.mean(0), np.eye(19), n_threads=2, backend=b))
gram = X.T @ X / 2500
compare("leading_eigenvectors", lambda b: select("leading_eigenvectors", backend=b).run(gram, 3)[1] / 100)
compare("whitening", lambda b: crossphase.whitening_matrix(np.cov(X.T), backend=b).matrix)
print(json.dumps([_core.cpu.instruction_set(), worst]))
"""


@pytest.mark.parametrize("name", _core.cpu.available_instruction_sets())
def test_every_instruction_set_agrees_with_the_reference(run_python, name: str) -> None:
    process = run_python(ON_EVERY_PATH, CROSSPHASE_ISA=name)
    assert process.returncode == 0, process.stderr
    used, worst = json.loads(process.stdout)
    assert used == name
    assert worst.keys() == CALLS.keys()
    # Sums of 2500 products of numbers of unit variance: 2500 u each way, and a mean of 10.
    assert max(worst.values()) <= 10 * 2 * 2500 * 2.0**-53


def test_the_best_instruction_set_is_the_default(run_python) -> None:
    process = run_python("from crossphase import _core; print(_core.cpu.instruction_set())", CROSSPHASE_ISA="")
    assert process.stdout.strip() == _core.cpu.available_instruction_sets()[0]


def test_an_unknown_instruction_set_is_named_with_the_known_ones(run_python) -> None:
    script = "import numpy as np, crossphase; crossphase.cross_moments(np.eye(3), np.eye(3)).cov_xx"
    process = run_python(script, CROSSPHASE_ISA="sse9")
    assert process.returncode != 0
    known = ", ".join(_core.cpu.available_instruction_sets())
    assert f"CROSSPHASE_ISA is 'sse9'; this processor can run {known}." in process.stderr


@pytest.mark.skipif(shutil.which("clang++") is None, reason="no clang++ here")
def test_clang_compiles_the_kernels() -> None:
    """It is the compiler of macOS, and lacks some of GCC's builtins."""
    cpu = Path(__file__).resolve().parents[1] / "csrc" / "cpu"
    command = ["clang++", "-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror", f"-I{cpu.parent / 'include'}"]
    for source in cpu.glob("isa/*_baseline.cpp"):
        done = subprocess.run([*command, "-Wno-psabi", source], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
