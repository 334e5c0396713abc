"""What the controller does: keep records, and end the world in order. What it says about records is in answering.py.

The end: someone says why (the script is over, a signal), everybody is told to stop, everybody says goodbye, the ledger is
closed, everybody is told to leave. Whoever does not stop within the grace is named, and the world is aborted (by boot).
"""

from __future__ import annotations

import signal

from mpikernel.controller import answering
from mpikernel.controller.state import ControllerState
from mpikernel.ledger.records import expand
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import SCRIPT_ENDED, Goodbye, Leave, Note, ScriptEnded, Signalled, Stop
from mpikernel.wire.transport import Arrival
from mpikernel.world.exit_codes import SIGNAL_BASE


def on_note(state: ControllerState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, Note)
    if not state.left:  # else the run is closed, and what it cut short stays unfinished in it
        for records in arrival.message.ranges:
            state.ledger.write(expand(records))
        state.ledger.write(arrival.message.records)


def on_script_ended(state: ControllerState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, ScriptEnded)
    _end(state, out, arrival.message.code, SCRIPT_ENDED, now)


def on_signalled(state: ControllerState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, Signalled)
    signum = arrival.message.signum
    _end(state, out, SIGNAL_BASE + signum, f"{signal.Signals(signum).name} came to rank {arrival.sender}", now)


def on_goodbye(state: ControllerState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, Goodbye)
    state.stopped.add(arrival.message.rank)
    if len(state.stopped) < state.size or state.left:
        return
    assert state.code is not None
    state.ledger.end_run(state.code, now)
    state.left = True
    for rank in range(state.size):
        out.send(rank, Leave())


def _end(state: ControllerState, out: Outbox, code: int, reason: str, now: float) -> None:
    """Begin the end, once; the first reason counts."""
    if state.code is not None:
        return
    state.code, state.deadline = code, now + state.grace
    for rank in range(state.size):
        out.send(rank, Stop(code, reason))


def commit_when_due(state: ControllerState, out: Outbox, now: float) -> None:
    """Group commit: after so many records, or when the oldest has waited long enough."""
    pending = state.ledger.pending
    if not pending:
        state.committed = now
    elif pending >= state.commit_records or now - state.committed >= state.commit_interval:
        state.ledger.commit()
        state.committed = now


REACTIONS = {Note: on_note, ScriptEnded: on_script_ended, Signalled: on_signalled, Goodbye: on_goodbye} | answering.REACTIONS
