"""The values of a map one after the other, its source read only as far as they are taken: what `imap` gives."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from mpikernel.client.arrivals import length
from mpikernel.client.feeding import Feed
from mpikernel.client.mapped import TaskMapResult

#: A window that is used up within this (seconds) is too small.
TOO_SOON = 5e-3


class Window:
    """How many tasks may have been read whose values have not been taken. It grows while tasks are short."""

    def __init__(self, size: int, most: int) -> None:
        self.size = size
        self._most = most
        self._taken = 0  # values since it was looked at
        self._since = time.monotonic()

    def take(self, count: int) -> None:
        """Values of so many tasks have been taken."""
        self._taken += count
        if self._taken < self.size:
            return
        now = time.monotonic()
        if now - self._since < TOO_SOON:
            self.size = min(2 * self.size, self._most)
        self._since, self._taken = now, 0


def stream(feed: Feed, result: TaskMapResult, window: Window, ordered: bool) -> Iterator[Any]:
    """The values of a map. Its source is read by the thread that asks for the next one."""
    taken = 0  # tasks
    try:
        while True:
            feed.read(window.size - (result.submitted - taken))
            if feed.over and taken == result.submitted:
                result.check_whole()
                return
            position, piece = result.take_next(taken if ordered else None)
            yield from result.values_of(position, piece)
            count = length(piece)
            taken += count
            window.take(count)
    finally:
        feed.stop()
