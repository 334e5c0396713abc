"""The task interface moves in."""

from __future__ import annotations

from mpikernel.boot.hosting import Rank
from mpikernel.interfaces.task.reactor import REACTIONS, tell_all, tick
from mpikernel.interfaces.task.state import Seat, TaskState
from mpikernel.wire.arguments import remember_arguments
from mpikernel.wire.notebook import Notebook


def host(rank: Rank) -> None:
    limit = rank.settings.argument_cache
    seats = [Seat(number, rank.hosts[number], arguments=remember_arguments(limit)) for number in rank.layout.engines]
    state = TaskState(Notebook(rank.layout.controller), seats, rank.settings.policy, limit)
    rank.loop.host(state, REACTIONS, tick)
    rank.at_goodbye.append(lambda out: tell_all(state, out, rank.loop.clock()))
