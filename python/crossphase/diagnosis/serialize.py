"""A diagnosis as plain objects and JSON."""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from crossphase.pairing import DuplicateRows
from crossphase.signals import Signal
from crossphase.subspace import OperatorAnalysis
from crossphase.subspace.label_space import LabelSpace

if TYPE_CHECKING:
    from crossphase.diagnosis.result import Diagnosis

SCHEMA_VERSION = 2  # of schema.json beside this file; a field added keeps it, a field changed or removed raises it

_LEFT_OUT: dict[type, tuple[str, ...]] = {  # what no reader of a document wants
    OperatorAnalysis: ("log_delta_draws",),
    LabelSpace: ("directions",),  # in whitened labels; label_directions are in the labels as encoded
    DuplicateRows: ("groups",),  # a number a row
}


def to_dict(diagnosis: Diagnosis) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, **_fields(diagnosis)}


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
    left_out = _LEFT_OUT.get(type(value), ())
    return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value) if f.name not in left_out}
