"""Pickles what plain pickle cannot name: functions and classes of the script, by value (rebuilding: functions.py).

A module of its own because cloudpickle takes 20 ms to import, which an engine that only receives need not spend to start.
"""

from __future__ import annotations

import builtins
import dis
import pickle
from collections.abc import Callable
from functools import lru_cache
from operator import attrgetter
from types import CellType, CodeType, FunctionType
from typing import Any
from weakref import WeakSet

import cloudpickle

from mpikernel.wire.functions import fill_cached, fill_function, make_cached, make_function
from mpikernel.wire.reducing import reducers

CACHED = type(lru_cache(abs))  # what functools.lru_cache makes, which pickle knows only by name
#: The builtins that a function was made with; not every version of the type stubs knows the attribute.
builtins_of = attrgetter("__builtins__")

#: Names that each module has of its own; what else has underscores is the user's.
MODULE_OWN = frozenset({"__name__", "__doc__", "__builtins__", "__loader__", "__spec__", "__package__"})

GLOBAL_OPS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS", "STORE_GLOBAL", "DELETE_GLOBAL"})


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """cloudpickle, but the script's functions carry what they need to be rebuilt on top of a namespace."""

    def __init__(self, file: Any, buffer_callback: Callable[[pickle.PickleBuffer], object]) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self._bases: dict[int, dict[str, Any]] = {}
        self._reducers = reducers()

    def reducer_override(self, obj: Any) -> Any:
        if _is_of_script(obj):
            return make_function, *self._taken_apart(obj), None, None, fill_function
        wrapped: Any = obj.__wrapped__ if type(obj) is CACHED else None
        if _is_of_script(wrapped):
            made_of, state = self._taken_apart(wrapped)
            return make_cached, (*made_of, obj.cache_parameters()), state, None, None, fill_cached
        reduced = super().reducer_override(obj)
        if reduced is NotImplemented and type(obj) in self._reducers:
            return self._reducers[type(obj)](obj)
        if isinstance(obj, type) and isinstance(reduced, tuple) and len(reduced) == REDUCED_CLASS:
            if obj not in _received:
                _own.add(obj)
            return *reduced[:2], (reduced[5], reduced[2]), None, None, fill_class
        return reduced

    def _taken_apart(self, function: FunctionType) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """What an empty function is made of, and what fills it."""
        base = self._bases.setdefault(id(function.__globals__), {"__name__": "__main__"})
        cells = function.__closure__ or ()
        state = {
            "captured": capture(function),
            "cells": [_contents(cell) for cell in cells],
            "dict": function.__dict__,
            "own": {name: getattr(function, name) for name in _OWN},
        }
        return (base, function.__code__, function.__name__, len(cells)), state


#: Length of what cloudpickle makes of a class that goes by value: the last is what fills it, the third with what.
REDUCED_CLASS = 6
#: Classes of this process that went out by value, and classes that came in so. One that comes back is not to be filled again.
_own: WeakSet[type] = WeakSet()
_received: WeakSet[type] = WeakSet()


def fill_class(made: type, how: tuple[Any, Any]) -> None:
    """Second half of rebuilding a class. One that this process made itself stays as it is: its methods work on the script's globals."""
    fill, state = how
    if made not in _own:
        _received.add(made)
        fill(made, state)


def _is_of_script(obj: Any) -> bool:
    return type(obj) is FunctionType and obj.__globals__.get("__name__") == "__main__"


_OWN = ("__defaults__", "__kwdefaults__", "__qualname__", "__module__", "__doc__", "__annotations__")


def capture(function: FunctionType) -> dict[str, Any]:
    """The globals that a function, or code nested in it, names: from its namespace, else from what it captured itself."""
    space, under = function.__globals__, builtins_of(function)
    names = global_names(function.__code__)
    found = {name: under[name] for name in names if name in under and under[name] is not vars(builtins).get(name, under)}
    return found | {name: space[name] for name in names if name in space and name not in MODULE_OWN}


@lru_cache(maxsize=1024)
def global_names(code: CodeType) -> frozenset[str]:
    """Names that code, or code nested in it, looks up among the globals."""
    own = {step.argval for step in dis.get_instructions(code) if step.opname in GLOBAL_OPS}
    return frozenset(own).union(*(global_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def _contents(cell: CellType) -> tuple[Any, ...]:
    """What a cell holds, as a tuple of one; a cell that is still empty holds nothing."""
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()
