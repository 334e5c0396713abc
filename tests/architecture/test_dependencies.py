"""What is not ours is let in through few doors, and not at all before it is needed."""

from __future__ import annotations

import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch

from tests.architecture.packaging import setup_keyword
from tests.architecture.sources import PACKAGE, ROOT, Module, modules, modules_in, own_module

# Each package that is not ours, and the files that may import it. What is not here may not be imported.
DOORS: dict[str, tuple[str, ...]] = {
    "click": ("cli/*",),
    "cloudpickle": ("wire/*",),
    "configobj": ("config/conf_file.py",),
    "h5py": ("arrays/*",),
    "lmdb": ("ledger/lmdb.py",),
    "mpi4py": ("wire/mpi.py", "wire/bulk.py", "world/communicators.py", "bench/*", "testing/*"),
    "msgspec": ("*",),
    "numpy": ("arrays/*", "client/*", "bench/*", "testing/*"),
    "psutil": ("cluster/*", "testing/*"),
    "rich": ("cli/*", "client/progress.py", "bench/*"),
}
ONE_FILE = ("configobj", "h5py", "lmdb")  # of those that may, only one does

# What no rank may wait for at its start: it is imported by who needs it, when it does.
NOT_AT_START = {
    "asyncio", "click", "concurrent", "configobj", "h5py", "lmdb", "multiprocessing", "numpy", "psutil", "rich", "subprocess",
}  # fmt: skip


def imports_of_others(among: Iterable[Module]) -> Iterator[tuple[str, str, int]]:
    """(package, file, line) of every import that runs and is neither ours nor Python's own."""
    for module in among:
        for one in module.imports:
            package = one.target.partition(".")[0]
            if package not in {PACKAGE, *sys.stdlib_module_names} and not one.for_types_only:
                yield package, module.place, one.line


def imported_at_start(entry: str) -> dict[str, str]:
    """Everything that importing the module `entry` imports, each with the file that asks for it first."""
    found: dict[str, str] = {}
    queue = [entry]
    while queue:
        module = modules()[queue.pop()]
        for one in module.imports:
            if one.inside_function or one.for_types_only:
                continue
            name = own_module(one.target) or one.target.partition(".")[0]
            if name not in found:
                found[name] = f"{module.place}:{one.line}"
                queue.extend([name] if name in modules() else [])
    return found


def test_each_package_comes_in_through_its_door() -> None:
    wrong = [
        f"{place}:{line} imports {package}; allowed in: {', '.join(DOORS.get(package, ('nothing',)))}"
        for package, place, line in imports_of_others(modules().values())
        if not any(fnmatch(place, f"{PACKAGE}/{pattern}") for pattern in DOORS.get(package, ()))
    ]
    assert not wrong, "\n".join(wrong)


def test_what_one_file_owns_is_imported_there_alone() -> None:
    places = defaultdict(set)
    for package, place, _ in imports_of_others(modules().values()):
        places[package].add(place)
    assert {package: owners for package, owners in places.items() if package in ONE_FILE and len(owners) > 1} == {}


def test_what_is_imported_is_required_and_the_other_way_round() -> None:
    required = {requirement.partition(">")[0] for requirement in setup_keyword("install_requires")}
    for_demos = {requirement.partition(">")[0] for requirement in setup_keyword("extras_require")["demo"]}
    in_package = {package for package, _, _ in imports_of_others(modules().values())}
    beside = {module.path.stem for module in modules_in("examples")}
    in_examples = {package for package, _, _ in imports_of_others(modules_in("examples"))} - beside
    assert in_package <= required <= in_package | in_examples
    assert for_demos <= in_examples <= required | for_demos


def test_a_rank_starts_light() -> None:
    heavy = {name: place for name, place in imported_at_start(f"{PACKAGE}.__main__").items() if name in NOT_AT_START}
    assert not heavy, "these are imported by every rank at its start"


def test_importing_the_package_starts_nothing() -> None:
    program = f"""if True:
        import sys
        sys.path.insert(0, {str(ROOT)!r})
        before = set(sys.modules)
        import {PACKAGE}
        print(*sorted(set(sys.modules) - before))
    """
    run = subprocess.run([sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, timeout=60, check=True)
    new = set(run.stdout.split())
    assert {name for name in new if name.startswith(PACKAGE)} == {PACKAGE}
    assert not new & (NOT_AT_START | set(DOORS) | {"threading", "logging", "tempfile"})
    assert len(new) < 40, sorted(new)  # what `typing` takes with it, and little more
