"""``crossphase doctor``: what this installation can do."""

from __future__ import annotations

import importlib.metadata
import json
import os
import platform
import shutil
import subprocess
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from crossphase import _core
from crossphase._threads import ENVIRONMENT_VARIABLE, resolve_n_threads
from crossphase.errors import InputValueError

# What each optional package is for, by the extra that brings it.
_OPTIONAL = {
    "typer": "cli: the command line",
    "rich": "cli: the command line",
    "matplotlib": "report: pictures",
    "pyarrow": "formats: parquet, Arrow and feather files",
    "h5py": "formats: HDF5 and .h5ad files",
    "zarr": "formats: zarr stores",
    "dask": "dask: one pass over dask arrays and workers",
    "torch": "torch: one pass over the ranks of a process group",
    "pandas": "labels from data frames",
    "polars": "labels from data frames",
    "ml_dtypes": "bfloat16 arrays",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    topic: str
    value: str
    note: str = ""


def examine() -> list[Finding]:
    """Look, change nothing."""
    signature = _core.cpu.lapack_signature()
    found = [
        Finding("crossphase", _core.__version__),
        Finding("python", platform.python_version(), platform.platform()),
        *(
            Finding(name, _version(name) or "missing", "required")
            for name in ("numpy", "scipy", "scikit-learn", "threadpoolctl")
        ),
        _instruction_set(),
        _threads(),
        Finding("LAPACK", "from SciPy", f"{64 if '64' in signature or 'long' in signature else 32}-bit integers"),
        _gpu(),
    ]
    found += [Finding(name, _version(name) or "not installed", why) for name, why in _OPTIONAL.items()]
    return found


def show(findings: list[Finding]) -> None:
    table = Table(box=None, show_header=False, pad_edge=False)
    for finding in findings:
        table.add_row(finding.topic, finding.value, finding.note)
    Console(highlight=False).print(table)


def to_json(findings: list[Finding]) -> str:
    return json.dumps([asdict(finding) for finding in findings], indent=2)


def _version(distribution: str) -> str | None:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _instruction_set() -> Finding:
    available = ", ".join(_core.cpu.available_instruction_sets())
    try:
        return Finding("instruction set", _core.cpu.instruction_set(), f"this processor can run {available}")
    except ValueError as error:
        return Finding("instruction set", "none", str(error))


def _threads() -> Finding:
    note = f"{os.cpu_count()} cores; {ENVIRONMENT_VARIABLE}={os.environ.get(ENVIRONMENT_VARIABLE, '')}"
    try:
        return Finding("threads", str(resolve_n_threads(None)), note)
    except InputValueError as error:
        return Finding("threads", "none", str(error))


def _gpu() -> Finding:
    query = shutil.which("nvidia-smi")
    if query is None:
        return Finding("GPU", "none found", "not needed: this version computes on the CPU")
    try:
        done = subprocess.run(
            [query, "--query-gpu=name", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding("GPU", "unknown", f"nvidia-smi did not answer ({error})")
    names = ", ".join(done.stdout.split("\n")).strip(", ")
    return Finding("GPU", names or "none found", "not used: this version computes on the CPU")
