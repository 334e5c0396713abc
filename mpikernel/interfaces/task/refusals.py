"""What becomes of a task that an engine does not take: others are asked, the same one again after a while, and not for ever."""

from __future__ import annotations

from heapq import heappop, heappush

from mpikernel.errors import UnmetDependency
from mpikernel.interfaces.task.ending import end_with
from mpikernel.interfaces.task.entries import Refusal, Task
from mpikernel.interfaces.task.state import TaskState
from mpikernel.wire.loop import Outbox

#: An engine that has refused a task is asked again after so long (seconds); after twice as long the next time.
PAUSE = 0.1
#: So often it is asked in all.
MOST_REFUSALS = 3


def refused(state: TaskState, out: Outbox, task: Task, engine: int, reason: str, now: float) -> None:
    """An engine has given a task back, because it is not for it."""
    times = task.refusals[engine].times + 1 if engine in task.refusals else 1
    task.refusals[engine] = Refusal(times, reason, now + PAUSE * 2 ** (times - 1))
    if askable(state, task):
        offer(state, task, now)
    else:
        end_unmet(state, out, task, now)


def end_unmet(state: TaskState, out: Outbox, task: Task, now: float) -> None:
    """End a task that no engine takes."""
    died = {engine: seat.lost for engine, seat in enumerate(state.seats) if seat.lost}
    told = died | {engine: refusal.reason for engine, refusal in task.refusals.items()}
    reasons = "; ".join(f"engine {engine}: {told[engine]}" for engine in sorted(told))
    error = UnmetDependency(f"no engine takes {task.name} (task {task.submit.task}): {reasons}")
    end_with(state, out, [task], error, now)


def offer(state: TaskState, task: Task, now: float) -> None:
    """Let a task wait, before all others, for the engines that may be asked now; or rest until one may."""
    task.engine = -1
    if not task.refusals:
        state.line_up_first(task)
        return
    asked = {engine: task.refusals[engine].until if engine in task.refusals else 0.0 for engine in askable(state, task)}
    task.targets = tuple(engine for engine, until in asked.items() if until <= now)
    later = [until for until in asked.values() if until > now]
    if later:
        heappush(state.pauses, (min(later), task.submit.task))
        state.pausing[task.submit.task] = task
        state.look = min(state.look, min(later))
    if task.targets:
        state.line_up_first(task)
    else:
        state.heed(task)
        state.resting[task.submit.task] = task


def askable(state: TaskState, task: Task) -> list[int]:
    """The engines that have neither died nor refused a task for the last time."""
    return [engine for engine in state.alive(task.allowed) if engine not in task.refusals or task.refusals[engine].times < MOST_REFUSALS]


def offer_again(state: TaskState, now: float) -> None:
    """Offer tasks to engines that may be asked again now."""
    due: list[Task] = []
    while state.pauses and state.pauses[0][0] <= now:
        task = state.pausing.pop(heappop(state.pauses)[1], None)
        if task is not None and task.engine < 0:  # no engine has it, nor ran it
            due.append(task)
    rested = [task for task in due if state.resting.pop(task.submit.task, None) is not None]
    others = {task.submit.task for task in due}.difference(task.submit.task for task in rested)
    for task in reversed(rested + (state.waiting.take_out(others) if others else [])):
        offer(state, task, now)
