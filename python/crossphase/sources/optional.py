"""Packages that only some formats need."""

from __future__ import annotations

import importlib
from typing import Any


def load(module: str, what: str) -> Any:
    """A module of an optional package, or how to install it."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise ImportError(
            f'{what} needs {package}: pip install "crossphase[formats]" (or {package} itself).'
        ) from error
