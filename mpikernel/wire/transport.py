"""The promise that every transport keeps. `mpikernel.testing.transport.check_transport` proves it for each of them.

- What one rank posts to another arrives once, whole, and in the order in which it was posted; urgent messages may overtake
  (and be overtaken), but keep their order among themselves.
- A rank may post to itself; frames are then copied like on any other way, so that nobody shares memory by accident.
- Nothing blocks. A frame that was posted is read until `idle` says that nothing is under way; it must not change before.
- Called by one thread at a time; the loop sees to that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from mpikernel.wire.envelope import Frame, Parcel
from mpikernel.wire.messages import Message


class Arrival(NamedTuple):
    """A message that arrived whole. Frames after the first are writable memory of their own."""

    sender: int
    message: Message
    frames: Sequence[Frame]


class Transport(Protocol):
    rank: int
    size: int

    def post(self, rank: int, parcels: Sequence[Parcel]) -> None:
        """Send parcels to a rank, in this order, without waiting."""

    def poll(self) -> list[Arrival]:
        """Advance what is under way and return what has arrived whole since the last call."""

    @property
    def moving(self) -> bool:
        """Whether a large frame is under way, in or out: whoever waits then must not sleep."""

    @property
    def idle(self) -> bool:
        """Whether everything that this rank posted has left it."""

    def close(self) -> None:
        """Take part no longer. What had not arrived is gone; its memory may be read until the process ends its part in MPI."""
