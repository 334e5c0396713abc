"""Decorated functions: calling them here calls them on the engines of a view."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mpikernel.client.direct import DirectView


class RemoteFunction:
    """Made by `@view.remote`: calls the function on every engine of the view."""

    def __init__(self, view: DirectView, function: Callable[..., Any], block: bool | None) -> None:
        functools.update_wrapper(self, function)
        self._view = view
        self._function = function
        self._block = block  # the view's flag if None

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._view._blocked(self._view.apply_async(self._function, *args, **kwargs), self._block)


class ParallelFunction:
    """Made by `@view.parallel`: calls the function once on each engine, with that engine's parts of the sequences."""

    def __init__(self, view: DirectView, function: Callable[..., Any], dist: str, block: bool | None) -> None:
        functools.update_wrapper(self, function)
        self._view = view
        self._function = function
        self._dist = dist
        self._block = block  # the view's flag if None

    def __call__(self, *sequences: Any) -> Any:
        return self._view._blocked(self._view.apply_parts(self._function, sequences, self._dist), self._block)

    def map(self, *sequences: Iterable[Any]) -> Any:
        """Call the function for each item."""
        return self._view.map(self._function, *sequences, block=self._block)


def decorator(make: Callable[[Callable[..., Any]], Any], function: Callable[..., Any] | None) -> Any:
    """Serve both `@view.remote` and `@view.remote(block=True)`."""
    return make if function is None else make(function)
