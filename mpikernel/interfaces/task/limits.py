"""What time brings to tasks that wait: the end, if it has been too long; another try with an engine that refused them."""

from __future__ import annotations

from math import inf

from mpikernel.errors import QueueTimeoutError
from mpikernel.interfaces.task.ending import end_with
from mpikernel.interfaces.task.refusals import offer_again
from mpikernel.interfaces.task.state import TaskState
from mpikernel.wire.loop import Outbox

#: All that waits is looked at this often (seconds), at most, when something is due.
SELDOM = 0.01


def look_when_due(state: TaskState, out: Outbox, now: float) -> bool:
    """See to what waits, if anything may be due. Whether anything was."""
    if now < state.look:
        return False
    offer_again(state, now)
    _end_overdue(state, out, now)
    next_pause = state.pauses[0][0] if state.pauses else inf
    state.look = max(min(next_pause, state.deadlines.next), now + SELDOM)
    return True


def _end_overdue(state: TaskState, out: Outbox, now: float) -> None:
    due = [entry for numbers in state.deadlines.take_due(now) for entry in state.idle_among(numbers)]
    overdue = {number for entry in due if entry.deadline <= now for number in entry.numbers}
    for task in state.take_out(overdue) if overdue else ():
        submit = task.submit
        text = f"{submit.label} (task {submit.task}) had not begun when its queue_timeout of {submit.terms.queue_timeout:g} s was over"
        end_with(state, out, [task], QueueTimeoutError(text), now)
