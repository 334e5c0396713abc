"""Arrivals that still wait for large frames, in the order in which their sender posted them.

A message is delivered when all its frames have landed and everything before it from the same sender has been delivered;
other senders are not held up. What "landed" means is the transport's business: it hands in a test for each.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from mpikernel.wire.transport import Arrival

Landed = Callable[[], bool]


class Runway:
    """The queues of one transport, one for each sender that has something in the air."""

    def __init__(self) -> None:
        self._queues: dict[int, deque[tuple[Arrival, Landed | None]]] = {}
        self.airborne = 0  # messages whose frames have not all landed

    def put(self, arrival: Arrival, landed: Landed | None) -> Arrival | None:
        """Queue an arrival; None as its test says that it is whole. Gives it back if nothing is in its way."""
        queue = self._queues.get(arrival.sender)
        if landed is None and queue is None:
            return arrival
        if queue is None:
            queue = self._queues[arrival.sender] = deque()
        queue.append((arrival, landed))
        self.airborne += landed is not None
        return None

    def take(self) -> Iterator[Arrival]:
        """What has landed by now and has nothing before it."""
        for sender, queue in list(self._queues.items()):
            while queue:
                arrival, landed = queue[0]
                if landed is not None:
                    if not landed():
                        break
                    self.airborne -= 1
                queue.popleft()
                yield arrival
            if not queue:
                del self._queues[sender]
