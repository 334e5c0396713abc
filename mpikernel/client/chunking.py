"""How many items of a map go in one task: as many as the user says, or as many as it takes for tasks to be neither short nor uneven.

The latter is guided self-scheduling (Polychronopoulos and Kuck 1987), bounded by measured time and weight.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

#: Seconds that a task is to take: long beside what a task costs, and short enough to be fair.
AIM = 0.03
#: No task is made shorter than this (seconds) only to be fair.
LEAST = 1e-3
#: A task is at most so much larger than those that have been measured, since items differ.
GROWTH = 8
#: Bytes of what a task is called with, unless a single item has more.
ENOUGH = 1 << 18
#: Bytes of what a task is to bring: it is in the script's memory as a whole.
MUCH = 1 << 22
#: Reading the items of one task may take so long (seconds): engines wait meanwhile.
PATIENCE = 0.02


class Sizes(Protocol):
    """Decides how many items the next task gets."""

    def next(self) -> int:
        """At most so many, and one at least."""

    def too_heavy(self, weight: int) -> bool:
        """Whether a task of several items with so many bytes has to be taken apart."""

    def read(self, items: int, weight: int, seconds: float) -> None:
        """Items have been read, and weigh so many bytes; it took so long."""

    def measured(self, items: int, tasks: int, took: Callable[[], float | None], brought: int = 0) -> None:
        """Tasks have ended; told under the loop's lock.

        Args:
            took: the seconds that engines spent in them, None if none did.
            brought: bytes of their results.
        """


class FixedSizes:
    """What the user says."""

    def __init__(self, size: int) -> None:
        self._size = size

    def next(self) -> int:
        return self._size

    def too_heavy(self, weight: int) -> bool:
        return False

    def read(self, items: int, weight: int, seconds: float) -> None:
        return

    def measured(self, items: int, tasks: int, took: Callable[[], float | None], brought: int = 0) -> None:
        return


class AdaptiveSizes:
    """One item at first, then what measured times make of it.

    Args:
        engines: how many work on it.
        items: how many there are, if that is known.
        most: items in one task.
    """

    def __init__(self, engines: int, items: int | None, most: int | None) -> None:
        self._engines = engines
        self._left = items  # that have not been read; None if not known
        self._most = most
        self._tried = 1  # items: no task is to have more, by those that have been measured
        self._time = 0.0  # seconds per item on engines; 0 until one has been measured
        self._weight = 0.0  # bytes per item
        self._reading = 0.0  # seconds to read one
        self._brought = 0.0  # bytes of the result of one; of those that were measured last

    def next(self) -> int:
        bounds = [
            self._tried,
            _within(AIM, self._time),
            _within(ENOUGH, self._weight),
            _within(PATIENCE, self._reading),
            _within(MUCH, self._brought),
        ]
        if self._left is not None:
            bounds.append(max(self._left // (2 * self._engines), _within(LEAST, self._time) if self._time else 1))
        if self._most is not None:
            bounds.append(self._most)
        return max(1, min(bounds))

    def too_heavy(self, weight: int) -> bool:
        return weight > ENOUGH

    def read(self, items: int, weight: int, seconds: float) -> None:
        self._weight, self._reading = weight / items, seconds / items
        if self._left is not None:
            self._left -= items

    def measured(self, items: int, tasks: int, took: Callable[[], float | None], brought: int = 0) -> None:
        seconds = took()
        if seconds is None:
            return
        each, self._brought = max(seconds, 0.0) / items, brought / items
        self._time = (self._time + each) / 2 if self._time else each  # the first one of an engine rebuilds the function, and imports
        self._tried = max(self._tried, GROWTH * items // tasks)


def _within(limit: float, each: float) -> int:
    """How many things fit in a limit; no bound if they weigh nothing."""
    return int(limit / each) if each > 0 else 1 << 40
