"""When tasks will have waited too long: the next to be due is at hand, however many wait. One entry does for all that came together.

That some have begun meanwhile is found out when they are due; that they have ended, now and then. It knows of numbers only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from heapq import heapify, heappop, heappush
from math import inf

#: With so few entries nothing is gained by looking for those that nobody needs any more.
FEW = 64


class Deadlines:
    """Those of tasks that may wait."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, int]] = []  # deadline, first task, and where they stop
        self._room = FEW  # entries at most, until it is seen which of them are of tasks that have ended

    def __bool__(self) -> bool:
        return bool(self._heap)

    def __iter__(self) -> Iterator[tuple[float, range]]:
        return ((deadline, range(first, stop)) for deadline, first, stop in self._heap)

    @property
    def next(self) -> float:
        """When something is due (seconds since the epoch)."""
        return self._heap[0][0] if self._heap else inf

    def put(self, deadline: float, numbers: range, ended: Callable[[range], bool]) -> None:
        """Consecutive tasks wait until a deadline. `ended` tells whether all of such have ended; it is asked of the others now and then."""
        if len(self._heap) >= self._room:
            self._heap = [entry for entry in set(self._heap) if not ended(range(*entry[1:]))]
            heapify(self._heap)
            self._room = 2 * len(self._heap) + FEW
        heappush(self._heap, (deadline, numbers.start, numbers.stop))

    def take_due(self, now: float) -> list[range]:
        """The tasks whose deadline has come; some of them may have begun, or ended."""
        due = []
        while self._heap and self._heap[0][0] <= now:
            _, first, stop = heappop(self._heap)
            due.append(range(first, stop))
        return due

    def check(self) -> None:
        """What is always true of it."""
        assert len(self._heap) <= self._room, "deadlines of tasks that have ended are kept"
        assert self._heap == [] or self._heap[0] == min(self._heap)
