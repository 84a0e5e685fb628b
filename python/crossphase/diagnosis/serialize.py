"""A diagnosis as plain objects and JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from crossphase.signals import Signal

if TYPE_CHECKING:
    from crossphase.diagnosis.result import Diagnosis

SCHEMA_VERSION = 1  # of schema.json beside this file; a field added keeps it, a field changed or removed raises it


def to_dict(diagnosis: Diagnosis) -> dict[str, Any]:
    fields = {f.name: plain(getattr(diagnosis, f.name)) for f in dataclasses.fields(diagnosis)}
    return {"schema_version": SCHEMA_VERSION, **fields}


def to_json(diagnosis: Diagnosis, *, indent: int | None) -> str:
    return json.dumps(to_dict(diagnosis), indent=indent, ensure_ascii=False, allow_nan=False)


def plain(value: Any) -> Any:
    """A result in what JSON can hold; infinities become strings, NaN becomes None."""
    if isinstance(value, Signal):
        return {**_fields(value), "n_signal": value.n_signal}
    if dataclasses.is_dataclass(value):
        return _fields(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, np.generic):
        return plain(value.item())
    if isinstance(value, float):
        if math.isnan(value):
            return None
        return value if math.isfinite(value) else ("Infinity" if value > 0 else "-Infinity")
    if isinstance(value, str):
        return str(value)
    return value


def _fields(value: Any) -> dict[str, Any]:
    return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
