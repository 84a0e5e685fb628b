"""The one place that knows which backends exist and chooses among them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from crossphase import _core, reference
from crossphase.errors import BackendUnavailableError, InputValueError


@dataclass(frozen=True, slots=True)
class Implementation:
    """One way to run an operation."""

    backend: str  # "cpu" or "reference"
    run: Callable[..., Any]
    why_not: Callable[..., list[str]]  # reasons it cannot run these arrays; empty means it can


def _needs_host_memory(*arrays: Any) -> list[str]:
    return [
        f"argument {i} lives on a GPU" for i, array in enumerate(arrays) if hasattr(array, "__cuda_array_interface__")
    ]


def _on_host(cpu: Callable[..., Any], in_numpy: Callable[..., Any]) -> tuple[Implementation, ...]:
    return (
        Implementation("cpu", cpu, _needs_host_memory),
        Implementation("reference", in_numpy, _needs_host_memory),
    )


_REGISTRY: dict[str, tuple[Implementation, ...]] = {  # preferred first
    "component_r2": _on_host(_core.cpu.component_r2, reference.component_r2),
    "leading_eigenvectors": _on_host(_core.cpu.leading_eigenvectors, reference.leading_eigenvectors),
    "moments": _on_host(_core.cpu.CrossMoments, reference.CrossMoments),
    "projection": _on_host(_core.cpu.project, reference.project),
    "whitening": _on_host(_core.cpu.whitening_matrix, reference.whitening_matrix),
}
BACKENDS = ("cpu", "reference")


def _require_instruction_set() -> None:
    try:
        _core.cpu.instruction_set()
    except (
        ValueError
    ) as error:  # the environment asks for one that cannot run here; quietly using another would mislead
        raise InputValueError(str(error)) from None


def select(operation: str, *arrays: Any, backend: str | None = None) -> Implementation:
    """The first implementation of `operation` without objections to `arrays`; a named backend runs or raises."""
    if backend is not None and backend not in BACKENDS:
        raise InputValueError(f"backend must be one of {', '.join(BACKENDS)} or None; got {backend!r}.")
    refusals = []
    for candidate in _REGISTRY[operation]:
        if backend in (None, candidate.backend):
            reasons = candidate.why_not(*arrays)
            if not reasons:
                if candidate.backend == "cpu":
                    _require_instruction_set()
                return candidate
            refusals.append(f"{candidate.backend}: {', '.join(reasons)}")
    raise BackendUnavailableError(f"no backend can run {operation!r} ({'; '.join(refusals)})")
