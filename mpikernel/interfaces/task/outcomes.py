"""How tasks ended, as long as somebody may ask: whoever submits a task names others that it needs before it knows that they have ended.

It knows of all that it calls settled, so those are forgotten here.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mpikernel.ledger.records import ERROR, OK, STATUSES

#: Numbers that are forgotten together, or as many as are kept: taking them out of the front moves the rest.
TOGETHER = 4096


class Ended(NamedTuple):
    """Tasks that ended alike, or as many of them as there are numbers; `error` is that of the first."""

    numbers: range
    status: str
    engine: int
    error: str = ""


def _code(engine: int, status: str) -> int:
    return len(STATUSES) * (engine + 1) + STATUSES.index(status)


class Outcomes:
    """An integer for each number: how that task ended, and where; 0 if it has not, or is none."""

    def __init__(self) -> None:
        self._codes = array("I")
        self._errors: dict[int, str] = {}  # of those that failed
        self._base = 0  # the number of the first

    def put(self, ended: Ended) -> None:
        """Remember how consecutive tasks ended."""
        begin, end = max(0, ended.numbers.start - self._base), ended.numbers.stop - self._base
        if end <= begin:  # the client has heard before
            return
        if ended.status == ERROR:
            self._errors.update(dict.fromkeys(ended.numbers, ended.error))
        codes = self._codes
        if end > len(codes):
            codes.frombytes(bytes(codes.itemsize * (end - len(codes))))
        codes[begin:end] = array("I", (_code(ended.engine, ended.status),)) * (end - begin)

    def within(self, numbers: range) -> Iterator[Ended]:
        """Of consecutive tasks those that have ended: as many as each kind has, from its first on."""
        begin = max(0, numbers.start - self._base)
        codes = self._codes[begin : max(begin, numbers.stop - self._base)]
        for code in sorted(set(codes) - {0}):
            where, status = divmod(code, len(STATUSES))
            first = self._base + begin + codes.index(code)
            yield Ended(range(first, first + codes.count(code)), STATUSES[status], where - 1, self._errors.get(first, ""))

    def well_on(self, engine: int, numbers: Iterable[int]) -> list[int]:
        """Those of these tasks that ended well on an engine, in order."""
        codes, code = self._codes, _code(engine, OK)
        there = (number for number in numbers if 0 <= number - self._base < len(codes))
        return sorted(number for number in there if codes[number - self._base] == code)

    def all_ended(self, numbers: range) -> bool:
        """Whether all of some consecutive tasks have ended, as far as that was to be remembered."""
        first, stop = max(0, numbers.start - self._base), max(0, numbers.stop - self._base)
        return stop <= len(self._codes) and all(self._codes[first:stop])

    def forget(self, settled: int) -> None:
        """Nobody asks for those before this one any more."""
        gone = settled - self._base
        if gone >= max(TOGETHER, len(self._codes) / 2):
            del self._codes[:gone]
            self._base = settled
            self._errors = {number: error for number, error in self._errors.items() if number >= settled}

    def __len__(self) -> int:
        return len(self._codes)
