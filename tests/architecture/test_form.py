"""Every file says what it is, every error stands in one tree, and nothing names the machine that it was written on."""

from __future__ import annotations

import ast
import builtins
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from tests.architecture.sources import PACKAGE, ROOT, modules

ERRORS = f"{PACKAGE}.errors"
BUILT_IN = {name for name, value in vars(builtins).items() if isinstance(value, type) and issubclass(value, BaseException)}

# Where somebody once worked. Put together here, so that this file does not match itself.
MACHINE = re.compile("|".join(f"(?<![\\w.~}}/-]){'/'}{folder}" for folder in ("work/", "root/", "tmp/v-")))
NOT_SHIPPED = re.compile(r"\.(?!ci$|gitignore$|pre-commit).*|build|dist|_build|__pycache__|.*\.egg-info")


def own_errors() -> set[str]:
    return {node.name for node in modules()[ERRORS].classes()}


def is_error(node: ast.ClassDef) -> bool:
    bases = {ast.unparse(base).rpartition(".")[2].partition("[")[0] for base in node.bases}
    return bool(bases & (BUILT_IN | own_errors())) or any(base.endswith(("Error", "Exception")) for base in bases)


def shipped_texts() -> Iterator[tuple[str, str]]:
    """(path, text) of every file of the project that is text."""
    for path in shipped_files(ROOT):
        with suppress(UnicodeDecodeError):  # a picture or an array
            yield path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")


def shipped_files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        if not NOT_SHIPPED.fullmatch(path.name):
            yield from shipped_files(path) if path.is_dir() else (path,)


def test_every_module_says_what_it_is() -> None:
    assert [module.place for module in modules().values() if not ast.get_docstring(module.tree)] == []


def test_every_error_stands_in_the_tree() -> None:
    elsewhere = [
        f"{module.place}:{node.lineno} {node.name}"
        for module in modules().values()
        if module.name != ERRORS
        for node in module.classes()
        if is_error(node)
    ]
    assert elsewhere == []
    drawn = ast.get_docstring(modules()[ERRORS].tree) or ""
    assert {name for name in own_errors() if name not in drawn} == set(), "not drawn in the docstring of errors.py"


def test_no_file_names_the_machine_it_was_written_on() -> None:
    named = [
        f"{path}:{number}: {line.strip()}"
        for path, text in shipped_texts()
        for number, line in enumerate(text.splitlines(), start=1)
        if MACHINE.search(line)
    ]
    assert named == []
