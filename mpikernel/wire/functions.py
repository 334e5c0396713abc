"""How functions of the user's program are rebuilt, and what their global names mean where they arrive (pickling: by_value.py).

A function of the script (of `__main__`) goes by value: its code, closure, defaults, and the globals that it names. On an
engine those captured globals lie *under* the engine's namespace: a name is looked up first in what was pushed, scattered
or executed there, then in what the function captured, then in the builtins. Assigning to a global writes the engine's
namespace. Everywhere else such a function gets a private namespace of its own. What can be imported goes by name.
"""

from __future__ import annotations

import builtins
import pickle
from collections.abc import Sequence
from functools import lru_cache, update_wrapper
from types import CellType, CodeType, FunctionType
from typing import Any

from mpikernel.errors import MissingNameError, SerializeError
from mpikernel.wire.envelope import Frame
from mpikernel.wire.pieces import PiecesFile, take_out

HERE = __name__
#: Under this key an engine's namespace keeps what the functions it received have captured.
UNDERLAY = "__builtins__"


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


def open_payload(*frames: Frame) -> Any:
    """Stands in a pickle for a payload that was made before: what is in it, rebuilt."""
    return unpickler(frames, None).load()


class KeptThere:
    """Stands for the value of an executed expression that cannot be pickled: it stayed on the engine, as `_`."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __repr__(self) -> str:
        return f"<on the engine, as _: {self.text}>"


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


def make_cached(base: dict[str, Any], code: CodeType, name: str, cells: int, parameters: dict[str, Any]) -> Any:
    """As `make_function`, for what functools.lru_cache decorates; its cache begins empty."""
    return lru_cache(**parameters)(make_function(base, code, name, cells))


def fill_cached(cached: Any, state: dict[str, Any]) -> None:
    """Second half of `make_cached`."""
    fill_function(cached.__wrapped__, state)
    update_wrapper(cached, cached.__wrapped__)


def establish(space: dict[str, Any], captured: dict[str, Any]) -> None:
    """Lay captured globals under an engine's namespace, or into a private one."""
    under = space[UNDERLAY]
    (space if under is vars(builtins) else under).update(captured)


def new_namespace(name: str = "__main__") -> dict[str, Any]:
    """A namespace as an engine has it, with room underneath for what functions capture."""
    return {"__name__": name, "__doc__": None, UNDERLAY: dict(vars(builtins))}


#: What an engine does in its own way, with its namespace: methods of the same names.
AT_HOME = frozenset({"make_function", "fill_function", "make_cached", "fill_cached", "look_up", "open_payload"})


class HomeUnpickler(pickle.Unpickler):
    """Rebuilds objects at home in an engine's namespace: functions work on it, references are looked up in it."""

    def __init__(self, file: Any, buffers: Any, home: dict[str, Any]) -> None:
        super().__init__(file, buffers=buffers)
        self._home = home
        self.captured: dict[str, Any] = {}

    def load(self) -> Any:
        """The object. What it was made of is let go of at once: the memo refers to it, and, by the methods below, to this unpickler."""
        try:
            return super().load()
        finally:
            self.memo.clear()

    def find_class(self, module: str, name: str) -> Any:
        if module == HERE and name in AT_HOME:
            return getattr(self, "_" + name)
        if module == "__main__" and name in self._home:
            return self._home[name]
        return super().find_class(module, name)

    def _make_function(self, _base: dict[str, Any], code: CodeType, name: str, cells: int) -> FunctionType:
        return make_function(self._home, code, name, cells)

    def _fill_function(self, function: FunctionType, state: dict[str, Any]) -> None:
        fill_function(function, state)
        self.captured.update(state["captured"])

    def _make_cached(self, _base: dict[str, Any], code: CodeType, name: str, cells: int, parameters: dict[str, Any]) -> Any:
        return make_cached(self._home, code, name, cells, parameters)

    def _fill_cached(self, cached: Any, state: dict[str, Any]) -> None:
        fill_cached(cached, state)
        self.captured.update(state["captured"])

    def _open_payload(self, *frames: Frame) -> Any:
        inner = unpickler(frames, self._home)
        value = inner.load()
        if isinstance(inner, HomeUnpickler):
            self.captured.update(inner.captured)
        return value

    def _look_up(self, name: str) -> Any:
        try:
            return eval(name, self._home)
        except Exception as error:
            raise MissingNameError(f"Reference({name!r}) cannot be resolved on this engine: {type(error).__name__}: {error}") from None


def unpickler(frames: Sequence[Frame], home: dict[str, Any] | None) -> pickle.Unpickler:
    """What rebuilds the object of a payload, at home in a namespace if it is given one and it matters."""
    stream = take_out(frames)
    file = PiecesFile(stream.pieces)
    if home is not None and stream.at_home:
        return HomeUnpickler(file, stream.buffers, home)
    return pickle.Unpickler(file, buffers=stream.buffers)


def explain(error: BaseException, what: str) -> SerializeError:
    """An error that names the thing which could not be pickled or rebuilt."""
    try:
        text = str(error)
    except Exception:  # the user's exception
        text = "(its text cannot be had)"
    if isinstance(error, MemoryError) and not text:
        text = "not enough memory on this rank"
    return SerializeError(f"{what}: {type(error).__name__}: {text}")
