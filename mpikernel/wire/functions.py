"""How functions of the user's program travel, and what their global names mean where they arrive.

A function of the script (of `__main__`) goes by value: its code, closure, defaults, and the globals that it names. On an
engine those captured globals lie *under* the engine's namespace: a name is looked up first in what was pushed, scattered
or executed there, then in what the function captured, then in the builtins. Assigning to a global writes the engine's
namespace. Everywhere else such a function gets a private namespace of its own. What can be imported goes by name.
"""

from __future__ import annotations

import builtins
import dis
import pickle
import sys
from collections.abc import Callable
from functools import lru_cache
from types import CellType, CodeType, FunctionType
from typing import Any

import cloudpickle

from mpikernel.errors import SerializeError

HERE = __name__
#: Under this key an engine's namespace keeps what the functions it received have captured.
UNDERLAY = "__builtins__"

GLOBAL_OPS = frozenset({"LOAD_GLOBAL", "LOAD_NAME", "STORE_GLOBAL", "DELETE_GLOBAL"})


class Reference:
    """A name in the engine's namespace, for use as an argument: the engine puts its own value in its place.

    `view.apply(f, Reference("x"))` calls f with each engine's x; dotted names and indexing by expression work too.
    """

    def __init__(self, name: str) -> None:
        if not isinstance(name, str) or not name.strip():
            raise TypeError(f"a Reference needs the name of something on the engine, not {name!r}")
        self.name = name

    def __repr__(self) -> str:
        return f"Reference({self.name!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return look_up, (self.name,)


def look_up(name: str) -> Any:
    """Stands in a pickle for a Reference; only an engine, which has a namespace, can answer it."""
    return Reference(name)


class KeptThere:
    """Stands for the value of an executed expression that cannot be pickled: it stayed on the engine, as `_`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"<on the engine, as _: {self.text}>"


class ByValuePickler(cloudpickle.Pickler):  # type: ignore[misc]  # cloudpickle has no types
    """cloudpickle, but the script's functions carry what they need to be rebuilt on top of a namespace."""

    def __init__(self, file: Any, buffer_callback: Callable[[pickle.PickleBuffer], object]) -> None:
        super().__init__(file, protocol=5, buffer_callback=buffer_callback)
        self._bases: dict[int, dict[str, Any]] = {}

    def reducer_override(self, obj: Any) -> Any:
        if type(obj) is FunctionType and obj.__globals__.get("__name__") == "__main__":
            return self._reduce_function(obj)
        return super().reducer_override(obj)

    def _reduce_function(self, function: FunctionType) -> tuple[Any, ...]:
        base = self._bases.setdefault(id(function.__globals__), {"__name__": "__main__"})
        cells = function.__closure__ or ()
        state = {
            "captured": capture(function),
            "cells": [_contents(cell) for cell in cells],
            "dict": function.__dict__,
            "own": {name: getattr(function, name) for name in _OWN},
        }
        return make_function, (base, function.__code__, function.__name__, len(cells)), state, None, None, fill_function


_OWN = ("__defaults__", "__kwdefaults__", "__qualname__", "__module__", "__doc__", "__annotations__")


def capture(function: FunctionType) -> dict[str, Any]:
    """The globals that a function, or code nested in it, names: from its namespace, else from what it captured itself."""
    space, under = function.__globals__, function.__builtins__  # type: ignore[attr-defined]  # typeshed lacks it
    names = global_names(function.__code__)
    found = {name: under[name] for name in names if name in under and under[name] is not vars(builtins).get(name, under)}
    return found | {name: space[name] for name in names if name in space and not name.startswith("__")}


@lru_cache(maxsize=1024)
def global_names(code: CodeType) -> frozenset[str]:
    """Names that code, or code nested in it, looks up among the globals."""
    own = {step.argval for step in dis.get_instructions(code) if step.opname in GLOBAL_OPS}
    return frozenset(own).union(*(global_names(inner) for inner in code.co_consts if isinstance(inner, CodeType)))


def make_function(base: dict[str, Any], code: CodeType, name: str, cells: int) -> FunctionType:
    """The empty function; `fill_function` does the rest, so that a function may refer to itself."""
    base.setdefault(UNDERLAY, vars(builtins))
    return FunctionType(code, base, name, None, tuple(CellType() for _ in range(cells)) or None)


def fill_function(function: FunctionType, state: dict[str, Any]) -> None:
    """Second half of rebuilding a function: everything that may refer back to it."""
    for cell, contents in zip(function.__closure__ or (), state["cells"], strict=True):
        if contents:
            cell.cell_contents = contents[0]
    function.__dict__.update(state["dict"])
    for name, value in state["own"].items():
        setattr(function, name, value)
    establish(function.__globals__, state["captured"])


def establish(space: dict[str, Any], captured: dict[str, Any]) -> None:
    """Lay captured globals under an engine's namespace, or into a private one."""
    under = space[UNDERLAY]
    (space if under is vars(builtins) else under).update(captured)


def new_namespace(name: str = "__main__") -> dict[str, Any]:
    """A namespace as an engine has it, with room underneath for what functions capture."""
    return {"__name__": name, "__doc__": None, UNDERLAY: dict(vars(builtins))}


class HomeUnpickler(pickle.Unpickler):
    """Rebuilds objects at home in an engine's namespace: functions work on it, references are looked up in it."""

    def __init__(self, file: Any, buffers: Any, home: dict[str, Any]) -> None:
        super().__init__(file, buffers=buffers)
        self._home = home
        self.captured: dict[str, Any] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == HERE and name in ("make_function", "fill_function", "look_up"):
            return getattr(self, "_" + name)
        if module == "__main__" and name in self._home:
            return self._home[name]
        return super().find_class(module, name)

    def _make_function(self, _base: dict[str, Any], code: CodeType, name: str, cells: int) -> FunctionType:
        return make_function(self._home, code, name, cells)

    def _fill_function(self, function: FunctionType, state: dict[str, Any]) -> None:
        fill_function(function, state)
        self.captured.update(state["captured"])

    def _look_up(self, name: str) -> Any:
        try:
            return eval(name, self._home)
        except Exception as error:
            raise NameError(f"Reference({name!r}) cannot be resolved on this engine: {type(error).__name__}: {error}") from None


def _contents(cell: CellType) -> tuple[Any, ...]:
    """What a cell holds, as a tuple of one; a cell that is still empty holds nothing."""
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def explain(error: BaseException, what: str) -> SerializeError:
    """An error that names the thing which could not be pickled or rebuilt."""
    return SerializeError(f"{what}: {type(error).__name__}: {error}")


def script_module() -> dict[str, Any]:
    """The namespace of this process's `__main__`."""
    return vars(sys.modules["__main__"])
