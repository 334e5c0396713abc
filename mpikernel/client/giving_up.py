"""How a call ends that is given up while it sits in MPI, and one that could not begin because of it: what they say, and to whom.

The engine of a call that is given up is told to interrupt it: when it comes back after all, it ends there and goes on to nothing else.
What comes of it then is dropped, since the call has ended.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from mpikernel.client.state import Call, ClientState, Refusal
from mpikernel.errors import EngineStuckError
from mpikernel.wire.failure import describe_from, one_line
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import CancelCalls, Done
from mpikernel.wire.sitting import Sitting
from mpikernel.wire.transport import Arrival

#: So many engines are named that one waits for.
NAMED = 3


class Reason(NamedTuple):
    """Why a call is given up."""

    status: str  # as in Done
    text: str


def in_vain(state: ClientState, call: Call, sitting: Sitting, gone: set[int], others: Mapping[int, Sitting]) -> Reason:
    """It waits for who will not come."""
    peers = [engine for engine in sitting.waits.peers or range(len(state.engines)) if engine != call.engine]
    missing = [engine for engine in peers if engine in gone] or [engine for engine in peers if engine in others]
    told = [_fate(state, call, engine, others.get(engine)) for engine in missing[:NAMED]]
    more = [f"{len(missing) - NAMED} more"] if len(missing) > NAMED else []
    return Reason("error", f"it waits in {_at(sitting)} for {'; '.join(told + more)}")


def _fate(state: ClientState, call: Call, engine: int, sitting: Sitting | None) -> str:
    """What became of an engine that a call waits for."""
    name = state.name_of(engine)
    if engine in state.lost:
        return f"{name}, which died: {state.lost[engine]}"
    if sitting is not None:
        return f"{name}, which waits in {_at(sitting)}"
    parts = call.collector.calls if call.collector is not None else ()
    done = next((part.done for part in parts if part.engine == engine), None)
    if done is None:
        return f"{name}, which has nothing to do"
    return f"{name}, which {'has ended' if done.status == 'ok' else f'raised {done.error}' if done.status == 'error' else 'was cancelled'}"


def interrupted(state: ClientState, call: Call, sitting: Sitting) -> Reason:
    """It was to be interrupted, and does not hear it."""
    return Reason("aborted", f"interrupted, but {state.name_of(call.engine)} sits in {_at(sitting)}, which no interrupt ends")


def give_up(state: ClientState, out: Outbox, call: Call, sitting: Sitting, reason: Reason, now: float) -> None:
    """End a call that goes on, as soon as its engine will interrupt it. What it has printed is in the engine's log."""
    rank = state.engines[call.engine]
    out.send(rank, CancelCalls((call.id,), interrupt=True))
    text, frames = reason.text, []
    if reason.status == "error":
        error = EngineStuckError(reason.text)
        text, frames = one_line(error), describe_from(error, _heading(state, call), sitting.trace)
    done = Done(call.id, call.engine, reason.status, sitting.began, now, "", "", text)
    state.given_up[call.id] = Arrival(rank, done, frames)


def refuse(state: ClientState, out: Outbox, call: Call, sitting: Sitting) -> None:
    """Have a call dropped that waits behind one that was given up; should it begin just now, it may."""
    error = EngineStuckError(f"it could not begin: its engine has not come back from {_at(sitting)} of an earlier call")
    state.refused[call.id] = Refusal(one_line(error), describe_from(error, _heading(state, call), sitting.trace))
    out.send(state.engines[call.engine], CancelCalls((call.id,), interrupt=False))


def _heading(state: ClientState, call: Call) -> str:
    return f"{state.place_of(call.engine)}, in {call.label}:"


def _at(sitting: Sitting) -> str:
    return f"{sitting.what} ({sitting.place})"
