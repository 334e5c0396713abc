"""How things stand, for whoever asks: which tasks each engine has, and which no engine has."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter

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
    held = tuple(_joined(runs(sorted(seat.given))) for seat in state.seats)
    waiting = _joined(sorted((entry.numbers for entry in state.idle_entries), key=attrgetter("start")))
    out.send(arrival.sender, Standing(arrival.message.query, held, waiting))


def _joined(ranges: Iterable[range]) -> Ranges:
    """Ranges that come in order, each by its first number and how many there are; those that follow each other are one."""
    joined: list[tuple[int, int]] = []
    for numbers in ranges:
        if joined and sum(joined[-1]) == numbers.start:
            joined[-1] = (joined[-1][0], joined[-1][1] + len(numbers))
        else:
            joined.append((numbers.start, len(numbers)))
    return tuple(joined)
