"""How things stand, for whoever asks: which tasks each engine has, and which no engine has."""

from __future__ import annotations

from collections.abc import Iterable

from mpikernel.interfaces.task.entries import runs
from mpikernel.interfaces.task.handing import see_to_engines
from mpikernel.interfaces.task.state import TaskState
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import AskStanding, Standing
from mpikernel.wire.questions import Ranges
from mpikernel.wire.transport import Arrival


def on_ask_standing(state: TaskState, out: Outbox, arrival: Arrival, now: float) -> None:
    assert isinstance(arrival.message, AskStanding)
    see_to_engines(state, out, now)  # what came before the question, in this turn
    waiting = [number for entry in state.idle_entries for number in entry.numbers]
    held = tuple(_ranges(state.tasks_of(engine)) for engine in range(len(state.seats)))
    out.send(arrival.sender, Standing(arrival.message.query, held, _ranges(waiting)))


def _ranges(numbers: Iterable[int]) -> Ranges:
    return tuple((run.start, len(run)) for run in runs(sorted(numbers)))
