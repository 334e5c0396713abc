"""Whether what was printed is what a document shows, where `...` stands for what differs each time."""

from __future__ import annotations

import re
from functools import cache

ANYTHING = "..."


def is_like(shown: str, *streams: str) -> bool:
    """`...` alone on a line stands for any number of lines, elsewhere for anything within its line.

    Each stream's lines are shown in order; where two streams are shown together nobody knows which of them comes first.
    """
    rows = [None if line.strip() == ANYTHING else _pattern(line) for line in _lines(shown)]
    printed = [_lines(stream) for stream in streams]

    @cache
    def fits(row: int, places: tuple[int, ...]) -> bool:
        """Whether the rows from `row` on show what the streams have from `places` on."""
        unread = [number for number, place in enumerate(places) if place < len(printed[number])]
        if row == len(rows):
            return not unread
        pattern = rows[row]
        if pattern is None:
            return fits(row + 1, places) or any(fits(row, _after(places, number)) for number in unread)
        return any(pattern.fullmatch(printed[number][places[number]]) and fits(row + 1, _after(places, number)) for number in unread)

    return fits(0, (0,) * len(printed))


def _after(places: tuple[int, ...], number: int) -> tuple[int, ...]:
    return (*places[:number], places[number] + 1, *places[number + 1 :])


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, line.split(ANYTHING))))


def _lines(text: str) -> list[str]:
    """Without blank lines at both ends, and without blanks at the ends of lines."""
    return [line.rstrip() for line in text.rstrip().lstrip("\n").splitlines()]


def compare(place: str, shown: str, *streams: str) -> str:
    """An empty text where they are alike, else one that tells the difference."""
    if is_like(shown, *streams):
        return ""
    return f"{place} shows\n{_quoted(shown)}\nbut what is printed is\n{_quoted(''.join(streams))}\n"


def _quoted(text: str) -> str:
    return "\n".join(f"    | {line}" for line in text.strip("\n").splitlines())
