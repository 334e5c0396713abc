"""Console blocks: the commands in them, and what the document says that each prints."""

from __future__ import annotations

from dataclasses import dataclass

from tests.docs.blocks import Block

PROMPT = "$ "
CONTINUED = "> "  # the second line of a command, and those after it


@dataclass(frozen=True)
class Command:
    """One command of a console block."""

    place: str
    words: str  # for a shell
    shown: str


def commands_of(block: Block) -> list[Command]:
    """The commands, in order."""
    found: list[tuple[int, list[str], list[str]]] = []
    for number, line in enumerate(block.text.splitlines()):
        if line.startswith(PROMPT):
            found.append((number, [line.removeprefix(PROMPT)], []))
        elif line.startswith(CONTINUED) and not found[-1][2]:
            found[-1][1].append(line.removeprefix(CONTINUED))
        else:
            found[-1][2].append(line)
    document, _, first = block.place.rpartition(":")
    return [Command(f"{document}:{int(first) + number}", "\n".join(words), "\n".join(shown)) for number, words, shown in found]
