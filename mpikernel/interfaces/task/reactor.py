"""What the task interface does: queue tasks, hand each to the least loaded engine that may take it, try again what failed.

Results of good tasks go from the engine straight to the client; this interface sees a header. Failures come here first.
"""

from __future__ import annotations

from collections import deque

from mpikernel.interfaces.task.state import AHEAD, Seat, Task, TaskState
from mpikernel.ledger.records import Record
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Apply, Cancelled, CancelTasks, Done, Failed, Released, Submit, Withdraw, Withdrawn
from mpikernel.wire.mirror import Kept
from mpikernel.wire.transport import Arrival


def on_submit(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message, frames = arrival.message, arrival.frames
    assert isinstance(message, Submit)
    kept = state.functions.setdefault(arrival.sender, Kept())
    function = kept.put(message.function, frames[: message.carried]) if message.carried else kept.get(message.function)
    task = Task(message, arrival.sender, function, frames[message.carried :])
    state.waiting.append(task)
    _note(state, task, now, "submitted")
    _assign(state, out)


def on_released(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, Released)
    task = _take_back(state, message.task)
    _note(state, task, now, "ok", message.started, message.completed)
    _assign(state, out)


def on_failed(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, Failed)
    done = message.done
    task = _take_back(state, done.call)
    if task.attempt <= task.submit.retries:
        task.attempt += 1
        task.engine = -1
        state.waiting.append(task)
    else:
        _note(state, task, now, "error", done.started, done.completed, done.error)
        out.send(task.client, done, arrival.frames)
    _assign(state, out)


def on_cancel_tasks(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    """What still waits here is dropped at once; what an engine holds is asked back from it, which then answers."""
    assert isinstance(arrival.message, CancelTasks)
    wanted = set(arrival.message.tasks)
    dropped = [task for task in state.waiting if task.submit.task in wanted]
    if dropped:
        state.waiting = deque(task for task in state.waiting if task.submit.task not in wanted)
    for task in dropped:
        _abort(state, out, task, now)
    gone = {task.submit.task for task in dropped}
    held = wanted & state.assigned.keys()
    for engine in sorted({state.assigned[number].engine for number in held}):
        there = tuple(number for number in sorted(held) if state.assigned[number].engine == engine)
        out.send(state.seats[engine].rank, Withdraw(there, arrival.sender))
    if wanted - held:
        out.send(arrival.sender, Cancelled(tuple(gone), tuple(wanted - held - gone)))


def on_withdrawn(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, Withdrawn)
    for number in message.dropped:
        _abort(state, out, _take_back(state, number), now)
    out.send(message.client, Cancelled(message.dropped, message.kept))
    _assign(state, out)


def _take_back(state: TaskState, number: int) -> Task:
    """A task has left its engine."""
    task = state.assigned.pop(number)
    state.seats[task.engine].held -= 1
    return task


def _assign(state: TaskState, out: Outbox) -> None:
    """Hand out what waits, in order, while engines have room."""
    passed: list[Task] = []  # their engines have no room, others may have
    while state.waiting and any(seat.held <= AHEAD for seat in state.seats):
        task = state.waiting.popleft()
        engine = least_loaded(state.seats, task.submit.targets)
        if engine is None:
            passed.append(task)
        else:
            _give(state, out, task, engine)
    state.waiting.extendleft(reversed(passed))


def least_loaded(seats: list[Seat], targets: tuple[int, ...]) -> int | None:
    """The engine that holds fewest tasks and may take one more, or None."""
    free = [engine for engine in targets or range(len(seats)) if seats[engine].held <= AHEAD]
    return min(free, key=lambda engine: seats[engine].held, default=None)


def _give(state: TaskState, out: Outbox, task: Task, engine: int) -> None:
    seat, submit = state.seats[engine], task.submit
    frames = list(task.arguments)
    carried = 0
    if not seat.sent.knows(submit.function):
        carried = len(task.function)
        frames = [*task.function, *frames]
    task.engine = engine
    seat.held += 1
    state.assigned[submit.task] = task
    out.send(seat.rank, Apply(submit.task, task.client, submit.function, carried, submit.label, task.attempt, submit.stream), frames)


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
}
