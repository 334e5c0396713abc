"""What the task interface does: queue tasks, have them handed out, try again what failed, and write down what became of each.

Results of good tasks go from the engine straight to the client; this interface sees a header. Failures come here first.
"""

from __future__ import annotations

from collections.abc import Sequence

from mpikernel.errors import SerializeError
from mpikernel.interfaces.task.cancelling import cancel, cancelled_there, line_up_again, take_back
from mpikernel.interfaces.task.dependents import take_in, tell_dependents
from mpikernel.interfaces.task.ending import end_cancelled, end_run, end_with, note
from mpikernel.interfaces.task.entries import Batch, Failure, Stretch, Task, runs
from mpikernel.interfaces.task.handing import recall_all, see_to_engines
from mpikernel.interfaces.task.limits import look_when_due
from mpikernel.interfaces.task.losing import lose
from mpikernel.interfaces.task.outcomes import Ended
from mpikernel.interfaces.task.recovering import begin_recovery
from mpikernel.interfaces.task.refusals import offer, refused
from mpikernel.interfaces.task.standing import on_ask_standing
from mpikernel.interfaces.task.state import TaskState
from mpikernel.ledger.records import ABORTED, OK, SUBMITTED, RecordRange
from mpikernel.wire.arguments import keep_arguments, put_back
from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import (
    NOBODY,
    AskStanding,
    CancelTasks,
    EngineLost,
    Failed,
    Lost,
    LostForTasks,
    Released,
    ReleasedBatch,
    Seized,
    Submit,
    SubmitBatch,
    SubmitFunction,
    Withdrawn,
)
from mpikernel.wire.payload import size
from mpikernel.wire.terms import Terms
from mpikernel.wire.transport import Arrival

#: That a batch was submitted is recorded if it has not ended so soon (seconds): most have, and are recorded once.
SOON = 0.05


