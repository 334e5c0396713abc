"""Arrivals that still wait for large frames, in the order in which their sender posted them.

A message is delivered when all its frames have landed and everything before it from the same sender has been delivered;
other senders are not held up. How frames land is the transport's business: it hands in a landing for each such message,
and only the first of a sender is asked to go on, so a landing begins when everything before it is over.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from mpikernel.wire.transport import Arrival

#: Goes on landing; the arrival once it is whole.
Landing = Callable[[], Arrival | None]


class Runway:
    """The queues of one transport, one for each sender that has something in the air."""

    def __init__(self) -> None:
        self._queues: dict[int, deque[Arrival | Landing]] = {}
        self.airborne = 0  # messages whose frames have not all landed

    def put(self, arrival: Arrival) -> Arrival | None:
        """Queue what is whole. Gives it back if nothing is in its way."""
        queue = self._queues.get(arrival.sender)
        if queue is None:
            return arrival
        queue.append(arrival)
        return None

    def expect(self, sender: int, landing: Landing) -> None:
        """Queue what has to land first."""
        self._queues.setdefault(sender, deque()).append(landing)
        self.airborne += 1

    def bury(self, sender: int) -> object:
        """Nothing of a sender lands any more. What was in the air."""
        queue = self._queues.pop(sender, deque())
        self.airborne -= sum(not isinstance(entry, Arrival) for entry in queue)
        return queue

    def take(self) -> Iterator[Arrival]:
        """What has landed by now and has nothing before it."""
        for sender, queue in list(self._queues.items()):
            while queue:
                first = queue[0]
                if isinstance(first, Arrival):
                    arrival = first
                else:
                    landed = first()
                    if landed is None:
                        break
                    arrival = landed
                    self.airborne -= 1
                queue.popleft()
                yield arrival
            if not queue:
                del self._queues[sender]
