"""The user's namespace on an engine, and what commands do in it. It is the `__main__` of the engine's process."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from types import ModuleType
from typing import Any

from mpikernel.wire.functions import UNDERLAY, new_namespace

#: How many executed sources stay readable for tracebacks.
SOURCES = 256


class Namespace:
    """`module` is handed out as `__main__`; `space` is its dict, in which everything happens."""

    def __init__(self) -> None:
        self.module = ModuleType("__main__")
        self.space: dict[str, Any] = vars(self.module)
        self._under: dict[str, Any] = {}  # what functions captured; one dict for ever, since those that came look in it
        self._sources: deque[str] = deque()  # file names in linecache that are ours
        self.clear()

    def clear(self) -> None:
        """Forget everything, also what functions captured."""
        self.space.clear()
        self.space.update(new_namespace())
        self._under.clear()
        self._under.update(self.space[UNDERLAY])
        self.space[UNDERLAY] = self._under

    def keys(self) -> list[str]:
        """The names that the user's commands have bound."""
        return [name for name in self.space if not (name.startswith("__") and name.endswith("__"))]

    def push(self, names: Sequence[str], values: Sequence[Any]) -> None:
        self.space.update(zip(names, values, strict=True))

    def pull(self, name: str) -> Any:
        """The value of a name, or of a dotted one.

        Raises:
            NameError: there is no such name.
            AttributeError: there is, but not what the dots ask for.
        """
        first, *attributes = name.split(".")
        if first in self.space:
            value = self.space[first]
        elif first in self.space[UNDERLAY]:
            value = self.space[UNDERLAY][first]
        else:
            raise NameError(f"name {first!r} is not defined on this engine")
        for attribute in attributes:
            value = getattr(value, attribute)
        return value

    def execute(self, code: str, filename: str) -> Any:
        """Run source code; the value of a last expression is returned and kept as `_`."""
        import ast  # here, as linecache below: engines start without them

        self._remember(code, filename)
        tree = ast.parse(code, filename)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, filename, "exec", dont_inherit=True), self.space)  # our own `from __future__` is not the user's
        if not isinstance(last, ast.Expr):
            return None
        value = eval(compile(ast.Expression(last.value), filename, "eval", dont_inherit=True), self.space)
        if value is not None:
            self.space["_"] = value
        return value

    def _remember(self, code: str, filename: str) -> None:
        """Let tracebacks show the source, as they would for a file."""
        if not filename.startswith("<"):
            return
        import linecache  # here: see execute

        linecache.cache[filename] = (len(code), None, code.splitlines(keepends=True), filename)
        self._sources.append(filename)
        if len(self._sources) > SOURCES:
            linecache.cache.pop(self._sources.popleft(), None)
