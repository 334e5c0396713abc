"""The task interface moves in."""

from __future__ import annotations

from mpikernel.boot.hosting import Rank
from mpikernel.interfaces.task.keeping import Keeping
from mpikernel.interfaces.task.reactor import REACTIONS, tell_all, tick
from mpikernel.interfaces.task.seats import Seat
from mpikernel.interfaces.task.state import TaskState
from mpikernel.wire.arguments import remember_arguments
from mpikernel.wire.notebook import Notebook


def host(rank: Rank) -> None:
    settings = rank.settings
    limit = settings.argument_cache
    seats = [Seat(number, rank.hosts[number], arguments=remember_arguments(limit)) for number in rank.layout.engines]
    state = TaskState(Notebook(rank.layout.controller), seats, settings.policy, settings.crash_limit, limit)
    state.keeping = Keeping(settings.keep_calls, settings.keep_calls_total)
    state.mortal = rank.transport.mortal
    rank.loop.host(state, REACTIONS, tick)
    rank.at_goodbye.append(lambda out: tell_all(state, out, rank.loop.clock()))
