"""Files larger than memory: target 1f, one pass over two `.npy` files against reading their bytes."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from peer_rows.measure import PeerRow, check_answer, compare, peak_extra_memory, row
from peer_rows.moments import covariance_error, exact_covariance

_WIDTH = 32  # features a side: so few that reading, not multiplying, is what takes time
_BUFFER = 1 << 23


def memory_mapped_stream(quick: bool) -> Iterator[PeerRow]:
    """1f: moments from two files on disk, out of the page cache before every round."""
    from crossphase.summarize import summarize_pair

    n = 100_000 if quick else 8_000_000
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("x.npy", "y.npy")]
        for seed, path in enumerate(paths):
            _write_rows(path, n, seed)

        def read() -> None:
            buffer = bytearray(_BUFFER)
            for path in paths:
                with path.open("rb", buffering=0) as file:
                    while file.readinto(buffer):
                        pass

        def forget() -> None:
            for path in paths:
                with path.open("rb") as file:
                    os.fsync(file.fileno())
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

        forget()
        with peak_extra_memory() as extra:
            state = summarize_pair(*paths)
        moments = state.moments
        cov = np.block([[moments.cov_xx, moments.cov_xy], [moments.cov_xy.T, moments.cov_yy]])
        exact = exact_covariance(np.hstack([np.load(path, mmap_mode="r") for path in paths]))
        error = check_answer(covariance_error(cov, exact), 3e-7, "1f")
        read()
        found = compare(lambda: summarize_pair(*paths), read, rounds=3 if quick else 7, before=forget)
        allowed = 8 * (2 * _WIDTH) ** 2 + 64e6
        size = sum(path.stat().st_size for path in paths)
        note = (
            f"{size / found.our_seconds / 1e9:.2f} GB/s of {size / found.peer_seconds / 1e9:.2f}; "
            f"{extra[0] / 1e6:.0f} MB of memory, {allowed / 1e6:.0f} allowed"
        )
    yield row(
        "1f",
        f"float32 files, n = {n}, {_WIDTH} + {_WIDTH}",
        "reading the bytes",
        found,
        error,
        floor=0.9,
        goal=0.95,
        note=note,
    )


def _write_rows(path: Path, n: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = np.lib.format.open_memmap(path, mode="w+", dtype=np.float32, shape=(n, _WIDTH))
    for start in range(0, n, 100_000):
        rows[start : start + 100_000] = rng.standard_normal(rows[start : start + 100_000].shape, dtype=np.float32)
    rows.flush()
