"""The transport inside one process: a whole world in memory, for tests and for posting to oneself.

Everything goes through real envelopes and every frame is copied, so what works here does not work by sharing memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from itertools import chain

from mpikernel.wire.envelope import Frame, Missing, Opened, Parcel, open_envelope, seal
from mpikernel.wire.messages import URGENT
from mpikernel.wire.transport import Arrival, Rooms, always, landing_places


class LoopbackTransport:
    """See `mpikernel.wire.transport` for the promise; made by `loopback_world`."""

    moving = False
    progress = 0
    mortal = False

    def __init__(self, rank: int, size: int, world: dict[int, LoopbackTransport], threshold: int) -> None:
        self.rank = rank
        self.size = size
        self.rooms: Rooms | None = None
        self.hungry: Callable[[], bool] = always
        self._world = world  # by rank; everybody enters himself
        world[rank] = self
        self._box: deque[Arrival] = deque()
        self._buried: set[int] = set()
        self._threshold = threshold

    def post(self, rank: int, parcels: Sequence[Parcel]) -> None:
        if rank in self._buried:
            drop(parcels)
            return
        self._world[rank].deliver(copied(self.rank, parcels, self._threshold, self._world[rank].rooms))

    def deliver(self, arrivals: Sequence[Arrival]) -> None:
        """What another rank has posted is here."""
        self._box.extend(arrival for arrival in arrivals if arrival.sender not in self._buried)

    def poll(self) -> list[Arrival]:
        arrived = [self._box.popleft() for _ in range(len(self._box))]
        return sorted(arrived, key=lambda arrival: type(arrival.message) not in URGENT)  # what is urgent overtakes, in order

    @property
    def idle(self) -> bool:
        return True

    def bury(self, rank: int) -> None:
        self._buried.add(rank)
        self._box = deque(arrival for arrival in self._box if arrival.sender != rank)

    def close(self) -> None:
        self._box.clear()


def loopback_world(size: int, threshold: int = 1 << 16) -> list[LoopbackTransport]:
    """The transports of a world of `size` ranks in this process."""
    world: dict[int, LoopbackTransport] = {}
    return [LoopbackTransport(rank, size, world, threshold) for rank in range(size)]


def copied(rank: int, parcels: Sequence[Parcel], threshold: int, rooms: Rooms | None) -> list[Arrival]:
    """Parcels as if they had travelled from `rank` to where `rooms` are: through an envelope, large frames in memory of their own."""
    envelope, parcels = seal(parcels, threshold)
    following = chain.from_iterable(parcel.frames for parcel in parcels)
    arrivals = [_landed(rank, opened, rooms, following) for opened in open_envelope(bytearray(envelope), rank)]
    drop(parcels)
    return arrivals


def drop(parcels: Sequence[Parcel]) -> None:
    """Nobody reads the frames of parcels any more."""
    for parcel in parcels:
        if parcel.departure is not None:
            parcel.departure.pending -= 1


def _landed(rank: int, opened: Opened, rooms: Rooms | None, following: Iterator[Frame]) -> Arrival:
    frames = landing_places(rooms, rank, opened)
    for place, frame in zip(frames, opened.frames, strict=True):
        if isinstance(frame, int):
            data = next(following)
            if not isinstance(place, Missing):
                memoryview(place)[:] = data
    return Arrival(rank, opened.message, frames)