def on_submit(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message, frames = arrival.message, arrival.frames
    assert isinstance(message, Submit)
    state.outcomes.forget(message.settled)
    recovery = _recovery_of(state, arrival.sender, message.terms)
    function = _function_of(state, out, arrival.sender, message, frames)
    arguments = _arguments_of(state, out, arrival.sender, message, frames)
    targets = message.terms.targets
    task = Task(message, arrival.sender, function, arguments, targets, targets, recovery=recovery)
    lost = _lost([*function, *arguments, *recovery])
    if lost is not None:
        _refuse(state, out, [task], lost, now)
    else:
        _keep_call(state, message, task, arguments, now)
        note(state, task, now, SUBMITTED)
        take_in(state, out, task, now)
    _go_on(state, out, now)


def on_submit_batch(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message, frames = arrival.message, arrival.frames
    assert isinstance(message, SubmitBatch)
    state.outcomes.forget(message.settled)
    recovery = _recovery_of(state, arrival.sender, message.terms)
    function = _function_of(state, out, arrival.sender, message, frames)
    numbers = range(message.first, message.first + message.count)
    ends = memoryview(message.ends).cast("I")
    batch = Batch(message, arrival.sender, function, frames[-1], ends, now, set(numbers), message.terms.targets, recovery)
    state.batches[message.first] = batch
    lost = _lost([*function, *frames, *recovery])
    if lost is not None:
        _refuse(state, out, [batch.single(number) for number in numbers], lost, now)
    else:
        _keep_call(state, message, batch, frames[-1:], now)
        state.unrecorded.append(batch)
        take_in(state, out, Stretch(batch, numbers), now)
    _go_on(state, out, now)


def _keep_call(state: TaskState, message: Submit | SubmitBatch, tasks: Task | Batch, arguments: Sequence[Frame], now: float) -> None:
    """Have the ledger keep what tasks call."""
    state.keeping.shared(state.notes, message.function, tasks.function, now)
    if tasks.recovery:
        state.keeping.shared(state.notes, message.terms.recovery, tasks.recovery, now)
    state.keeping.call(state.notes, message, arguments, now)


def _go_on(state: TaskState, out: Outbox, now: float) -> None:
    """Whatever has changed: see to what depended on it, and at the end of this turn to engines that have room."""
    tell_dependents(state, out, now)
    state.changed = True


def _function_of(state: TaskState, out: Outbox, client: int, message: Submit | SubmitBatch, frames: Sequence[Frame]) -> Sequence[Frame]:
    """The function of a task, which comes with it or came before."""
    sent = frames[: message.carried]
    return _keep(state, out, client, message.function, sent) if sent else state.functions[client].get(message.function)


def _recovery_of(state: TaskState, client: int, terms: Terms) -> Sequence[Frame]:
    """The recovery of a task, which came before. It is looked up before the task's function, as the client does."""
    return state.functions[client].get(terms.recovery) if terms.recovery else ()


def on_submit_function(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, SubmitFunction)
    _keep(state, out, arrival.sender, arrival.message.function, arrival.frames)


def _keep(state: TaskState, out: Outbox, client: int, function: bytes, frames: Sequence[Frame]) -> Sequence[Frame]:
    """Keep a function that a client has sent; if there was no memory for it, it is to be sent again."""
    if _lost(frames) is not None:
        out.send(client, Lost(function, tasks=True))
    return state.functions[client].put(function, frames, size(frames))


def _arguments_of(state: TaskState, out: Outbox, client: int, message: Submit, frames: Sequence[Frame]) -> Sequence[Frame]:
    """What a task is called with, of which some may have come before."""
    if not message.named:
        return frames[message.carried :]
    kept = state.arguments.get(client)
    if kept is None:
        kept = state.arguments[client] = keep_arguments(state.argument_cache)
    arguments, lost = put_back(kept, message.named, frames[message.carried :])
    for name in lost:
        out.send(client, Lost(name, tasks=True))
    return arguments


def _lost(frames: Sequence[Frame]) -> Missing | None:
    return next((frame for frame in frames if isinstance(frame, Missing)), None)


def on_lost(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    """An engine had no memory for a function, or an argument: it is to be sent again with the next task that needs it."""
    assert isinstance(arrival.message, LostForTasks)
    seat = state.seats[state.seat_of(arrival.sender)]
    for sent in (seat.sent, seat.arguments):
        sent.lost(arrival.message.name)


def _refuse(state: TaskState, out: Outbox, tasks: Sequence[Task], lost: Missing, now: float) -> None:
    """There was no memory here for what came with tasks."""
    text = f"what goes with {tasks[0].submit.label} could not be queued by the task interface: {lost.decode()}"
    end_with(state, out, tasks, SerializeError(text), now)


def on_released(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, Released)
    task = take_back(state, message.task, state.seat_of(arrival.sender))
    _learn(state, task.engine, task.submit.function, message.completed - message.started, now)
    note(state, task, now, OK, message.started, message.completed)
    if state.mortal:
        state.seats[task.engine].recent.put(task, size(task.arguments))
    _go_on(state, out, now)


def on_released_batch(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, ReleasedBatch)
    numbers, seat = range(message.first, message.first + message.count), state.seats[message.engine]
    whole = state.batches[message.batch]
    submit = whole.submit
    stretch = Stretch(whole, numbers)
    if state.mortal:
        begin, end = whole.extent(numbers)
        seat.recent.put(stretch, end - begin)
    seat.take_stretch(stretch)
    state.close(message.batch, numbers)
    times = memoryview(message.times).cast("d")
    _learn(state, message.engine, submit.function, (times[-1] - times[0]) / message.count, now)
    place = (message.engine, seat.rank, seat.host, submit.submitted)
    state.notes.write_range(RecordRange(message.first, message.count, submit.label, *place, OK, message.times), now)
    state.ended(Ended(numbers, OK, message.engine))
    _go_on(state, out, now)


def on_failed(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    """A run has not ended well; unless it was to be interrupted, the task may have another."""
    message = arrival.message
    assert isinstance(message, Failed)
    done, wanted = message.done, message.done.call not in state.unwanted
    task = take_back(state, done.call, done.engine)
    state.seats[done.engine].gave_back((done.call,))
    if message.rejected:
        _heard(state, done.engine, now)
        if wanted:
            refused(state, out, task, done.engine, done.error, now)
        else:
            end_cancelled(state, out, [task], now)
    else:
        _run_failed(state, out, task, Failure(done, arrival.frames, task.attempt), wanted, now)
    _go_on(state, out, now)


def _run_failed(state: TaskState, out: Outbox, task: Task, failure: Failure, wanted: bool, now: float) -> None:
    done = failure.done
    if done.status == ABORTED:  # cut short, so it says nothing of how long such tasks take
        _heard(state, done.engine, now)
    else:
        _learn(state, done.engine, task.submit.function, done.completed - done.started, now)
    task.failure = failure
    terms = task.submit.terms
    if done.status == ABORTED or not wanted or (task.attempt > terms.retries and not terms.recovery):
        end_run(state, out, task, failure, now)
        return
    if task.attempt > terms.retries:
        begin_recovery(task, failure)
    task.attempt += 1
    task.engine = -1
    if task.refusals:
        offer(state, task, now)
    else:
        state.line_up(task)


def on_cancel_tasks(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, CancelTasks)
    cancel(state, out, set(message.tasks), arrival.sender, message.interrupt, now)
    _go_on(state, out, now)


def on_withdrawn(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    """An engine has given back what it had not begun: to be cancelled, or because another engine has nothing to do."""
    message = arrival.message
    assert isinstance(message, Withdrawn)
    engine = state.seat_of(arrival.sender)
    if message.client == NOBODY:
        line_up_again(state, message, engine, now)
    else:
        cancelled_there(state, out, message, engine, now)
    _go_on(state, out, now)


def on_seized(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    """An engine does not come back from a call for a while; or has come back."""
    message = arrival.message
    assert isinstance(message, Seized)
    state.seats[message.engine].seized = message.seized
    if message.seized:
        recall_all(state, out, message.engine)
    _go_on(state, out, now)


def on_engine_lost(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    message = arrival.message
    assert isinstance(message, EngineLost)
    lose(state, out, message, arrival.sender, now)
    _go_on(state, out, now)


def _learn(state: TaskState, engine: int, function: bytes, seconds: float, now: float) -> None:
    """An engine tells how long tasks took."""
    state.paces.learn(function, seconds)
    _heard(state, engine, now)


def _heard(state: TaskState, engine: int, now: float) -> None:
    """An engine tells that it has got on."""
    seat = state.seats[engine]
    seat.heard, seat.elsewhere, seat.spared = now, 0, 0.0
    seat.begun.clear()


def tick(state: TaskState, out: Outbox, now: float) -> None:
    """See to engines that have room, or nothing to do; let records go to the controller when it is time."""
    while state.unrecorded and now - state.unrecorded[0].came >= SOON:
        _note_submitted(state, state.unrecorded.popleft(), now)
    if look_when_due(state, out, now):
        _go_on(state, out, now)
    see_to_engines(state, out, now)
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
    SubmitFunction: on_submit_function,
    CancelTasks: on_cancel_tasks,
    Seized: on_seized,
    Released: on_released,
    ReleasedBatch: on_released_batch,
    Failed: on_failed,
    Withdrawn: on_withdrawn,
    LostForTasks: on_lost,
    EngineLost: on_engine_lost,
    AskStanding: on_ask_standing,
}
