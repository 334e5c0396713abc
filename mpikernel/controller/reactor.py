"""What the controller does: keep records, and end the world in order. What it says about records is in answering.py.

The end: someone says why (the script is over, a signal), everybody is told to stop, everybody says goodbye, the ledger is
closed, everybody is told to leave. Whoever does not stop within the grace is named, and the world is aborted (by boot); who has died
is not waited for.
"""

from __future__ import annotations

import signal
from collections.abc import Sequence
from itertools import islice

from msgspec.structs import replace

from mpikernel.controller import answering
from mpikernel.controller.state import ControllerState
from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.records import expand
from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import SCRIPT_ENDED, EngineDied, Goodbye, Leave, Note, ScriptEnded, Signalled, Stop
from mpikernel.wire.transport import Arrival
from mpikernel.world.exit_codes import BROKEN, SIGNAL_BASE


def on_note(state: ControllerState, out: Outbox, arrival: Arrival, now: float) -> None:
    note = arrival.message
    assert isinstance(note, Note)
    if state.left:  # the run is closed, and what it cut short stays unfinished in it
        return
    for records in note.ranges:
        state.ledger.write(expand(records))
    state.ledger.write(note.records)
    frames = iter(arrival.frames)
    for shared in note.kept_shared:
        _keep(state, shared, list(islice(frames, shared.parts)))
    for call in note.kept_calls:
        _keep(state, call, list(islice(frames, call.parts)))


def _keep(state: ControllerState, kept: KeptCall | KeptShared, frames: Sequence[Frame]) -> None:
    """Keep what tasks call, or what calls share; only that it was too much, if there was no memory for it here."""
    if any(isinstance(frame, Missing) for frame in frames):
        kept, frames = replace(kept, parts=0), ()
    state.ledger.keep(kept, frames)


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
    _let_go(state, out, now)


def lose(state: ControllerState, out: Outbox, rank: int, reason: str, now: float) -> None:
    """An engine's process has ended. The client is told, and tells the task interface; nobody waits for its goodbye."""
    state.lost.add(rank)
    out.send(state.script, EngineDied(rank, reason))
    if state.code is not None:
        _let_go(state, out, now)


def end_without(state: ControllerState, out: Outbox, rank: int, reason: str, now: float) -> None:
    """A rank that nothing goes on without has died."""
    state.lost.add(rank)
    _end(state, out, BROKEN, reason, now)
    _let_go(state, out, now)


def _let_go(state: ControllerState, out: Outbox, now: float) -> None:
    """Tell everybody to leave when everybody has stopped."""
    if state.code is None or state.missing or state.left:
        return
    state.ledger.end_run(state.code, now)
    state.left = True
    for rank in state.living:
        out.send(rank, Leave(tuple(sorted(state.lost))))


def _end(state: ControllerState, out: Outbox, code: int, reason: str, now: float) -> None:
    """Begin the end, once; the first reason counts."""
    if state.code is not None:
        return
    state.code, state.deadline = code, now + state.grace
    for rank in state.living:
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
