"""The tests of the documents read all of them: a page in a form, or a folder, that they do not know would be promises without a test."""

from __future__ import annotations

from tests.architecture.sources import ROOT
from tests.docs.blocks import documents


def test_the_code_in_every_document_is_run_by_a_test() -> None:
    pages = {path for path in (ROOT / "docs").rglob("*") if path.suffix in {".md", ".rst", ".txt"} and "_build" not in path.parts}
    assert pages | {ROOT / "README.md"} == set(documents())
