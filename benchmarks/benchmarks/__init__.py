"""Benchmarks for asv, one file per kernel family; `bench_whitening.Whiten.time_whiten` and so on.

Peers, where a family has them: ``cpu`` (crossphase's kernels), ``reference`` (crossphase's plain NumPy backend),
``numpy`` (the best a user would write), ``numba`` (the same loops, compiled; skipped where numba is not installed).
``peakmem_`` includes what `setup` holds and the imported libraries: compare peers, not absolute figures.

One thread each unless the environment says otherwise: two thread pools on one machine mostly measure each other,
OpenBLAS above all, whose threads spin while they wait.
"""

import os
import sys
from pathlib import Path

for _variable in ("CROSSPHASE_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")
try:
    # asv has imported NumPy by now, and its OpenBLAS read the environment then.
    from threadpoolctl import threadpool_limits
except ImportError:
    pass
else:
    threadpool_limits(int(os.environ["OPENBLAS_NUM_THREADS"]), user_api="blas")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # published.py
