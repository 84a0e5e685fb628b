"""The numba peer, loaded only where it is asked for: importing numba costs more than most benchmarks."""


def load_kernels():
    """The module numba_kernels; without numba, what makes asv skip."""
    try:
        from . import numba_kernels
    except ImportError as error:
        raise NotImplementedError("numba is not installed") from error
    return numba_kernels
