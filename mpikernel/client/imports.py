"""`with view.sync_imports():` — what is imported inside is imported on the engines too, under the same names."""

from __future__ import annotations

import builtins
import sys
from types import FrameType, ModuleType
from typing import TYPE_CHECKING, Any

from mpikernel.client.result import AsyncResult

if TYPE_CHECKING:
    from mpikernel.client.direct import DirectView


class ImportOnEngines:
    """Watches the import statements of one with-statement; on leaving it waits until the engines have followed."""

    def __init__(self, view: DirectView) -> None:
        self._view = view
        self._statements: list[tuple[str, tuple[str, ...]]] = []  # module, names taken from it
        self._frame: FrameType | None = None  # whose imports are meant
        self._import = builtins.__import__

    def __enter__(self) -> ImportOnEngines:
        self._frame = sys._getframe(1)
        self._import = builtins.__import__
        builtins.__import__ = self._watching_import
        return self

    def _watching_import(self, name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> ModuleType:
        module: ModuleType = self._import(name, globals, locals, fromlist, level)
        if sys._getframe(1) is self._frame:
            full = module.__name__ if fromlist else name
            self._statements.append((full, tuple(fromlist or ())))
        return module

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        builtins.__import__ = self._import
        frame, self._frame = self._frame, None
        if kind is not None or frame is None:
            return
        names = {**frame.f_globals, **frame.f_locals}
        code = "\n".join(line for statement in self._statements for line in _lines(*statement, names))
        result: AsyncResult = self._view.execute(code, block=False)
        result.get()


def _lines(module: str, taken: tuple[str, ...], names: dict[str, Any]) -> list[str]:
    """The statements that bind on an engine what an import bound here, aliases too."""
    if taken == ("*",):
        return [f"from {module} import *"]
    if taken:
        values = vars(sys.modules[module])
        return [f"from {module} import {name} as {alias}" for name in taken for alias in _aliases(values.get(name), name, names)]
    top = module.partition(".")[0]
    aliases = [alias for alias in _aliases(sys.modules[module], top, names) if alias != top]
    return [f"import {module}", *(f"import {module} as {alias}" for alias in aliases)]


def _aliases(value: Any, name: str, names: dict[str, Any]) -> list[str]:
    """Under which names a value is bound here; its own if under none."""
    return [alias for alias, bound in names.items() if bound is value and value is not None and alias.isidentifier()] or [name]
