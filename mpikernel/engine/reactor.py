"""What an engine does about each message: queue calls, drop those that are cancelled, say which are to be interrupted.

It runs nothing itself, and raises nothing in what runs: see `cutting`.
"""

from __future__ import annotations

from collections import deque

from mpikernel.engine import sharing
from mpikernel.engine.state import INTERRUPTED, BatchJob, Cut, EngineState, Function, Job
from mpikernel.wire.arguments import put_back
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
    Interrupt,
    Keys,
    Lost,
    LostForTasks,
    Pull,
    Push,
    PushShared,
    RunBatch,
    Withdraw,
    Withdrawn,
)
from mpikernel.wire.payload import size
from mpikernel.wire.transport import Arrival


def on_apply(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    message, frames = arrival.message, arrival.frames
    assert isinstance(message, Apply)
    function = _function_of(state, out, arrival, message, message.attempt > 0)
    arguments, lost = put_back(state.arguments, message.named, frames[message.carried :])
    for name in lost:
        out.send(arrival.sender, LostForTasks(name))
    state.queue.append(Job(message, arrival.sender, arguments, function))


def on_run_batch(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, RunBatch)
    function = _function_of(state, out, arrival, message, True)
    ends = memoryview(message.ends).cast("I")
    pending = deque(range(message.call, message.call + len(ends)))
    state.queue.append(BatchJob(message, arrival.sender, arrival.frames[-1:], function, None, pending, ends))


def _function_of(state: EngineState, out: Outbox, arrival: Arrival, message: Apply | RunBatch, for_tasks: bool) -> Function:
    """The function of a call, which comes with it or came before."""
    kept = state.functions[arrival.sender, for_tasks]
    sent = arrival.frames[: message.carried]
    if any(isinstance(frame, Missing) for frame in sent):
        out.send(arrival.sender, LostForTasks(message.function) if for_tasks else Lost(message.function, tasks=False))
    return kept.put(message.function, Function(sent), size(sent)) if sent else kept.get(message.function)


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
    dropped, kept = drop(state, arrival.message.calls, arrival.message.interrupt)
    for call in dropped:
        out.send(arrival.sender, Done(call, state.id, "aborted", 0.0, now, "", "", "cancelled before it began"))
    out.send(arrival.sender, Cancelled(dropped, kept))


def on_withdraw(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, Withdraw)
    message = arrival.message
    out.send(arrival.sender, Withdrawn(*drop(state, message.tasks, message.interrupt), message.client))


def on_interrupt(state: EngineState, out: Outbox, arrival: Arrival, now: float) -> None:
    """Have what runs interrupted, unless it is about to be, and will be again until it ends."""
    call, cut = state.begun, state.cut
    if call >= 0 and (cut is None or cut.call != call or (cut.why == INTERRUPTED and cut.raised)):
        state.cut = Cut(call, INTERRUPTED)


def drop(state: EngineState, calls: tuple[int, ...], interrupt: bool) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Take calls out of the queue; (those that were in it, the others: begun, ended). What has begun may be to be interrupted."""
    wanted = set(calls)
    dropped = [number for job in _jobs(state) if isinstance(job, BatchJob) for number in _take_out(job, wanted)]
    single = [job for job in state.queue if job.command.call in wanted and not isinstance(job, BatchJob)]
    for job in single:
        if isinstance(job.command, PushShared):
            state.sharing.drop(job.command.call)
        dropped.append(job.command.call)
    gone = set(dropped)
    if gone:
        remaining = [job for job in state.queue if (job.pending if isinstance(job, BatchJob) else job.command.call not in gone)]
        state.queue.clear()
        state.queue.extend(remaining)
    kept = tuple(call for call in calls if call not in gone)
    if interrupt and state.running is not None:
        state.unwanted.update(kept)
    return tuple(dropped), kept


def _jobs(state: EngineState) -> list[Job]:
    return [*state.queue, state.running] if state.running is not None else list(state.queue)


def _take_out(job: BatchJob, wanted: set[int]) -> list[int]:
    """Take tasks out of a batch that may be running; those that had not begun."""
    taken = []
    for number in sorted(wanted.intersection(job.pending.copy()), reverse=True):  # the last first: they begin last
        try:
            job.pending.remove(number)
        except ValueError:  # it has just begun
            continue
        taken.append(number)
    return taken


REACTIONS = {
    Apply: on_apply,
    RunBatch: on_run_batch,
    **dict.fromkeys((Execute, Push, Pull, Keys, Clear, Gather), on_command),
    Give: on_give,
    CancelCalls: on_cancel_calls,
    Withdraw: on_withdraw,
    Interrupt: on_interrupt,
    **sharing.REACTIONS,
}
PLACES = sharing.PLACES
