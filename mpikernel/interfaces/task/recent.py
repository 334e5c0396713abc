"""What has ended well lately on an engine: its results may be on their way still, and if the engine dies they have to be made again."""

from __future__ import annotations

from collections import deque

from mpikernel.interfaces.task.entries import Entry

#: Messages about tasks that ended well that are remembered of each engine, which sends one every few milliseconds.
MOST = 16
#: Bytes that the tasks of those messages were called with, but for the last message.
HEAVIEST = 1 << 26


class Recent:
    """Of one engine."""

    def __init__(self) -> None:
        self._entries: deque[tuple[Entry, int]] = deque()
        self._weight = 0

    def put(self, entry: Entry, weight: int) -> None:
        """Some have just ended well that were called with so many bytes."""
        self._entries.append((entry, weight))
        self._weight += weight
        while len(self._entries) > MOST or (self._weight > HEAVIEST and len(self._entries) > 1):
            self._weight -= self._entries.popleft()[1]

    def take_all(self) -> dict[int, Entry]:
        """All of them, by task; none is remembered any more."""
        kept = {number: entry for entry, _ in self._entries for number in entry.numbers}
        self._entries.clear()
        self._weight = 0
        return kept
