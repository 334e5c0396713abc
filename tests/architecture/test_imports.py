"""Imports run one way. This table is the house's floor plan; a row that changes is a decision, not a repair."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

import pytest

from tests.architecture.sources import PACKAGE, Import, Module, modules, own_module

BASE = ("errors", "config", "world")
STORES = (*BASE, "ledger", "arrays")
SHARED = (*STORES, "wire")
ROLES = ("controller", "interfaces", "engine", "client")

# Each part of the package, and the parts that it may import beside itself. A part that is not here may not exist.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "errors": (),
    "config": ("errors",),
    "world": ("errors",),
    "ledger": BASE,
    "arrays": BASE,
    "wire": (*BASE, "arrays", "ledger.records", "ledger.calls"),  # they travel in messages; the store does not
    "controller": SHARED,
    "interfaces": (),  # only the folder of the two below
    "interfaces.script": SHARED,
    "interfaces.task": SHARED,
    "engine": SHARED,
    "client": SHARED,
    "boot": (*SHARED, *ROLES),  # the only place that knows every role
    "cluster": SHARED,  # outside of the world: it starts mpiexec and never takes part
    "__main__": (*SHARED, "boot"),
    "cli": (*SHARED, "client", "cluster", "boot"),
    "bench": ("*",),  # these two stand outside the house and look in
    "testing": ("*",),
}


def part_of(module: str) -> str:
    """The longest row of the table that `module` belongs to; "" for the package itself, which only lends names out."""
    inner = module.removeprefix(PACKAGE).removeprefix(".")
    return max((part for part in MAY_IMPORT if is_inside(inner, part)), key=len, default=inner)


def is_inside(inner: str, part: str) -> bool:
    return part == "*" or f"{inner}.".startswith(f"{part}.")


def allowed(importer: str, imported: str) -> bool:
    inner = imported.removeprefix(PACKAGE).removeprefix(".")
    part = part_of(importer)
    return part == "" or inner == "" or any(is_inside(inner, other) for other in (part, *MAY_IMPORT[part]))


def own_imports(module: Module) -> list[tuple[Import, str]]:
    found = ((one, own_module(one.target)) for one in module.imports)
    return [(one, name) for one, name in found if name is not None]


def has_reason(module: Module, line: int) -> bool:
    """Whether the import in `line`, or the first of the imports right above it, carries a comment."""
    text = module.lines[line - 1]
    return "#" in text or (text.lstrip().startswith(("import ", "from ")) and has_reason(module, line - 1))


def test_every_module_has_a_row_in_the_table() -> None:
    strangers = [module.place for module in modules().values() if part_of(module.name) not in {"", *MAY_IMPORT}]
    assert not strangers, "give these a place in MAY_IMPORT, or move them into a part that has one"


def test_imports_run_one_way() -> None:
    wrong = [
        f"{module.place}:{one.line} imports {name}, which {part_of(module.name)} may not know"
        for module in modules().values()
        for one, name in own_imports(module)
        if not allowed(module.name, name)
    ]
    assert not wrong, "\n".join(wrong)


def test_no_module_imports_itself_through_others() -> None:
    graph = {
        module.name: {name for one, name in own_imports(module) if not one.for_types_only and name != module.name}
        for module in modules().values()
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as cycle:
        pytest.fail(" -> ".join(cycle.args[1]))


def test_imports_are_absolute_and_name_what_they_take() -> None:
    wrong = [
        f"{module.place}:{one.line} imports {one.target}"
        for module in modules().values()
        for one in module.imports
        if one.target.startswith(".") or one.target.endswith("*")
    ]
    assert not wrong, "\n".join(wrong)


def test_an_import_inside_a_function_says_why() -> None:
    wrong = [
        f"{module.place}:{one.line} imports {one.target} inside a function: is it hiding a cycle? If it keeps the start quick, say so there"
        for module in modules().values()
        for one in module.imports
        if one.inside_function and not has_reason(module, one.line)
    ]
    assert not wrong, "\n".join(wrong)
