"""The values of a map one after the other, each let go of when it is taken: what `imap` gives, and maps of executors and pools.

The source is read only as far as values are taken, unless the map goes on by itself.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import Any

from mpikernel.client.arrivals import length, seconds
from mpikernel.client.feeding import Feed
from mpikernel.client.mapped import TaskMapResult

#: A window is to keep engines busy for so long (seconds), as what the task interface gives them ahead does.
ENOUGH = 0.05

#: Consecutive values, and the exceptions of those that failed, by index.
Brought = tuple[Sequence[Any], dict[int, Exception]]


class Window:
    """How many tasks may have been read whose values have not been taken. It grows, up to its most, while tasks are short."""

    def __init__(self, size: int, most: int, engines: int) -> None:
        self.size = size
        self._most = most
        self._engines = engines
        self._taken = 0  # tasks since it was looked at
        self._seconds = 0.0  # that engines spent in them

    def room(self, ahead: int) -> int:
        """How many tasks are to be read where so many are ahead: none until there is room for more than a few.

        Those that are read one by one travel, run and come back one by one.
        """
        free = self.size - ahead
        return free if free >= max(1, self.size // 4) else 0

    def take(self, count: int, seconds: float) -> None:
        """Values of so many tasks have been taken, in which engines spent so many seconds."""
        self._taken += count
        self._seconds += seconds
        if self._taken < self.size:
            return
        if self._seconds < ENOUGH * self._engines:
            self.size = min(2 * self.size, self._most)
        self._taken, self._seconds = 0, 0.0


class Stream:
    """Takes what a map brings, piece by piece. Not for several threads at once.

    Args:
        window: how far it is read ahead, by the thread that takes; None if the map goes on by itself.
        ordered: whether pieces are taken in order, or whichever is there first.
        late: raised when a piece is not there in time.
    """

    def __init__(
        self, feed: Feed, result: TaskMapResult, window: Window | None, ordered: bool, late: type[Exception] = TimeoutError
    ) -> None:
        self.result = result
        self.feed = feed
        feed.pulled = True
        self._window = window
        self._ordered = ordered
        self._late = late
        self._taken = 0  # tasks
        self._told = False  # what cut it short

    def take(self, timeout: float | None = None) -> Brought | None:
        """Wait for the next values; None if there are no more.

        Raises:
            TimeoutError: (or what stands for it) they are not there after `timeout` seconds. They can be asked for again.
            what cut the map short, when all before that has been taken; once.
        """
        self._read_ahead()
        if not self._at_end:
            found = self.result.take_next(self._taken if self._ordered else None, None if timeout is None else max(0.0, timeout))
            if found is not None:
                return self._give(*found)
            if not self._at_end:
                raise self._late(f"the next value is not there in time; {self.result.tasks.in_flight} tasks are under way")
        if not self._told:
            self._told = True
            self.result.check_whole()
        return None

    def _read_ahead(self) -> None:
        if self._window is None:
            return
        room = self._window.room(self.result.tasks.rows.count - self._taken)
        if room:
            self.feed.read(room)

    @property
    def _at_end(self) -> bool:
        return self.feed.over and self._taken == self.result.tasks.rows.count

    def _give(self, position: int, piece: Any) -> Brought:
        count = length(piece)
        self._taken += count
        if self._window is not None:
            self._window.take(count, seconds(piece) or 0.0)
        return self.result.brought(position, piece)

    def values(self, deadline: float | None = None) -> Iterator[Any]:
        """The values; what an item raised ends them.

        Args:
            deadline: when (monotonic) waiting for one of them is a TimeoutError.
        """
        try:
            while (brought := self.take(None if deadline is None else deadline - time.monotonic())) is not None:
                values, errors = brought
                if errors:
                    first = min(errors)
                    yield from values[:first]
                    raise errors[first]
                yield from values
        finally:
            self.feed.stop()

    def __del__(self) -> None:
        self.feed.abandoned = True  # no more than that here: what finalizers interrupt may have the loop's lock
