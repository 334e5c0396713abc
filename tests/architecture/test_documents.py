"""What a document says is tested, is. A code block is marked by a line of its own above it, `<!-- tested -->` or `.. tested`;
the test that runs it stands in tests/docs and names the document.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.architecture.sources import ROOT

MARK = re.compile(r"^\s*(<!--|\.\.) tested\b", re.MULTILINE)


def documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *(path for path in (ROOT / "docs").rglob("*") if path.suffix in {".md", ".rst"})]


def test_a_document_marked_as_tested_is_named_by_a_test() -> None:
    marked = {path.name for path in documents() if MARK.search(path.read_text(encoding="utf-8"))}
    tests = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests" / "docs").glob("*.py"))
    assert {name for name in marked if f'"{name}"' not in tests} == set()
