"""How tasks ended, as long as somebody may ask: whoever submits a task names others that it needs before it knows that they have ended.

It knows of all that it calls settled, so those are forgotten here.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from mpikernel.ledger.records import STATUSES

#: Numbers that are forgotten together, or as many as are kept: taking them out of the front moves the rest.
TOGETHER = 4096


class Ended(NamedTuple):
    """Tasks that ended alike. Of how they failed only those know who hear of it at once."""

    first: int
    count: int
    status: str
    engine: int
    error: str = ""


class Outcomes:
    """An integer for each number: how that task ended, and where; 0 if it has not, or is none."""

    def __init__(self) -> None:
        self._codes = array("I")
        self._base = 0  # the number of the first

    def put(self, first: int, count: int, status: str, engine: int) -> None:
        """Remember how consecutive tasks ended."""
        begin, end = max(0, first - self._base), first + count - self._base
        if end <= begin:  # the client has heard before
            return
        codes = self._codes
        if end > len(codes):
            codes.frombytes(bytes(codes.itemsize * (end - len(codes))))
        codes[begin:end] = array("I", (len(STATUSES) * (engine + 1) + STATUSES.index(status),)) * (end - begin)

    def within(self, first: int, count: int) -> Iterator[Ended]:
        """Of consecutive tasks those that have ended, with the first of each kind."""
        begin = max(0, first - self._base)
        codes = self._codes[begin : max(begin, first + count - self._base)]
        for code in sorted(set(codes) - {0}):
            where, status = divmod(code, len(STATUSES))
            yield Ended(self._base + begin + codes.index(code), codes.count(code), STATUSES[status], where - 1)

    def forget(self, settled: int) -> None:
        """Nobody asks for those before this one any more."""
        gone = settled - self._base
        if gone >= max(TOGETHER, len(self._codes) / 2):
            del self._codes[:gone]
            self._base = settled

    def __len__(self) -> int:
        return len(self._codes)
