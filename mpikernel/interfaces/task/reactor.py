"""What the task interface does: queue tasks, have them handed out, try again what failed, and write down what became of each.

Results of good tasks go from the engine straight to the client; this interface sees a header. Failures come here first.
"""

from __future__ import annotations

from collections.abc import Sequence

from mpikernel.errors import SerializeError
from mpikernel.interfaces.task.handing import hand_out, recall
from mpikernel.interfaces.task.state import Batch, Failure, Stretch, Task, TaskState, runs
from mpikernel.ledger.records import OK, SUBMITTED, Record, RecordRange
from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.failure import describe, one_line
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import (
    NOBODY,
    Cancelled,
    CancelTasks,
    Done,
    Failed,
    Lost,
    LostForTasks,
    Released,
    ReleasedBatch,
    Submit,
    SubmitBatch,
    Withdraw,
    Withdrawn,
)
from mpikernel.wire.mirror import Kept
from mpikernel.wire.payload import size
from mpikernel.wire.transport import Arrival

#: That a batch was submitted is recorded if it has not ended so soon (seconds): most have, and are recorded once.
SOON = 0.05


def on_submit(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message, frames = arrival.message, arrival.frames
    assert isinstance(message, Submit)
    function = _function_of(state, out, arrival.sender, message, frames)
    task = Task(message, arrival.sender, function, frames[message.carried :])
    lost = _lost([*function, *frames])
    if lost is not None:
        _refuse(state, out, task, lost, now)
        return
    state.line_up(task)
    _note(state, task, now, SUBMITTED)
    hand_out(state, out, now)


def on_submit_batch(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message, frames = arrival.message, arrival.frames
    assert isinstance(message, SubmitBatch)
    function = _function_of(state, out, arrival.sender, message, frames)
    numbers = range(message.first, message.first + message.count)
    ends = memoryview(message.ends).cast("I")
    batch = Batch(message, arrival.sender, function, frames[-1], ends, now, set(numbers))
    state.batches[message.first] = batch
    lost = _lost([*function, *frames])
    if lost is not None:
        for number in numbers:
            _refuse(state, out, batch.single(number), lost, now)
        return
    state.unrecorded.append(batch)
    state.line_up(Stretch(batch, numbers))
    hand_out(state, out, now)


def _function_of(state: TaskState, out: Outbox, client: int, message: Submit | SubmitBatch, frames: Sequence[Frame]) -> Sequence[Frame]:
    """The function of a task, which comes with it or came before."""
    kept = state.functions.setdefault(client, Kept())
    sent = frames[: message.carried]
    if _lost(sent) is not None:
        out.send(client, Lost(message.function, tasks=True))
    return kept.put(message.function, sent, size(sent)) if sent else kept.get(message.function)


def _lost(frames: Sequence[Frame]) -> Missing | None:
    return next((frame for frame in frames if isinstance(frame, Missing)), None)


def on_lost(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    """An engine had no memory for a function: it is to be sent again with the next task that needs it."""
    assert isinstance(arrival.message, LostForTasks)
    state.seats[state.seat_of(arrival.sender)].sent.lost(arrival.message.function)


def on_released(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, Released)
    task = _take_back(state, message.task, state.seat_of(arrival.sender))
    _learn(state, task.engine, task.submit.function, message.completed - message.started, now)
    _note(state, task, now, OK, message.started, message.completed)
    hand_out(state, out, now)


def on_released_batch(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, ReleasedBatch)
    numbers, seat = range(message.first, message.first + message.count), state.seats[message.engine]
    submit = state.batches[message.batch].submit
    seat.take_from_lot(message.batch, numbers)
    seat.take(submit.function, -message.count)
    state.close(message.batch, numbers)
    times = memoryview(message.times).cast("d")
    _learn(state, message.engine, submit.function, (times[-1] - times[0]) / message.count, now)
    place = (message.engine, seat.rank, seat.host, submit.submitted)
    state.notes.write_range(RecordRange(message.first, message.count, submit.label, *place, OK, message.times), now)
    hand_out(state, out, now)


def on_failed(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, Failed)
    done = message.done
    task = _take_back(state, done.call, done.engine)
    _learn(state, done.engine, task.submit.function, done.completed - done.started, now)
    task.failure = Failure(done, arrival.frames, task.attempt)
    if task.attempt <= task.submit.terms.retries:
        task.attempt += 1
        task.engine = -1
        state.line_up(task)
    else:
        _end_failed(state, out, task, task.failure, now)
    hand_out(state, out, now)


def on_cancel_tasks(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, CancelTasks)
    _cancel(state, out, set(arrival.message.tasks), arrival.sender, now)


def _cancel(state: TaskState, out: Outbox, wanted: set[int], client: int, now: float) -> None:
    """What still waits here ends at once; what an engine holds is asked back from it, which then answers."""
    dropped = _end_cancelled(state, out, state.take_out(wanted), now)
    held: set[int] = set()
    for engine, seat in enumerate(state.seats):
        there = {number for number in wanted & state.assigned.keys() if state.assigned[number].engine == engine}
        there.update(*(wanted & lot for lot in seat.lots.values()))
        if there:
            out.send(seat.rank, Withdraw(tuple(sorted(there)), client, interrupt=False))
            held |= there
    if wanted - held:
        out.send(client, Cancelled(dropped, tuple(wanted.difference(held, dropped))))


def on_withdrawn(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    """An engine has given back what it had not begun: to be cancelled, or because another engine has nothing to do."""
    message = arrival.message
    assert isinstance(message, Withdrawn)
    engine = state.seat_of(arrival.sender)
    if message.client == NOBODY:
        _line_up_again(state, message.dropped, engine)
    else:
        _cancelled_there(state, out, message, engine, now)
    hand_out(state, out, now)


def _cancelled_there(state: TaskState, out: Outbox, message: Withdrawn, engine: int, now: float) -> None:
    dropped = _end_cancelled(state, out, [_take_back(state, number, engine) for number in message.dropped], now)
    moved = {number for number in message.kept if _is_elsewhere(state, number, engine)}
    kept = sorted({*message.kept, *message.dropped}.difference(dropped, moved))
    out.send(message.client, Cancelled(dropped, tuple(kept)))
    if moved:
        _cancel(state, out, moved, message.client, now)


def _is_elsewhere(state: TaskState, number: int, engine: int) -> bool:
    """Whether a task that an engine does not have has been recalled from it: it waits again, or another engine has it."""
    task = state.assigned.get(number)
    if task is not None:
        return task.engine != engine
    if any(number in lot for lot in state.seats[engine].lots.values()):
        return False
    return any(number in entry.numbers for entry in state.in_line) or any(
        number in lot for seat in state.seats for lot in seat.lots.values()
    )


def _line_up_again(state: TaskState, numbers: Sequence[int], engine: int) -> None:
    """Tasks that an engine has not begun wait again, before all others."""
    seat = state.seats[engine]
    seat.recalled = not numbers  # who had some may have more
    for number in sorted(state.assigned.keys() & set(numbers), reverse=True):
        task = _take_back(state, number, engine)
        task.engine = -1
        state.line_up_first(task)
    for batch, lot in list(seat.lots.items()):
        back = sorted(lot.intersection(numbers))
        whole = state.batches[batch]
        if back:
            seat.take_from_lot(batch, back)
            seat.take(whole.submit.function, -len(back))
        for run in reversed(list(runs(back))):
            state.line_up_first(Stretch(whole, run))


def _take_back(state: TaskState, number: int, engine: int) -> Task:
    """A task has left its engine."""
    task, seat = state.assigned.pop(number, None), state.seats[engine]
    if task is None:
        batch = next(batch for batch, lot in seat.lots.items() if number in lot)
        task = state.batches[batch].single(number)
        task.engine = engine
        seat.take_from_lot(batch, (number,))
    seat.take(task.submit.function, -1)
    return task


def _learn(state: TaskState, engine: int, function: bytes, seconds: float, now: float) -> None:
    """An engine tells how long tasks took."""
    state.paces.learn(function, seconds)
    seat = state.seats[engine]
    seat.heard, seat.recalled = now, False


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
    task.engine = -1
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
    if task.batch >= 0 and status != SUBMITTED:
        state.close(task.batch, (submit.task,))


def tick(state: TaskState, out: Outbox, now: float) -> None:
    """Let records go to the controller when it is time, and see to engines that have nothing to do."""
    while state.unrecorded and now - state.unrecorded[0].came >= SOON:
        _note_submitted(state, state.unrecorded.popleft(), now)
    if state.assigned or state.batches:
        recall(state, out, now)
    state.notes.send_when_due(out, now)


def _note_submitted(state: TaskState, batch: Batch, now: float) -> None:
    """Have the ledger keep that tasks of a batch were submitted, of those that have not ended."""
    submit = batch.submit
    for run in runs(sorted(batch.open)):
        state.notes.write_range(RecordRange(run.start, len(run), submit.label, -1, -1, "", submit.submitted, SUBMITTED), now)


def tell_all(state: TaskState, out: Outbox, now: float) -> None:
    """Have everything recorded now: the world ends."""
    while state.unrecorded:
        _note_submitted(state, state.unrecorded.popleft(), now)
    state.notes.send(out)


REACTIONS = {
    Submit: on_submit,
    SubmitBatch: on_submit_batch,
    CancelTasks: on_cancel_tasks,
    Released: on_released,
    ReleasedBatch: on_released_batch,
    Failed: on_failed,
    Withdrawn: on_withdrawn,
    LostForTasks: on_lost,
}
