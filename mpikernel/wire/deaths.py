"""The messages that tell of deaths: each names the rank of a process that has ended, and who gets one gets nothing more from that rank.

First it is rank -> controller, where MPI does not tell; then controller -> client, and client -> task interface.
"""

from __future__ import annotations

from mpikernel.wire.message import Message


class RankGone(Message, frozen=True, array_like=True, tag=63):
    """A process of the sender's host is not there any more."""

    rank: int


class EngineDied(Message, frozen=True, array_like=True, tag=61):
    """controller -> client: an engine's process has ended."""

    rank: int
    reason: str


class EngineLost(Message, frozen=True, array_like=True, tag=62):
    """An engine died, and nothing of it comes here any more: see to its tasks. `calls` is how many direct calls it had.

    `open` are the tasks that have not ended as far as the client knows (native int64). Those whose results were on their way to it
    are among them, and those that ended well although nobody told the task interface are not.
    """

    rank: int
    reason: str
    calls: int
    open: bytes


#: All of them.
OBITUARIES = (RankGone, EngineDied, EngineLost)
