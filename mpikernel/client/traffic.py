"""What is on its way between a script and the engines, and when somebody has to wait for it.

What goes with calls that have not ended fills a window for each engine: who sends more waits. Large frames of results that
nobody has taken fill another: who sends more results waits, unless the script waits for any. So neither side fills the
other's memory, however fast it is. (Small results are not held back: they come with their messages.)
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from mpikernel.wire.envelope import Frame

#: Frames of fewer bytes do not count.
SMALL = 1 << 10
#: Who looks for a result waits for it, for so long (seconds).
POLLING = 0.1
#: After so long without room one more result is let in all the same (seconds): somebody may wait in a way that is not seen here.
STALLED = 5.0

#: Tells of a call whether it must end before a thread that waits goes on.
HeldBy = Callable[[Any], bool]


class Held:
    """Large frames of a result that are here; gone when the result is taken or dropped."""

    __slots__ = ("_traffic",)

    def __init__(self, traffic: Traffic, weight: int) -> None:
        self._traffic = traffic
        traffic.held[id(self)] = weight

    def __del__(self) -> None:
        self._traffic.held.pop(id(self), None)


class Traffic:
    """The windows of one client. Weights are bytes."""

    def __init__(self, window: int, threshold: int) -> None:
        self.window = window
        self.threshold = threshold
        self.under_way: Counter[int] = Counter()  # weight of the calls that have not ended, by receiver
        self.held: dict[int, int] = {}  # weights of the results that are here; they go in any thread, as the garbage collector does
        self.waiting: dict[object, HeldBy | None] = {}  # waits of the script's threads for results; None if they may go on by themselves
        self.asked = 0.0  # when somebody last looked whether a result is there (monotonic)
        self._let_in = 0.0  # when a result was last let in (monotonic)

    @property
    def looked_for(self) -> bool:
        """Whether a thread of the script waits for a result, or has just looked whether it is there."""
        return bool(self.waiting) or time.monotonic() - self.asked < POLLING

    @property
    def untaken(self) -> int:
        """Weight of the results that are here."""
        return sum(list(self.held.values()))

    def weigh(self, frames: Sequence[Frame]) -> int:
        """Bytes in frames, but for small change."""
        return sum(len(frame) for frame in frames if len(frame) >= SMALL)

    def any_large(self, frames: Sequence[Frame]) -> bool:
        """Whether any of the frames goes by itself."""
        return any(len(frame) >= self.threshold for frame in frames)

    def has_room(self, receiver: int, weight: int) -> bool:
        """Whether so much may be sent there now. To who has nothing under way anything may."""
        filled = self.under_way[receiver]
        return not weight or not filled or filled + weight <= self.window

    def portions(self, weights: Sequence[int]) -> list[tuple[int, int]]:
        """(start, stop) of parts of a row of payloads, each of half a window at most, or a single one."""
        cuts, filled = [0], 0
        for index, weight in enumerate(weights):
            if filled and filled + weight > self.window // 2:
                cuts.append(index)
                filled = 0
            filled += weight
        return list(pairwise([*cuts, len(weights)])) if weights else []

    def hold(self, frames: Sequence[Frame]) -> Held | None:
        """A result has come."""
        return Held(self, self.weigh(frames)) if self.any_large(frames) else None

    def hungry(self, awaited: Callable[[], bool]) -> bool:
        """Whether one more large result may come in. `awaited` tells whether anybody expects one."""
        now = time.monotonic()
        if self.untaken < self.window or self.looked_for or now - self._let_in > STALLED or awaited():
            self._let_in = now
            return True
        return False
