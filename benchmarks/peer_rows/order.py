"""What it costs that the moments' bytes do not depend on threads: against the same kernel whose threads take any block."""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from peer_rows.measure import N_THREADS, PeerMissingError, PeerRow

_ROOT = Path(__file__).parents[2]


def fixed_order(quick: bool) -> Iterator[PeerRow]:
    """At most 10 %: builds and runs `native/order_cost.cpp`, a process of its own, seven rounds of either in turn."""
    if shutil.which("cmake") is None:
        raise PeerMissingError("not measured: no cmake to build native/order_cost.cpp with")
    n, width = (8192, 256) if quick else (131_072, 1024)
    with tempfile.TemporaryDirectory() as folder:
        options = ["-DCMAKE_BUILD_TYPE=Release", "-DCROSSPHASE_BENCHMARKS=ON"]
        for step in (["-S", str(_ROOT), "-B", folder, *options], ["--build", folder, "--target", "order_cost", "-j2"]):
            subprocess.run(["cmake", *step], check=True, capture_output=True)
        program = next(path for path in Path(folder).rglob("order_cost") if path.is_file())
        arguments = [str(size) for size in (n, width, N_THREADS)]
        lines = subprocess.run([str(program), *arguments], check=True, capture_output=True, text=True).stdout
    for line in lines.splitlines():
        found = json.loads(line)
        yield PeerRow(
            "order",
            f"float32, n = {n}, {width} columns, {found['precision']} products",
            "the same kernel without a fixed order",
            found["ordered_s"],
            found["unordered_s"],
            found["unordered_s"] / found["ordered_s"],
            found["mean_gap"],
            floor=1 / 1.1,
            note="a process of its own; ratio of minima",
        )
