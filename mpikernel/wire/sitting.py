"""What an engine says of a call that sits in MPI: in which of its calls, where in the user's code, and for whom it waits.

And the messages about it.
"""

from __future__ import annotations

from msgspec import Struct

from mpikernel.wire.message import Message

#: What a call of MPI does: all engines of a communicator together, sending, receiving; or some of it, it is not known which.
COLLECTIVE, SEND, RECEIVE, OTHER = "collective", "send", "receive", "other"


class Waits(Struct, frozen=True, array_like=True):
    """For whom a call of MPI waits."""

    name: str  # the method
    kind: str
    peers: tuple[int, ...]  # engines, without itself; empty if they are not known
    each: bool  # whether it needs each of them; otherwise any one may end the wait
    sure: bool  # whether it cannot go on without them; otherwise they may have done their part before


class Sitting(Struct, frozen=True, array_like=True):
    """A call that has been in one and the same call of MPI for a while."""

    what: str  # the call as the user wrote it, such as comm.Barrier()
    place: str  # file and line
    waits: Waits
    began: float  # when the user's call began (seconds since the epoch)
    seconds: float  # for so long at least it has not come back to Python
    trace: str  # where it is, as a traceback shows it


class Where(Message, frozen=True, array_like=True, tag=39):
    """client -> engine: say what you are doing."""

    question: int


class There(Message, frozen=True, array_like=True, tag=15):
    """The answer: the call that runs (-1 for none), whether there is nothing to do at all, and whether it sits in MPI."""

    question: int
    call: int
    idle: bool
    sitting: Sitting | None


class Seized(Message, frozen=True, array_like=True, tag=28):
    """client, engine -> task interface: an engine sits in a call that was given up, or does not any more: meanwhile it
    gets no task, and those that it has are taken back.
    """

    engine: int
    seized: bool
