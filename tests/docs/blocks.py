"""The code blocks of a document, in reStructuredText or Markdown. Knows nothing of what they mean."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.harness.environments import ROOT

DIRECTIVE = re.compile(r"^( *)\.\. code-block:: ([\w-]+)$")
FENCE = re.compile(r"^```([\w-]*)$")
FILE = re.compile(r"^# (\S+\.(?:py|conf))$")


@dataclass(frozen=True)
class Block:
    """One code block."""

    document: Path
    line: int  # where its text begins, from 1
    language: str
    text: str

    @property
    def place(self) -> str:
        return f"{self.document.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        """The name of the file that the block is, if its first line names one."""
        named = FILE.match(self.text.partition("\n")[0])
        return named[1] if named and self.language in ("python", "ini") else None


def documents() -> list[Path]:
    """README.md and the pages of docs/, without what has been built from them."""
    pages = [path for path in sorted((ROOT / "docs").rglob("*.rst")) if "_build" not in path.parts]
    return [ROOT / "README.md", *pages]


def read_blocks(document: Path) -> list[Block]:
    """Its blocks, in order."""
    lines = document.read_text(encoding="utf-8").splitlines()
    find = _fenced if document.suffix == ".md" else _directives
    return [Block(document, first + 1, language, text) for first, language, text in find(lines)]


def _fenced(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """(index of the first line, language, text) of each fenced block of Markdown."""
    number = 0
    while number < len(lines):
        opened = FENCE.match(lines[number])
        if opened:
            first = number + 1
            number = lines.index("```", first)
            yield first, opened[1], "\n".join(lines[first:number]) + "\n"
        number += 1


def _directives(lines: list[str]) -> Iterator[tuple[int, str, str]]:
    """The same of each code-block of reStructuredText; its options are left out."""
    for number, line in enumerate(lines):
        opened = DIRECTIVE.match(line)
        if not opened:
            continue
        first = number + 1
        while first < len(lines) and (not lines[first].strip() or lines[first].strip().startswith(":")):
            first += 1
        end = first
        while end < len(lines) and (not lines[end].strip() or lines[end].startswith(opened[1] + " ")):
            end += 1
        yield first, opened[2], textwrap.dedent("\n".join(lines[first:end])).rstrip() + "\n"
