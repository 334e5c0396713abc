"""The controller moves in: its state, the ledger that rank 0 opened, and the watch over ranks that do not stop, or die."""

from __future__ import annotations

import time

from mpikernel.boot.hosting import Rank
from mpikernel.controller.reactor import REACTIONS, commit_when_due, end_without, lose
from mpikernel.controller.state import ControllerState
from mpikernel.errors import LedgerError, OverdueError
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import RankGone
from mpikernel.world.roles import Role


def host(rank: Rank) -> None:
    settings, ledger = rank.settings, rank.ledger
    assert ledger is not None
    state = ControllerState(rank.layout.size, ledger, settings.commit_interval, settings.commit_records, settings.grace, rank.layout.script)
    rank.loop.host(state, REACTIONS, commit_when_due)
    rank.loop.host(state, {}, lambda _state, out, now: _watch_stragglers(rank, state, out, now))
    if rank.transport.mortal:
        buried = {RankGone: lambda *_: None}  # the loop sees to that, which is all: it is noticed then
        rank.loop.host(state, buried, lambda _state, out, now: _watch_deaths(rank, state, out, now))
    rank.at_close.append(ledger.close)


def _watch_stragglers(rank: Rank, state: ControllerState, out: Outbox, now: float) -> None:
    """Close the ledger and give up when ranks have had their grace and have not stopped."""
    if not state.overdue(now) or state.code is None:
        return
    names = ", ".join(f"rank {missing} ({_roles(rank, missing)} on {rank.hosts[missing]})" for missing in state.missing)
    text = f"{names} did not stop within {state.grace:g} s of being told to (user code that does not listen, or a large transfer)"
    try:
        state.ledger.end_run(state.code, time.time())
        state.ledger.close()
    except LedgerError as error:
        text += f"; and {error}"
    raise OverdueError(text, state.code)


def _watch_deaths(rank: Rank, state: ControllerState, out: Outbox, now: float) -> None:
    """Have the world go on without engines that died; without any other rank it cannot."""
    if len(rank.transport.dead) == len(state.lost):
        return
    for number in sorted(rank.transport.dead - state.lost):
        who = f"rank {number} ({_roles(rank, number)} on {rank.hosts[number]})"
        if rank.layout.roles(number) != (Role.ENGINE,):
            rank.log.error(f"{who} died, and the world cannot do without it")
            end_without(state, out, number, f"{who} died", now)
            continue
        rank.log.warning(f"{who} died; the world goes on without it")
        lose(state, out, number, "its process has ended", now)


def _roles(rank: Rank, number: int) -> str:
    return "/".join(role.value for role in rank.layout.roles(number))
