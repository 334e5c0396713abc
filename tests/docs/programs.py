"""The Python blocks of a document as one program, each line where it stands in the document, so that tracebacks name its lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.docs.blocks import Block

MARK = "\x1e"  # printed before each block; nothing else prints it

#: The first line of the program: both streams go to one file and keep their order, as what a batch job prints does.
PRELUDE = (
    "import os, sys; os.dup2(os.open({path!r}, os.O_WRONLY | os.O_CREAT), 1); os.dup2(1, 2); sys.stdout.reconfigure(line_buffering=True)"
)


@dataclass(frozen=True)
class Step:
    """A block, and what the document says that it prints."""

    block: Block
    shown: str


def steps_of(blocks: Sequence[Block]) -> list[Step]:
    """The blocks that make up the document's program."""
    following = [*blocks[1:], None]
    return [
        Step(block, after.text if after is not None and after.language == "text" else "")
        for block, after in zip(blocks, following, strict=True)
        if block.language == "python" and block.file is None
    ]


def program_of(steps: Sequence[Step], output: Path) -> str:
    """Source of a program that prints into a file, and marks there where the output of each block begins."""
    lines = [PRELUDE.format(path=str(output))]
    for step in steps:
        lines.extend([""] * (step.block.line - 2 - len(lines)))
        lines.append(f"print({MARK!r}, end='')")
        lines.extend(step.block.text.splitlines())
    return "\n".join(lines) + "\n"


def printed_by(steps: Sequence[Step], output: Path) -> Iterator[tuple[Step, str]]:
    """What each block printed."""
    _, *printed = output.read_text(encoding="utf-8").split(MARK)
    return zip(steps, printed, strict=True)


def program_path(document: Path, folder: Path) -> Path:
    """Where the program is written: it is named after the document, for tracebacks."""
    return folder / document.with_suffix(".py").name
