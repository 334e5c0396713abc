"""The controller moves in: its state, the ledger that rank 0 opened, and the watch over ranks that do not stop."""

from __future__ import annotations

import time

from mpikernel.boot.hosting import Rank
from mpikernel.controller.reactor import REACTIONS, commit_when_due
from mpikernel.controller.state import ControllerState
from mpikernel.errors import LedgerError, OverdueError
from mpikernel.wire.loop import Outbox


def host(rank: Rank) -> None:
    settings, ledger = rank.settings, rank.ledger
    assert ledger is not None
    state = ControllerState(rank.layout.size, ledger, settings.commit_interval, settings.commit_records, settings.grace)
    rank.loop.host(state, REACTIONS, commit_when_due)
    rank.loop.host(state, {}, lambda _state, out, now: _watch_stragglers(rank, state, out, now))
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


def _roles(rank: Rank, number: int) -> str:
    return "/".join(role.value for role in rank.layout.roles(number))
