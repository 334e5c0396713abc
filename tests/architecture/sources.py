"""The package as text and syntax trees: its modules, and who imports whom. Imports nothing of what it reads."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "mpikernel"


@dataclass(frozen=True)
class Import:
    """One name that a module imports."""

    target: str  # "mpikernel.wire.loop", "numpy.linalg"
    line: int
    inside_function: bool
    for_types_only: bool  # under `if TYPE_CHECKING:`, so nothing is imported when the code runs


@dataclass(frozen=True)
class Module:
    """One file of the package."""

    name: str  # "mpikernel.wire.loop"; a package has the name of its folder
    path: Path

    @property
    def place(self) -> str:
        """The path as people write it."""
        return self.path.relative_to(ROOT).as_posix()

    @cached_property
    def lines(self) -> list[str]:
        return self.path.read_text(encoding="utf-8").splitlines()

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse("\n".join(self.lines))

    @cached_property
    def imports(self) -> tuple[Import, ...]:
        return tuple(_find_imports(self.tree, inside_function=False, for_types_only=False))

    def classes(self) -> Iterator[ast.ClassDef]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.ClassDef))

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        return (node for node in ast.walk(self.tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


@cache
def modules() -> dict[str, Module]:
    """Every module of the package by its name."""
    return {module.name: module for module in modules_in(PACKAGE)}


def modules_in(folder: str) -> list[Module]:
    return [Module(_name(path), path) for path in sorted((ROOT / folder).rglob("*.py"))]


def own_module(target: str) -> str | None:
    """The module of the package that importing `target` reads: `target` itself, or the one that has it as a name; None outside it."""
    if target.partition(".")[0] != PACKAGE:
        return None
    return target if target in modules() else target.rpartition(".")[0]


def length(node: ast.stmt) -> int:
    """In lines."""
    return (node.end_lineno or node.lineno) - node.lineno + 1


def _name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _find_imports(node: ast.AST, *, inside_function: bool, for_types_only: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield from (Import(target, child.lineno, inside_function, for_types_only) for target in _targets(child))
        yield from _find_imports(
            child,
            inside_function=inside_function or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef),
            for_types_only=for_types_only or (isinstance(child, ast.If) and ast.unparse(child.test) == "TYPE_CHECKING"),
        )


def _targets(node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [f"{'.' * node.level}{node.module or ''}.{alias.name}" for alias in node.names]
