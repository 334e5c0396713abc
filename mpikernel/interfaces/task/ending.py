"""How tasks end here: with the error of their last run, with one of our own, or cancelled; and what is written down of it.

Those that end well do so at their engine; of them a header comes here.
"""

from __future__ import annotations

from collections.abc import Iterable

from mpikernel.errors import MpikernelError
from mpikernel.interfaces.task.entries import Failure, Task
from mpikernel.interfaces.task.outcomes import Ended
from mpikernel.interfaces.task.recovering import told
from mpikernel.interfaces.task.state import TaskState
from mpikernel.ledger.records import ABORTED, ERROR, SUBMITTED, Record
from mpikernel.wire.failure import describe, one_line
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Done


def note(state: TaskState, task: Task, now: float, status: str, started: float = 0.0, completed: float = 0.0, error: str = "") -> None:
    """Have the ledger keep how things stand with a task; if it has ended, tell whoever needs it."""
    submit, engine = task.submit, task.engine
    rank, host = (state.seats[engine].rank, state.seats[engine].host) if engine >= 0 else (-1, "")
    record = Record(
        submit.task, "task", submit.label, engine, rank, host, submit.submitted, started, completed, status, error, task.attempt
    )
    state.notes.write(record, now)
    if status == SUBMITTED:
        return
    ended = Ended(task.numbers, status, engine, error)
    if task.told:
        state.ended_again(ended)
    else:
        state.ended(ended)
    if task.batch >= 0:
        state.close(task.batch, (submit.task,))


def end_run(state: TaskState, out: Outbox, task: Task, failure: Failure, now: float) -> None:
    """A run that failed, or was interrupted, was the last; if another was due, it never began."""
    done, frames = told(task, failure)
    task.engine, task.attempt = done.engine, failure.attempt
    note(state, task, now, done.status, done.started, done.completed, done.error)
    out.send(task.client, done, frames)


def end_with(state: TaskState, out: Outbox, tasks: Iterable[Task], error: MpikernelError, now: float) -> None:
    """Tasks end with an error of ours."""
    frames, line = describe(error, "in the task interface:"), one_line(error)
    for task in tasks:
        done = Done(task.submit.task, -1, ERROR, 0.0, now, "", "", line)
        end_run(state, out, task, Failure(done, frames, task.attempt), now)


def end_cancelled(state: TaskState, out: Outbox, tasks: Iterable[Task], now: float) -> tuple[int, ...]:
    """End tasks that no engine runs, and name those that never ran; what ran ends with the error that it ended with."""
    never_ran = []
    for task in tasks:
        if task.failure is None:
            _abort(state, out, task, now)
            never_ran.append(task.submit.task)
        else:
            end_run(state, out, task, task.failure, now)
    return tuple(never_ran)


def _abort(state: TaskState, out: Outbox, task: Task, now: float) -> None:
    task.engine = -1
    done = Done(task.submit.task, -1, ABORTED, 0.0, now, "", "", "cancelled before it began")
    note(state, task, now, ABORTED, 0.0, now, done.error)
    out.send(task.client, done)
