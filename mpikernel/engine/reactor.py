"""What an engine does about each message: queue calls, drop those that are cancelled. It runs nothing itself."""

from __future__ import annotations

from mpikernel.engine import sharing
from mpikernel.engine.state import EngineState, Function, Job
from mpikernel.wire.envelope import Missing
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import (
    Apply,
    CancelCalls,
    Cancelled,
    Clear,
    Done,
    Execute,
    Gather,
    Give,
    Keys,
    Lost,
    LostForTasks,
    Pull,
    Push,
    PushShared,
    Withdraw,
    Withdrawn,
)
from mpikernel.wire.mirror import Kept
from mpikernel.wire.payload import size
from mpikernel.wire.transport import Arrival


def on_apply(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    message, frames = arrival.message, arrival.frames
    assert isinstance(message, Apply)
    kept = state.functions.setdefault((arrival.sender, message.attempt > 0), Kept())
    carried = message.carried
    sent = frames[:carried]
    function = kept.put(message.function, Function(sent), size(sent)) if sent else kept.get(message.function)
    if any(isinstance(frame, Missing) for frame in sent):
        out.send(arrival.sender, LostForTasks(message.function) if message.attempt else Lost(message.function, tasks=False))
    state.queue.append(Job(message, arrival.sender, frames[carried:], function))


def on_command(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, Execute | Push | Pull | Keys | Clear | Gather)
    state.queue.append(Job(arrival.message, arrival.sender, arrival.frames, None))


def on_give(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    """Remember what is asked for; it may have gone before, unasked."""
    assert isinstance(arrival.message, Give)
    job = state.promised.get(arrival.message.call)
    if job is not None and job.promise is not None:
        job.promise.asked = arrival.message


def on_cancel_calls(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, CancelCalls)
    dropped, kept = _drop(state, arrival.message.calls)
    for call in dropped:
        out.send(arrival.sender, Done(call, state.id, "aborted", 0.0, now, "", "", "cancelled before it began"))
    out.send(arrival.sender, Cancelled(dropped, kept))


def on_withdraw(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, Withdraw)
    out.send(arrival.sender, Withdrawn(*_drop(state, arrival.message.tasks), arrival.message.client))


def _drop(state: EngineState, calls: tuple[int, ...]) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Take calls out of the queue; (those that were in it, the others: begun, ended)."""
    wanted = set(calls)
    out_of_queue = [job for job in state.queue if job.command.call in wanted]
    for job in out_of_queue:
        if isinstance(job.command, PushShared):
            state.sharing.drop(job.command.call)
    dropped = tuple(job.command.call for job in out_of_queue)
    gone = set(dropped)
    if dropped:
        remaining = [job for job in state.queue if job.command.call not in gone]
        state.queue.clear()
        state.queue.extend(remaining)
    return dropped, tuple(call for call in calls if call not in gone)


REACTIONS = {
    Apply: on_apply,
    **dict.fromkeys((Execute, Push, Pull, Keys, Clear, Gather), on_command),
    Give: on_give,
    CancelCalls: on_cancel_calls,
    Withdraw: on_withdraw,
    **sharing.REACTIONS,
}
PLACES = sharing.PLACES
