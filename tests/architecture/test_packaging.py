"""What is written is also shipped, and what is promised is there."""

from __future__ import annotations

from tests.architecture.packaging import setup_keyword
from tests.architecture.sources import PACKAGE, ROOT, modules


def test_every_folder_with_code_is_a_package() -> None:
    missing = {module.path.parent for module in modules().values() if not module.path.with_name("__init__.py").exists()}
    assert not missing, "setup.py finds no folder without __init__.py"


def test_the_console_scripts_are_there() -> None:
    for script in setup_keyword("entry_points")["console_scripts"]:
        module, _, function = script.partition("=")[2].strip().partition(":")
        assert function in {node.name for node in modules()[module].functions()}, script


def test_the_package_says_that_it_is_typed() -> None:
    assert (ROOT / PACKAGE / "py.typed").exists()
    assert "py.typed" in setup_keyword("package_data")[PACKAGE]
