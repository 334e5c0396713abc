"""Flags of views that are checked before they are set, as attributes. Knows nothing of what they do."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any, Generic, TypeVar, overload

from mpikernel.errors import UsageError
from mpikernel.wire.failure import sendable

T = TypeVar("T")

#: More than anybody means.
MOST_RETRIES = 1_000_000
MOST_PRIORITY = 1_000_000_000


class Flag(Generic[T]):
    """An attribute with a default. `check(name, value)` gives the value that is kept, or raises UsageError."""

    def __init__(self, default: T, check: Callable[[str, Any], T]) -> None:
        self._default = default
        self._check = check
        self._name = ""

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, view: None, owner: type) -> Flag[T]: ...

    @overload
    def __get__(self, view: object, owner: type) -> T: ...

    def __get__(self, view: object, owner: type) -> Flag[T] | T:
        if view is None:
            return self
        value: T = vars(view).get(self._name, self._default)
        return value

    def __set__(self, view: object, value: T) -> None:
        vars(view)[self._name] = self._check(self._name, value)


def retries(name: str, value: Any) -> int:
    if not is_integer(value) or not 0 <= value <= MOST_RETRIES:
        raise UsageError(f"{name}={value!r} is not a number of retries: it is an integer from 0 to {MOST_RETRIES}")
    return int(value)


def priority(name: str, value: Any) -> int:
    if not is_integer(value) or abs(value) > MOST_PRIORITY:
        raise UsageError(f"{name}={value!r} is not a priority: it is an integer, at most {MOST_PRIORITY}; what has a higher one goes first")
    return int(value)


def seconds_or_none(name: str, value: Any) -> float | None:
    if value is None:
        return None
    if isinstance(value, bool) or not hasattr(value, "__float__") or not float(value) > 0 or not isfinite(value):
        raise UsageError(f"{name}={value!r} is not a limit of time: it is a number of seconds, more than 0, or None for none")
    return float(value)


def text_or_none(name: str, value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value.strip()):
        raise UsageError(f"{name}={value!r} is no name: it is a text, or None for the function's own")
    return None if value is None else sendable(value)


def function_or_none(name: str, value: Any) -> Callable[..., Any] | None:
    if value is not None and not callable(value):
        raise UsageError(f"{name}={value!r} cannot be called: it is a function that takes what the tasks are called with, or None")
    function: Callable[..., Any] | None = value
    return function


def yes_or_no(name: str, value: Any) -> bool:
    if not isinstance(value, bool) and not _is_numpys_bool(value):
        raise UsageError(f"{name}={value!r} is neither True nor False")
    return bool(value)


def _is_numpys_bool(value: Any) -> bool:
    return getattr(getattr(value, "dtype", None), "kind", "") == "b" and value.shape == ()


def is_integer(value: Any) -> bool:
    """Whether a value is an int, or what numpy has for one; a bool is none, nor is an array of integers."""
    if type(value) is int:
        return True
    try:
        value.__index__()
    except (AttributeError, TypeError):
        return False
    return not isinstance(value, bool)
