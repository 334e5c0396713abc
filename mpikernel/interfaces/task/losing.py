"""An engine has died: what it had runs elsewhere, and what it may have died of runs alone from then on, so that nothing else is blamed.

What a death costs is none of the user's retries. Of the tasks that an engine had, it may have been running any: it tells of them
together, and some of what it has done nobody knows. So each of them counts the death; but only a task that was alone there when it
happened is given up for it, if it counts as many as the limit allows.

Results go from engines straight to clients, so a client tells what has come: a task that ended well is not run again only because the
task interface was not told, and one whose result was lost on the way is.
"""

from __future__ import annotations

from array import array
from collections import deque

from mpikernel.errors import CrashLimitError, EngineDiedError
from mpikernel.interfaces.task.cancelling import cancel, take_back
from mpikernel.interfaces.task.ending import end_run, end_with, note
from mpikernel.interfaces.task.entries import Failure, Task
from mpikernel.interfaces.task.refusals import offer
from mpikernel.interfaces.task.state import TaskState
from mpikernel.interfaces.task.stranded import end_stranded, obituary
from mpikernel.ledger.records import ERROR, OK
from mpikernel.wire.failure import describe, one_line
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Done, EngineLost


def lose(state: TaskState, out: Outbox, message: EngineLost, client: int, now: float) -> None:
    """See to everything that an engine had."""
    engine = state.seat_of(message.rank)
    seat = state.seats[engine]
    seat.lost, seat.closed, state.bereft = message.reason, True, True
    unended = set(array("q", message.open))
    had = sorted(seat.given)
    lost = state.outcomes.well_on(engine, unended)
    for number in had:
        if number not in unended:
            note(state, take_back(state, number, engine), now, OK, 0.0, now)  # when it began, only the engine knew
    suspects = [take_back(state, number, engine) for number in had if number in unended]
    alone = len(suspects) == 1 and not message.calls
    for task in reversed(suspects):
        _go_on_with(state, out, task, alone, now)
    _run_again(state, out, lost, engine, client, now)
    wishes, seat.wishes = seat.wishes, deque()
    for wish in wishes:  # it has not been answered, and never will be from there
        cancel(state, out, set(wish.message.tasks), wish.message.client, wish.message.interrupt, now)
    end_stranded(state, out, now)


def _go_on_with(state: TaskState, out: Outbox, task: Task, alone: bool, now: float) -> None:
    """What becomes of a task whose engine died: it waits again, before all others, unless it is given up or not wanted any more."""
    engine = task.engine
    task.deaths += (obituary(state, engine),)
    if alone and len(task.deaths) >= state.crash_limit:
        end_with(state, out, [task], _given_up(task), now)
        return
    submit = task.submit
    error = EngineDiedError(f"{obituary(state, engine)}; it had {task.name} (task {submit.task})")
    done = Done(submit.task, engine, ERROR, 0.0, now, "", "", one_line(error))
    task.failure = Failure(done, describe(error, "in the task interface:"), task.attempt)
    if submit.task in state.unwanted:
        end_run(state, out, task, task.failure, now)
    else:
        offer(state, task, now)


def _given_up(task: Task) -> CrashLimitError:
    submit, count = task.submit, len(task.deaths)
    times = "once" if count == 1 else f"{count} times"
    return CrashLimitError(
        f"{task.name} (task {submit.task}) is given up: its engine died {times} while it ran (crash_limit): {'; '.join(task.deaths)}"
    )


def _run_again(state: TaskState, out: Outbox, lost: list[int], engine: int, client: int, now: float) -> None:
    """Tasks ended well, but their results went down with their engine."""
    kept = state.seats[engine].recent.take_all()
    for number in reversed(lost):
        error = EngineDiedError(f"{obituary(state, engine)}; the result of task {number} had not been taken and is lost")
        done, frames = Done(number, engine, ERROR, 0.0, now, "", "", one_line(error)), describe(error, "in the task interface:")
        entry = kept.get(number)
        if entry is None:  # the ledger keeps that it ended well
            out.send(client, done, frames)
            continue
        task = entry if isinstance(entry, Task) else entry.whole.single(number)
        task.failure = Failure(done, frames, task.attempt)  # how it ends if it is cancelled now
        task.told, task.batch = True, -1  # its batch is over, as far as it is concerned
        offer(state, task, now)
