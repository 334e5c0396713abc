"""The transport inside one process: a whole world in memory, for tests and for posting to oneself.

Everything goes through real envelopes and every frame is copied, so what works here does not work by sharing memory.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from mpikernel.wire.envelope import Frame, Parcel, open_envelope, seal
from mpikernel.wire.memory import take
from mpikernel.wire.messages import URGENT
from mpikernel.wire.transport import Arrival


class LoopbackTransport:
    """See `mpikernel.wire.transport` for the promise; made by `loopback_world`."""

    moving = False

    def __init__(self, rank: int, boxes: Sequence[deque[Arrival]], threshold: int) -> None:
        self.rank = rank
        self.size = len(boxes)
        self._boxes = boxes  # one for each rank, shared by the whole world
        self._threshold = threshold

    def post(self, rank: int, parcels: Sequence[Parcel]) -> None:
        self._boxes[rank].extend(copied(self.rank, parcels, self._threshold))

    def poll(self) -> list[Arrival]:
        box = self._boxes[self.rank]
        arrived = [box.popleft() for _ in range(len(box))]
        return sorted(arrived, key=lambda arrival: type(arrival.message) not in URGENT)  # what is urgent overtakes, in order

    @property
    def idle(self) -> bool:
        return True

    def close(self) -> None:
        self._boxes[self.rank].clear()


def loopback_world(size: int, threshold: int = 1 << 16) -> list[LoopbackTransport]:
    """The transports of a world of `size` ranks in this process."""
    boxes: list[deque[Arrival]] = [deque() for _ in range(size)]
    return [LoopbackTransport(rank, boxes, threshold) for rank in range(size)]


def copied(rank: int, parcels: Sequence[Parcel], threshold: int) -> list[Arrival]:
    """Parcels as if they had travelled from `rank` to itself: through an envelope, large frames in memory of their own."""
    envelope, large = seal(parcels, threshold)
    following = iter(large)
    return [Arrival(rank, message, [_copy(next(following)) if isinstance(frame, int) else frame for frame in frames])
            for message, frames in open_envelope(bytearray(envelope), rank)]  # fmt: skip


def _copy(frame: Frame) -> memoryview:
    room = take(len(frame))
    room[:] = frame
    return room
