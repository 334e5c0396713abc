"""Whether what was printed is what a document shows, where `...` stands for what differs each time."""

from __future__ import annotations

import re

ANYTHING = "..."


def is_like(shown: str, printed: str) -> bool:
    """`...` alone on a line stands for any number of lines, elsewhere for anything within its line."""
    pattern = "".join(_pattern(line.rstrip()) for line in shown.strip("\n").splitlines())
    return re.fullmatch(pattern, _tidy(printed)) is not None


def _pattern(line: str) -> str:
    if line.strip() == ANYTHING:
        return r"(?:.*\n)*?"
    return ".*?".join(map(re.escape, line.split(ANYTHING))) + r"\n"


def _tidy(text: str) -> str:
    """Without blank lines at both ends, and without blanks at the ends of lines."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines()]
    return "".join(line + "\n" for line in lines)


def compare(place: str, shown: str, printed: str) -> str:
    """An empty text where they are alike, else one that tells the difference."""
    if is_like(shown, printed):
        return ""
    return f"{place} shows\n{_quoted(shown)}\nbut what is printed is\n{_quoted(printed)}\n"


def _quoted(text: str) -> str:
    return "\n".join(f"    | {line}" for line in text.strip("\n").splitlines())
