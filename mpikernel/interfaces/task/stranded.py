"""Tasks that can run nowhere any more, because the engines that they might have gone to have died: each ends with an error that says so."""

from __future__ import annotations

from mpikernel.errors import ImpossibleDependency, MpikernelError, NoEnginesError
from mpikernel.interfaces.task.ending import end_with
from mpikernel.interfaces.task.entries import Entry, Task
from mpikernel.interfaces.task.refusals import askable, end_unmet
from mpikernel.interfaces.task.state import TaskState
from mpikernel.wire.loop import Outbox


def line_up_or_end(state: TaskState, out: Outbox, entry: Entry, now: float) -> None:
    """Let something new wait behind all others of its priority, if it can ever run."""
    if not state.bereft or state.alive(entry.allowed):
        state.line_up(entry)
    else:
        _end(state, out, entry.singles(), now)


def end_stranded(state: TaskState, out: Outbox, now: float) -> None:
    """Engines have died: end what can run nowhere now."""
    stranded = {number for entry in state.idle_entries if not _reachable(state, entry) for number in entry.numbers}
    if stranded:
        _end(state, out, state.take_out(stranded), now)


def _reachable(state: TaskState, entry: Entry) -> bool:
    if isinstance(entry, Task) and entry.refusals:
        return bool(askable(state, entry))
    return bool(state.alive(entry.allowed))


def _end(state: TaskState, out: Outbox, tasks: list[Task], now: float) -> None:
    for task in tasks:
        if state.alive(task.allowed):
            end_unmet(state, out, task, now)
        else:
            end_with(state, out, [task], _error(state, task), now)


def _error(state: TaskState, task: Task) -> MpikernelError:
    submit = task.submit
    what = f"{submit.label} (task {submit.task})"
    died = "; ".join(obituary(state, engine) for engine in task.allowed or range(len(state.seats)))
    if not state.alive():
        return NoEnginesError(f"{what} cannot run, for no engine is left: {died}")
    if submit.terms.follow is not None:
        return ImpossibleDependency(f"{what} was to follow other tasks to where they ran, but {died}")
    return NoEnginesError(f"{what} may run nowhere else, but {died}")


def obituary(state: TaskState, engine: int) -> str:
    """Who died, and how."""
    seat = state.seats[engine]
    return f"engine {engine} (rank {seat.rank} on {seat.host}) died: {seat.lost}"
