"""What a map runs on an engine: importable there, so that only the user's function travels."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any


class Starred:
    """A function that takes its arguments as one tuple. It keeps the function's name, for errors and the ledger."""

    def __init__(self, function: Callable[..., Any], name: str) -> None:
        self._function = function
        self.__qualname__ = name

    def __call__(self, arguments: Iterable[Any]) -> Any:
        return self._function(*arguments)


def apply_to_items(function: Callable[..., Any], *columns: Iterable[Any]) -> list[Any]:
    """The function's values for the items of equally long sequences."""
    return list(map(function, *columns))
