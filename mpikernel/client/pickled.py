"""Functions that were pickled before: calling one again and again need not pickle it again and again.

A function of the script goes by value, with the globals it names, so it is the same pickle only while its code, defaults,
closure and those globals are the same objects, and are of kinds that cannot change. Where that cannot be told it is pickled anew.
"""

from __future__ import annotations

import builtins
import types
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

from mpikernel.client.labels import label_of
from mpikernel.wire.by_value import builtins_of, capture, global_names
from mpikernel.wire.payload import Frame, Frames, dump

#: Values of just these types are what they are; a module is pickled by its name.
CONSTANT = (int, float, complex, str, bytes, bool, type(None), types.ModuleType)
#: Functions that are remembered.
CAPACITY = 256


class Simple(NamedTuple):
    """A function that is its code and a few constants: whether it still is what it was is quickly seen."""

    code: types.CodeType
    name: str  # its own
    label: str  # what its calls are called by that
    names: tuple[str, ...]  # globals
    values: tuple[Any, ...]  # what they are

    def still(self, function: Any) -> bool:
        """Whether a function that was this is this still."""
        if function.__code__ is not self.code or function.__qualname__ is not self.name:
            return False
        if function.__defaults__ or function.__kwdefaults__ or function.__dict__:
            return False
        if not self.names:
            return True
        space = function.__globals__
        return all(space.get(name, _NOTHING) is value for name, value in zip(self.names, self.values, strict=True))


_NOTHING = object()


class Pickled(NamedTuple):
    """A function as it travels. `made_of` holds the objects that the pickle was made of, so that their ids stay theirs."""

    frames: Frames
    digest: bytes
    made_of: tuple[Any, ...] = ()
    simple: Simple | None = None


class PickledFunctions:
    """One client's memory of them."""

    def __init__(self) -> None:
        self._known: OrderedDict[int, Pickled] = OrderedDict()  # by id; `made_of` keeps the function alive

    def unchanged(self, function: Callable[..., Any]) -> Pickled | None:
        """A function's frames, if it was pickled before and is so simple that it is quickly seen to be what it was then."""
        known = self._known.get(id(function))
        return known if known is not None and known.simple is not None and known.simple.still(function) else None

    def get(self, function: Callable[..., Any], label: str) -> Pickled:
        """A function's frames, pickled now or before.

        Raises:
            SerializeError: it cannot be pickled; names it.
        """
        unchanged = self.unchanged(function)
        if unchanged is not None:
            return unchanged
        known = self._known.get(id(function))
        parts = tuple(_parts(function))
        if known is not None and parts and _same(parts, known.made_of):
            self._known.move_to_end(id(function))
            return known
        frames = dump(function, f"the function {label}")
        pickled = Pickled(frames, digest(frames), parts, _simple(function) if parts else None)
        if parts:
            self._known[id(function)] = pickled
            if len(self._known) > CAPACITY:
                self._known.popitem(last=False)
        return pickled


def digest(frames: Sequence[Frame]) -> bytes:
    """A name for frames by their content."""
    state = blake2b(digest_size=16)
    for frame in frames:
        state.update(frame)
    return state.digest()


def _same(parts: tuple[Any, ...], others: tuple[Any, ...]) -> bool:
    return len(parts) == len(others) and all(part is other for part, other in zip(parts, others, strict=True))


def _parts(function: Any) -> Iterator[Any]:
    """The objects a function's pickle is made of, in a fixed order; nothing if any of them might change."""
    found: list[Any] = []
    yield from found if _collect(function, found, set()) else ()


def _simple(function: Any) -> Simple | None:
    """A function as `Simple`, if it is so simple."""
    if type(function) is not types.FunctionType or function.__closure__ or builtins_of(function) is not vars(builtins):
        return None
    by_value = function.__globals__.get("__name__") == "__main__"
    names = tuple(global_names(function.__code__)) if by_value else ()
    name = function.__qualname__
    simple = Simple(function.__code__, name, label_of(function), names, tuple(function.__globals__.get(name, _NOTHING) for name in names))
    constant = all(value is _NOTHING or type(value) in CONSTANT for value in simple.values)
    return simple if constant and simple.still(function) else None


def _collect(value: Any, found: list[Any], seen: set[int]) -> bool:
    """Add a value and what it is made of; False if it may change without becoming another object."""
    found.append(value)  # each time: where a value stands counts, not only that it is there
    if id(value) in seen:
        return True
    seen.add(id(value))
    if type(value) is types.BuiltinFunctionType:
        return isinstance(value.__self__, types.ModuleType)  # else a method of something that may change
    if type(value) in CONSTANT:
        return True
    if type(value) is tuple:
        return all(_collect(item, found, seen) for item in value)
    if type(value) is not types.FunctionType:
        return False
    if value.__dict__ or value.__kwdefaults__:
        return False
    found.append(value.__code__)
    cells = [_contents(cell) for cell in value.__closure__ or ()]
    inner = [*(value.__defaults__ or ()), *cells]
    if value.__globals__.get("__name__") == "__main__":
        captured = capture(value)
        found += captured  # the names: a value may go from one to another
        inner += captured.values()
    elif "<" in value.__qualname__:
        return False  # a lambda or local function of a module: it goes by value too, with globals of that module
    return all(_collect(item, found, seen) for item in inner)


def _contents(cell: types.CellType) -> Any:
    """What a cell holds, or what stands for an empty one."""
    try:
        return cell.cell_contents
    except ValueError:
        return None
