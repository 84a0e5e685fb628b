"""A pass over a pair of files killed again and again against one that is left alone: the same bytes, and what it costs.

    python benchmarks/interrupted_pass.py                                  (1 GB, 20 kills)
    python benchmarks/interrupted_pass.py --gigabytes 10 --kills 50        (minutes)

The files are sparse: every thousandth row is random, the rest is a hole, so they take little disk and are read at the
speed of memory. ``crossphase moments`` runs as a process of its own and is sent SIGKILL at random times. Exit status 1
if the bytes differ.
"""

from __future__ import annotations

import argparse
import hashlib
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from crossphase import PairState


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=1.0, help="of both files together")
    parser.add_argument("--n-features", type=int, default=256, help="of each view, float32")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--checkpoint-every", type=float, default=0.2, metavar="SECONDS")
    parser.add_argument("--folder", type=Path, help="where the files go; default: a temporary folder")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        return compare(Path(folder), arguments)


def compare(folder: Path, arguments: argparse.Namespace) -> int:
    n_samples = int(arguments.gigabytes * 1e9 / (2 * arguments.n_features * 4))
    for seed, name in enumerate(("x.npy", "y.npy")):
        values = np.lib.format.open_memmap(folder / name, "w+", np.float32, (n_samples, arguments.n_features))
        rows = values[::1000]
        rows[:] = np.random.default_rng(seed).standard_normal(rows.shape)
        values.flush()
    start = time.perf_counter()
    begin(folder, "whole.safetensors", arguments.checkpoint_every).wait()
    alone = time.perf_counter() - start

    chance = random.Random(0)
    n_kills = 0
    start = time.perf_counter()
    while True:
        process = begin(folder, "state.safetensors", arguments.checkpoint_every)
        # Long enough to start and to get on by as much as all kills together leave time for.
        patience = chance.uniform(0.5, 0.5 + 2 * alone / arguments.kills) if n_kills < arguments.kills else None
        try:
            process.wait(patience)
            break
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            n_kills += 1
    lost = time.perf_counter() - start - alone

    digests = {name: digest(folder / f"{name}.safetensors") for name in ("whole", "state")}
    state = PairState.load(folder / "state.safetensors")
    print(f"{state.n_samples} rows of {arguments.n_features} + {arguments.n_features} float32 features")
    print(f"left alone: {alone:.1f} s; killed {n_kills} times: {lost:.1f} s more, starts of the command included")
    print(f"left behind: {sorted(path.name for path in folder.iterdir())}")
    same = digests["whole"] == digests["state"]
    print("the same bytes" if same else f"DIFFERENT: {digests}")
    return 0 if same else 1


def begin(folder: Path, output: str, checkpoint_every: float) -> subprocess.Popen[bytes]:
    command = [
        "-m",
        "crossphase",
        "moments",
        "x.npy",
        "y.npy",
        "-o",
        output,
        "--checkpoint-every",
        str(checkpoint_every),
    ]
    return subprocess.Popen([sys.executable, *command], cwd=folder, stdout=subprocess.DEVNULL)


def digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


if __name__ == "__main__":
    sys.exit(main())
