"""Memory and time of a diagnosis of files that are larger than memory should hold.

    python benchmarks/out_of_core.py                                  (20 GB of virtual files; minutes)
    python benchmarks/out_of_core.py --gigabytes 1 --width 128        (seconds)

Two sparse ``.npy`` files of float32 rows: one row in 32 is written, from two shared signals and noise, and the rest are holes
that the file system reads as zeros, so that 20 GB take less than 1 GB of disk. A child process diagnoses them by their paths;
its peak resident memory is read after the pass and at the end. Exit status 1 if it is more than 512 MB beside the state.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

TARGET_BYTES = 512 * 10**6
_STRETCH, _WRITTEN = 4096, 128  # rows; so many at the start of each stretch are written

CHILD = """
import json, re, sys, time
from pathlib import Path
import crossphase

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

options = json.loads(sys.argv[1])
at_start, began = peak(), time.perf_counter()
seen = {}

def note(step):
    if step.done_rows == step.total_rows:
        seen.update(pass_seconds=time.perf_counter() - began, pass_peak=peak())

found = crossphase.diagnose("x.npy", "y.npy", "labels.npy", checkpoint="state.safetensors", progress=note, **options)
print(json.dumps({
    **seen, "seconds": time.perf_counter() - began, "start_peak": at_start, "peak": peak(), "regime": found.regime,
    "n_samples": found.n_samples, "n_sample_rows": found.settings.n_sample_rows, "precision": found.settings.precision,
    "state_bytes": Path("state.safetensors").stat().st_size,
}))
"""


def main() -> int:
    """Make the files, diagnose them, print what it took; 1 if it took too much memory."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=20.0, help="of both files together")
    parser.add_argument("--width", type=int, default=512, help="columns of each view")
    parser.add_argument("--precision", default="auto", help="of the sums")
    parser.add_argument("--n-threads", type=int, default=None)
    parser.add_argument(
        "--folder", type=Path, default=None, help="where the files are made; default: a temporary folder"
    )
    arguments = parser.parse_args()
    n_samples = int(arguments.gigabytes * 1e9 / (2 * arguments.width * 4))
    options = {"precision": arguments.precision, "n_threads": arguments.n_threads}
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        make_files(Path(folder), n_samples, arguments.width)
        found = diagnose_apart(Path(folder), options)
    excess = found["peak"] - found["state_bytes"]
    print(f"{n_samples} rows of {arguments.width} + {arguments.width} float32, {arguments.gigabytes:g} GB")
    for name, value in found.items():
        print(f"  {name:<14}{value / 1e6:.0f} MB" if name.endswith(("peak", "bytes")) else f"  {name:<14}{value}")
    print(f"peak beside the state {excess / 1e6:.0f} MB; target at most {TARGET_BYTES / 1e6:.0f} MB")
    return int(excess > TARGET_BYTES)


def make_files(folder: Path, n_samples: int, width: int) -> None:
    """``x.npy``, ``y.npy`` with two shared signals, and ``labels.npy`` with the first of them."""
    rng = np.random.default_rng(0)
    files = [
        np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.float32, (n_samples, width)) for name in ("x", "y")
    ]
    labels = np.zeros(n_samples)
    for first in range(0, n_samples, _STRETCH):
        shared = rng.normal(size=(min(_WRITTEN, n_samples - first), 2))
        labels[first : first + len(shared)] = shared[:, 0]
        for values in files:
            rows = rng.normal(size=(len(shared), width))
            rows[:, :2] += 2 * shared
            values[first : first + len(shared)] = rows
    for values in files:
        values.flush()
    np.save(folder / "labels.npy", labels)


def diagnose_apart(folder: Path, options: dict[str, Any]) -> dict[str, Any]:
    """In a process of its own, whose memory nothing else has touched."""
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", CHILD, json.dumps(options)], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stderr)
    return {"wall_seconds": time.perf_counter() - began, **json.loads(done.stdout.splitlines()[-1])}


if __name__ == "__main__":
    sys.exit(main())
