"""One rank's end of a transport while a check runs over it: posts numbered messages, collects what comes, meets the others.

What a rank does in a check is a generator that yields wherever it waits. So one check runs over a whole world in one process,
whose ranks take turns, as well as over a world of processes, each of which runs the part of its own rank.
"""

from __future__ import annotations

import os
import random
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from typing import TypeVar

from mpikernel.wire.envelope import Departure, Frame, Parcel
from mpikernel.wire.messages import URGENT, Clear, Push, Stop
from mpikernel.wire.transport import Arrival, Transport
from mpikernel.wire.tree import tree

T = TypeVar("T")
Steps = Generator[None, None, T]

#: Ranks tell each other that they are through with a check; of mail that keeps its order it is the last.
THROUGH = Clear(0)
#: Polls after everybody is through, in which nothing may come any more.
AFTERWARDS = 20


class Station:
    """A rank in a check. Messages are numbered from 0 for each receiver, plain and urgent ones apart."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.rank = transport.rank
        self.size = transport.size
        self.arrived: list[Arrival] = []  # and not collected yet
        self._posted: Counter[tuple[int, bool]] = Counter()  # messages, by receiver and whether they are urgent
        self._through: list[int] = []  # ranks that are

    @property
    def everyone(self) -> range:
        return range(self.size)

    @property
    def next(self) -> int:
        """The rank after this one, which is itself in a world of one."""
        return (self.rank + 1) % self.size

    @property
    def previous(self) -> int:
        return (self.rank - 1) % self.size

    def post(self, rank: int, *rows: Sequence[Frame]) -> None:
        """Post one plain message for each row of frames, all in one call."""
        self.transport.post(rank, [Parcel(Push(self._number(rank), ()), row) for row in rows])

    def post_mixed(self, rank: int, urgent: Sequence[bool]) -> None:
        """Post plain and urgent messages without frames in one call."""
        parcels = [Parcel(Stop(self._number(rank, True), "")) if each else Parcel(Push(self._number(rank), ())) for each in urgent]
        self.transport.post(rank, parcels)

    def post_down_a_tree(self, ranks: Sequence[int], frames: Sequence[Frame], departure: Departure) -> None:
        """Post one plain message to many ranks, of which this one sends the large frames to one only."""
        for rank, route in tree(self.rank, ranks).items():
            self.transport.post(rank, [Parcel(Push(self._number(rank), ()), frames, route, departure)])

    def post_watched(self, rank: int, frames: Sequence[Frame], departure: Departure) -> None:
        """Post one plain message, and have it told when it has left."""
        self.transport.post(rank, [Parcel(Push(self._number(rank), ()), frames, None, departure)])

    def _number(self, rank: int, urgent: bool = False) -> int:
        self._posted[rank, urgent] += 1
        return self._posted[rank, urgent] - 1

    def poll(self) -> None:
        """Poll once."""
        for arrival in self.transport.poll():
            if arrival.message == THROUGH:
                self._through.append(arrival.sender)
            else:
                self.arrived.append(arrival)

    def collect(self, count: int) -> Steps[list[Arrival]]:
        """Wait until `count` messages have arrived; they are then taken."""
        while len(self.arrived) < count:
            self.poll()
            yield
        taken, self.arrived = self.arrived[:count], self.arrived[count:]
        return taken

    def wait(self, condition: Callable[[], bool]) -> Steps[None]:
        """Poll until a condition holds."""
        while not condition():
            self.poll()
            yield

    def finish(self) -> Steps[None]:
        """Wait until everybody is through and everything has left; nothing may have come that nobody collected."""
        for rank in self.everyone:
            self.transport.post(rank, [Parcel(THROUGH)])
        yield from self.wait(lambda: len(self._through) >= self.size)
        yield from self.wait(lambda: self.transport.idle and not self.transport.moving)
        for _ in range(AFTERWARDS):
            self.poll()
            yield
        assert not self.arrived, f"this came too: {[(each.sender, each.message) for each in self.arrived]}"
        assert sorted(self._through) == list(self.everyone), f"each rank said once that it is through, but it came from {self._through}"


Check = Callable[[Station], Steps[None]]


def run_check(check: Check, transports: Sequence[Transport], limit: float) -> None:
    """Play a check on those ranks that are in this process, in turns; none may take longer than `limit` seconds."""
    stations = [Station(transport) for transport in transports]
    parts = {station: _part(check, station) for station in stations}
    deadline = time.monotonic() + limit
    while parts:
        for station, part in list(parts.items()):
            if _over(check, station, part):
                del parts[station]
        assert time.monotonic() < deadline, f"{check.__name__} was not over after {limit} s: {'; '.join(map(_stands, parts))}"
        os.sched_yield()  # ranks of a world under test outnumber the cores


def _part(check: Check, station: Station) -> Steps[None]:
    yield from check(station)
    yield from station.finish()


def _over(check: Check, station: Station, part: Steps[None]) -> bool:
    """Go on with one rank until it waits, or is through."""
    try:
        next(part)
    except StopIteration:
        return True
    except AssertionError as error:
        raise AssertionError(f"{check.__name__}, rank {station.rank} of {station.size}: {error}") from error
    return False


def _stands(station: Station) -> str:
    transport = station.transport
    return f"rank {station.rank} has {len(station.arrived)} messages to collect, idle={transport.idle}, moving={transport.moving}"


def content(size: int, *seed: int) -> bytes:
    """Bytes that nobody else sends."""
    return random.Random(repr((size, seed))).randbytes(size)


def expect(arrival: Arrival, sender: int, number: int, frames: Sequence[Frame]) -> None:
    """What arrived is plain message `number` of a sender, with these frames."""
    message = arrival.message
    assert arrival.sender == sender, f"message {message} came from rank {arrival.sender}, not {sender}"
    assert message == Push(number, ()), f"{message} came from rank {sender} where its message {number} was due"
    sizes = [len(frame) for frame in arrival.frames]
    assert sizes == [len(frame) for frame in frames], f"frames of message {number} from rank {sender} have lengths {sizes}"
    for index, (came, posted) in enumerate(zip(arrival.frames, frames, strict=True)):
        assert came == posted, (
            f"frame {index} ({len(posted)} bytes) of message {number} from rank {sender} has other bytes than were posted"
        )


def is_urgent(arrival: Arrival) -> bool:
    return type(arrival.message) in URGENT
