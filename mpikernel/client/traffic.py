"""What is on its way between a script and the engines, and when somebody has to wait for it.

Large frames of calls that have not ended fill a window for each engine: who sends more waits. Large frames of results that
nobody has taken fill another: who sends more results waits, unless the script waits for any. So neither side fills the
other's memory, however fast it is.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence

from mpikernel.wire.envelope import Frame

#: After so long without room one more result is let in all the same (seconds): somebody may wait in a way that is not seen here.
STALLED = 5.0


class Held:
    """Large frames of a result that are here; gone when the result is taken or dropped."""

    __slots__ = ("_traffic",)

    def __init__(self, traffic: Traffic, weight: int) -> None:
        self._traffic = traffic
        traffic.held[id(self)] = weight

    def __del__(self) -> None:
        self._traffic.held.pop(id(self), None)


class Traffic:
    """The windows of one client. Weights are bytes in large frames."""

    def __init__(self, window: int, threshold: int) -> None:
        self.window = window
        self.threshold = threshold
        self.under_way: Counter[int] = Counter()  # weight of the calls that have not ended, by receiver
        self.held: dict[int, int] = {}  # weights of the results that are here; they go in any thread, as the garbage collector does
        self.waiting: set[object] = set()  # waits of the script's threads for results
        self._let_in = 0.0  # when a result was last let in (monotonic)

    @property
    def untaken(self) -> int:
        """Weight of the results that are here."""
        return sum(list(self.held.values()))

    def weigh(self, frames: Sequence[Frame]) -> int:
        """Bytes in the large ones of frames."""
        threshold = self.threshold
        return sum(len(frame) for frame in frames if len(frame) >= threshold)

    def has_room(self, receiver: int, weight: int) -> bool:
        """Whether so much may be sent there now. To who has nothing under way anything may."""
        filled = self.under_way[receiver]
        return not weight or not filled or filled + weight <= self.window

    def hold(self, frames: Sequence[Frame]) -> Held | None:
        """A result has come."""
        weight = self.weigh(frames)
        return Held(self, weight) if weight else None

    def hungry(self, awaited: Callable[[], bool]) -> bool:
        """Whether one more large result may come in. `awaited` tells whether anybody expects one."""
        now = time.monotonic()
        if self.untaken < self.window or self.waiting or now - self._let_in > STALLED or awaited():
            self._let_in = now
            return True
        return False
