"""What crossphase raises and warns with: a sentence that names the argument, the rule, the value and the way out."""

from __future__ import annotations


class InputValueError(ValueError):
    """An argument has the right type and an impossible value."""


class InputTypeError(TypeError):
    """An argument has a type, or an array a dtype, that cannot be used."""


class OutputError(OSError):
    """A file could not be written; what was there before is unchanged. The message says where and why."""


class BackendUnavailableError(RuntimeError):
    """No backend, or not the one asked for, can run these inputs; the message holds each one's reasons."""


class InputWarning(UserWarning):
    """The input was used, but not quite as it came, or its result needs care. The result holds the same sentence."""
