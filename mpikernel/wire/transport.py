"""The promise that every transport keeps. `mpikernel.testing.transport.check_transport` proves it for each of them.

- What one rank posts to another arrives once, whole, and in the order in which it was posted; urgent messages may overtake
  (and be overtaken), but keep their order among themselves.
- A rank may post to itself; frames are then copied like on any other way, so that nobody shares memory by accident.
- Nothing blocks. A frame that was posted is read until its parcel's departure says so, or `idle` that nothing is under way; it
  must not change before.
- The same message may be posted to many with routes, which make a tree with the poster at its root: its large frames then go
  from here to those only whose parent is this rank, and the others pass them on.
- A frame for which there is no memory where it arrives is `Missing` there, and nothing else suffers.
- Who is buried has no part in it any more: what is posted there goes nowhere, nothing comes from there, and what was under way
  either way is given up. Frames cannot come through the dead: who waits for some that one of them was to pass on raises a RankDiedError.
- Called by one thread at a time; the loop sees to that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from mpikernel.errors import SerializeError
from mpikernel.wire.envelope import Frame, Missing, Opened, Parcel
from mpikernel.wire.memory import take
from mpikernel.wire.messages import Message


class Arrival(NamedTuple):
    """A message that arrived whole. Frames after the first are writable memory of their own."""

    sender: int
    message: Message
    frames: Sequence[Frame]


#: Says where the large frames of a message are to land: memory of just these sizes (or `Missing`), or None for fresh memory. Asked
#: once, when their turn has come: rooms(sender, message, sizes of its large frames).
Rooms = Callable[[int, Message, Sequence[int]], Sequence[Frame] | None]


def always() -> bool:
    """What `hungry` is for a rank that takes whatever comes."""
    return True


class Transport(Protocol):
    rank: int
    size: int
    rooms: Rooms | None
    mortal: bool  # whether a rank may die and the world go on
    hungry: Callable[[], bool]  # whether messages with large frames may begin to land; their senders wait meanwhile

    def post(self, rank: int, parcels: Sequence[Parcel]) -> None:
        """Send parcels to a rank, in this order, without waiting."""

    def poll(self) -> list[Arrival]:
        """Advance what is under way and return what has arrived whole since the last call."""

    @property
    def progress(self) -> int:
        """A number that grows whenever a part of a large frame has moved, in or out."""

    @property
    def moving(self) -> bool:
        """Whether a large frame is under way, in or out, or mail that is not all here: whoever waits then must not sleep."""

    @property
    def idle(self) -> bool:
        """Whether everything that this rank posted has left it."""

    def bury(self, rank: int) -> None:
        """A rank has died."""

    def close(self) -> None:
        """Take part no longer. What had not arrived is gone; its memory may be read until the process ends its part in MPI."""


def landing_places(rooms: Rooms | None, sender: int, opened: Opened) -> list[Frame]:
    """The frames of a message whose header has come; those that follow it stand as the memory that they will land in."""
    sizes = [frame for frame in opened.frames if isinstance(frame, int)]
    if not sizes:
        return [frame for frame in opened.frames if not isinstance(frame, int)]
    given = rooms(sender, opened.message, sizes) if rooms is not None else None
    places = iter(given if given is not None else map(_memory, sizes))
    return [next(places) if isinstance(frame, int) else frame for frame in opened.frames]


def _memory(size: int) -> Frame:
    try:
        return take(size)
    except SerializeError as error:
        missing = Missing(str(error).encode())
        missing.size = size
        return missing
