"""What the task interface does: queue tasks, hand each to the least loaded engine that may take it, try again what failed.

Results of good tasks go from the engine straight to the client; this interface sees a header. Failures come here first.
"""

from __future__ import annotations

from mpikernel.errors import SerializeError
from mpikernel.interfaces.task.state import AHEAD, Failure, Seat, Task, TaskState
from mpikernel.ledger.records import Record
from mpikernel.wire.envelope import Missing
from mpikernel.wire.failure import describe, one_line
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import (
    Apply,
    Cancelled,
    CancelTasks,
    Done,
    Failed,
    Lost,
    LostForTasks,
    Released,
    Submit,
    Withdraw,
    Withdrawn,
)
from mpikernel.wire.mirror import Kept
from mpikernel.wire.payload import size
from mpikernel.wire.transport import Arrival


def on_submit(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message, frames = arrival.message, arrival.frames
    assert isinstance(message, Submit)
    kept = state.functions.setdefault(arrival.sender, Kept())
    sent = frames[: message.carried]
    function = kept.put(message.function, sent, size(sent)) if sent else kept.get(message.function)
    task = Task(message, arrival.sender, function, frames[message.carried :])
    if any(isinstance(frame, Missing) for frame in sent):
        out.send(arrival.sender, Lost(message.function, tasks=True))
    lost = next((frame for frame in (*function, *frames) if isinstance(frame, Missing)), None)
    if lost is not None:
        _refuse(state, out, task, lost, now)
        return
    state.line_up(task)
    _note(state, task, now, "submitted")
    _assign(state, out)


def on_lost(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    """An engine had no memory for a function: it is to be sent again with the next task that needs it."""
    assert isinstance(arrival.message, LostForTasks)
    next(seat for seat in state.seats if seat.rank == arrival.sender).sent.lost(arrival.message.function)


def on_released(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, Released)
    task = _take_back(state, message.task)
    _note(state, task, now, "ok", message.started, message.completed)
    _assign(state, out)


def on_failed(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, Failed)
    task = _take_back(state, message.done.call)
    task.failure = Failure(message.done, arrival.frames, task.attempt)
    if task.attempt <= task.submit.retries:
        task.attempt += 1
        task.engine = -1
        state.line_up(task)
    else:
        _end_failed(state, out, task, task.failure, now)
    _assign(state, out)


def on_cancel_tasks(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    """What still waits here ends at once; what an engine holds is asked back from it, which then answers."""
    assert isinstance(arrival.message, CancelTasks)
    wanted = set(arrival.message.tasks)
    dropped = _end_cancelled(state, out, state.take_out(wanted), now)
    held = wanted & state.assigned.keys()
    for engine in sorted({state.assigned[number].engine for number in held}):
        there = tuple(number for number in sorted(held) if state.assigned[number].engine == engine)
        out.send(state.seats[engine].rank, Withdraw(there, arrival.sender))
    if wanted - held:
        out.send(arrival.sender, Cancelled(dropped, tuple(wanted.difference(held, dropped))))


def on_withdrawn(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, Withdrawn)
    dropped = _end_cancelled(state, out, [_take_back(state, number) for number in message.dropped], now)
    ran = set(message.dropped).difference(dropped)
    out.send(message.client, Cancelled(dropped, (*message.kept, *sorted(ran))))
    _assign(state, out)


def _take_back(state: TaskState, number: int) -> Task:
    """A task has left its engine."""
    task = state.assigned.pop(number)
    state.seats[task.engine].held -= 1
    return task


def _assign(state: TaskState, out: Outbox) -> None:
    """Hand out what waits, in order, while engines have room. Only the first of each queue is looked at, however many wait."""
    while state.waiting and any(seat.held <= AHEAD for seat in state.seats):
        free = {targets: engine for targets in state.waiting if (engine := least_loaded(state.seats, targets)) is not None}
        if not free:
            return
        first = min(free, key=lambda targets: state.waiting[targets][0].place)
        _give(state, out, state.take_first(first), free[first])


def least_loaded(seats: list[Seat], targets: tuple[int, ...]) -> int | None:
    """The engine that holds fewest tasks and may take one more, or None."""
    free = [engine for engine in targets or range(len(seats)) if seats[engine].held <= AHEAD]
    return min(free, key=lambda engine: seats[engine].held, default=None)


def _give(state: TaskState, out: Outbox, task: Task, engine: int) -> None:
    seat, submit = state.seats[engine], task.submit
    frames = list(task.arguments)
    carried = 0
    if not seat.sent.knows(submit.function, size(task.function)):
        carried = len(task.function)
        frames = [*task.function, *frames]
    task.engine = engine
    seat.held += 1
    state.assigned[submit.task] = task
    out.send(seat.rank, Apply(submit.task, task.client, submit.function, carried, submit.label, task.attempt, submit.stream), frames)


def _end_cancelled(state: TaskState, out: Outbox, tasks: list[Task], now: float) -> tuple[int, ...]:
    """End tasks that no engine runs, and name those that never ran; what ran ends with the error that it ended with."""
    for task in tasks:
        if task.failure is None:
            _abort(state, out, task, now)
        else:
            _end_failed(state, out, task, task.failure, now)
    return tuple(task.submit.task for task in tasks if task.failure is None)


def _end_failed(state: TaskState, out: Outbox, task: Task, failure: Failure, now: float) -> None:
    """The run that failed was the last; if another was due, it never began."""
    done = failure.done
    task.engine, task.attempt = done.engine, failure.attempt
    _note(state, task, now, "error", done.started, done.completed, done.error)
    out.send(task.client, done, failure.frames)


def _refuse(state: TaskState, out: Outbox, task: Task, lost: Missing, now: float) -> None:
    """There was no memory here for what came with a task."""
    error = SerializeError(f"what goes with {task.submit.label} could not be queued by the task interface: {lost.decode()}")
    done = Done(task.submit.task, -1, "error", 0.0, now, "", "", one_line(error))
    _end_failed(state, out, task, Failure(done, describe(error, "in the task interface:"), 1), now)


def _abort(state: TaskState, out: Outbox, task: Task, now: float) -> None:
    done = Done(task.submit.task, -1, "aborted", 0.0, now, "", "", "cancelled before it began")
    _note(state, task, now, "aborted", 0.0, now, done.error)
    out.send(task.client, done)


def _note(state: TaskState, task: Task, now: float, status: str, started: float = 0.0, completed: float = 0.0, error: str = "") -> None:
    """Have the ledger keep how things stand with a task."""
    submit, engine = task.submit, task.engine
    rank, host = (state.seats[engine].rank, state.seats[engine].host) if engine >= 0 else (-1, "")
    record = Record(
        submit.task, "task", submit.label, engine, rank, host, submit.submitted, started, completed, status, error, task.attempt
    )
    state.notes.write(record, now)


def tick(state: TaskState, out: Outbox, now: float) -> None:
    """Let records go to the controller when it is time."""
    state.notes.send_when_due(out, now)


REACTIONS = {
    Submit: on_submit,
    CancelTasks: on_cancel_tasks,
    Released: on_released,
    Failed: on_failed,
    Withdrawn: on_withdrawn,
    LostForTasks: on_lost,
}
