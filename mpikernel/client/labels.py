"""What calls are called: in errors, in logs and in the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mpikernel.errors import UsageError
from mpikernel.wire.failure import sendable


def label_of(function: Callable[..., Any]) -> str:
    """What calls of a function are called: its name.

    Raises:
        UsageError: it cannot be called.
    """
    if not callable(function):
        raise UsageError(f"{function!r} cannot be called on engines: the first argument is a function")
    name = getattr(function, "__qualname__", None) or getattr(getattr(function, "func", None), "__qualname__", None)
    if not isinstance(name, str):
        return type(function).__name__
    return name if name.isascii() else sendable(name)
