"""What depends on other tasks: it is parked, and when they have ended it is lined up, or ends because it cannot run any more."""

from __future__ import annotations

from mpikernel.errors import ImpossibleDependency
from mpikernel.interfaces.task.ending import end_with
from mpikernel.interfaces.task.entries import Entry, allow
from mpikernel.interfaces.task.needs import Parked
from mpikernel.interfaces.task.state import TaskState
from mpikernel.interfaces.task.stranded import line_up_or_end
from mpikernel.wire.loop import Outbox


def take_in(state: TaskState, out: Outbox, entry: Entry, now: float) -> None:
    """Something new: it waits for an engine, or for other tasks first."""
    terms = entry.submit.terms
    if terms.after is None and terms.follow is None:
        line_up_or_end(state, out, entry, now)
        return
    tell_dependents(state, out, now)  # what has ended before this came is known by its outcome: it must not be told of twice
    state.heed(entry)
    _decide(state, out, state.parking.park(entry, state.outcomes), now)


def tell_dependents(state: TaskState, out: Outbox, now: float) -> None:
    """Tell what depends on tasks that have ended; of what ends by that, tell again."""
    news = state.parking.news
    while news:
        for parked in state.parking.tell(news.popleft()):
            _decide(state, out, parked, now)


def _decide(state: TaskState, out: Outbox, parked: Parked, now: float) -> None:
    lost = next((need for need in parked.needs if need.obstacle), None)
    if lost is not None:
        state.parking.leave(parked)
        tasks = [task for entry in parked.entries for task in entry.singles()]
        first, last = tasks[0].submit, tasks[-1].submit
        which = f"task {first.task}" if first is last else f"tasks {first.task} to {last.task}"
        error = ImpossibleDependency(f"{first.label} ({which}) was to {lost.verb} other tasks, but {lost.obstacle}")
        end_with(state, out, tasks, error, now)
    elif all(need.ready for need in parked.needs):
        state.parking.leave(parked)
        _let_go(state, out, parked, now)


def _let_go(state: TaskState, out: Outbox, parked: Parked, now: float) -> None:
    engines = parked.follow.engines_left if parked.follow is not None else ()
    for entry in parked.entries:
        if engines:
            allow(entry, engines)
        line_up_or_end(state, out, entry, now)
