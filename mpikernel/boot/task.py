"""The task interface moves in."""

from __future__ import annotations

from mpikernel.boot.hosting import Rank
from mpikernel.interfaces.task.reactor import REACTIONS
from mpikernel.interfaces.task.state import Seat, TaskState


def host(rank: Rank) -> None:
    seats = [Seat(number, rank.hosts[number]) for number in rank.layout.engines]
    rank.loop.host(TaskState(rank.layout.controller, seats), REACTIONS)
