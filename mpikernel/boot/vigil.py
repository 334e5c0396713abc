"""Where ranks may die, the first rank of each host sees whether the processes of the others are there.

MPI tells of those that a signal has ended, and not of those that leave by themselves, as C's exit and Fortran's stop do.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from mpikernel.boot.agreement import Member
from mpikernel.boot.hosting import Rank
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import RankGone

#: Seconds between two looks.
LOOK = 0.5


class Vigil:
    """Of the first rank of a host."""

    def __init__(self, rank: Rank, members: Sequence[Member]) -> None:
        here = members[rank.rank].host
        self._rank = rank
        self._pids = {number: member.pid for number, member in enumerate(members) if member.host == here and number != rank.rank}
        self._looked = 0.0

    def tick(self, out: Outbox) -> None:
        """Tell the controller who is gone, unless it knows or the world ends."""
        now = time.monotonic()
        if now - self._looked < LOOK or self._rank.loop.stop is not None:
            return
        self._looked = now
        for number in [number for number, pid in self._pids.items() if not _is_there(pid)]:
            del self._pids[number]
            out.send(self._rank.layout.controller, RankGone(number))


def keep_vigil(rank: Rank, members: Sequence[Member]) -> None:
    """Begin, if this is the rank that does."""
    if not rank.transport.mortal or [member.host for member in members].index(members[rank.rank].host) != rank.rank:
        return
    vigil = Vigil(rank, members)
    rank.loop.host(vigil, {}, lambda vigil, out, _now: vigil.tick(out))


def _is_there(process: int) -> bool:
    try:
        os.kill(process, 0)
    except (ProcessLookupError, PermissionError):  # the second: its number is another user's by now
        return False
    return True
