"""What the installed package promises: names, types, weight."""

import importlib
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crossphase
from crossphase import _core

ALLOWLIST = str(Path(__file__).parent / "stubtest_allowlist.txt")
HEAVY = ("torch", "cupy", "numba", "pandas", "polars", "sklearn", "matplotlib", "typer", "rich", "scipy.linalg")


def in_fresh_interpreter(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True).stdout


def test_import_is_light_and_quick():
    names = in_fresh_interpreter("import sys, crossphase; crossphase.diagnose; print(*sys.modules)").split()
    assert not set(HEAVY) & set(names)
    times = [
        float(
            in_fresh_interpreter(
                "import time; t = time.perf_counter(); import crossphase; print(time.perf_counter() - t)"
            )
        )
        for _ in range(3)
    ]
    assert min(times) <= 0.3


def test_diagnose_imports_nothing_heavy_but_lapack():
    code = "import sys, numpy as np, crossphase; rng = np.random.default_rng(0); X = rng.normal(size=(50, 3))"
    code += "; crossphase.diagnose(X, X + rng.normal(size=(50, 3)), X[:, 0]); print(*sys.modules)"
    assert not (set(HEAVY) - {"scipy.linalg"}) & set(in_fresh_interpreter(code).split())


def test_every_public_name_exists():
    for name in crossphase.__all__:
        assert getattr(crossphase, name) is not None
    assert dir(crossphase) == sorted(crossphase.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = crossphase.nothing


def test_one_version():
    assert crossphase.__version__ == importlib.metadata.version("crossphase") == _core.__version__
    root = Path(__file__).parents[1]
    assert f'version = "{crossphase.__version__}"' in (root / "pyproject.toml").read_text()
    assert f"version: {crossphase.__version__}" in (root / "CITATION.cff").read_text()
    assert f"## {crossphase.__version__}" in (root / "CHANGELOG.md").read_text()


def test_dependencies_are_few():
    required = [r for r in importlib.metadata.requires("crossphase") if "extra ==" not in r]
    assert sorted(r.split(">=")[0] for r in required) == ["numpy", "scikit-learn", "scipy", "threadpoolctl"]


def test_types_are_shipped():
    package = Path(crossphase.__file__).parent
    stubs = ("py.typed", "_core/__init__.pyi", "_core/cpu.pyi")
    data = ("diagnosis/schema.json", "demo_data/LICENSE.txt", "phase_diagram/page.html", "phase_diagram/page.js")
    for name in (*stubs, *data):
        assert (package / name).is_file(), name


def test_stubs_match_the_extension():
    pytest.importorskip("mypy")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "mypy.stubtest",
            "crossphase._core",
            "--allowlist",
            ALLOWLIST,
            "--ignore-disjoint-bases",
        ],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_extension_links_no_runtime_of_its_own():
    done = subprocess.run(["ldd", _core.__file__], capture_output=True, text=True, check=True)
    for library in ("libgomp", "libiomp", "libtorch", "libcudart", "openblas", "libmkl"):
        assert library not in done.stdout


@pytest.mark.parametrize("name", ["diagnosis.run", "cross_alignment", "spiked.model"])
def test_docstring_examples(name):
    import doctest

    outcome = doctest.testmod(importlib.import_module(f"crossphase.{name}"))
    assert outcome.attempted > 0
    assert outcome.failed == 0


def test_python_of_the_readme_runs(tmp_path, monkeypatch):
    from crossphase.demo_data import load_demo

    monkeypatch.chdir(tmp_path)
    for name, array in zip(("images", "captions", "classes"), load_demo(), strict=True):
        np.save(f"{name}.npy", array)
    blocks = re.findall(r"```python\n(.*?)```", (Path(__file__).parents[1] / "README.md").read_text(), re.DOTALL)
    assert len(blocks) >= 3
    for block in blocks:
        exec(compile(block, "README.md", "exec"), {})
