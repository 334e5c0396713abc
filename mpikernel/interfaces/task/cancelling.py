"""Cancelling, and what engines give back: unasked they keep what they have, so whoever wants a task back asks and is answered."""

from __future__ import annotations

from mpikernel.interfaces.task.ending import end_cancelled
from mpikernel.interfaces.task.entries import Task
from mpikernel.interfaces.task.refusals import offer
from mpikernel.interfaces.task.seats import STUCK, Wish
from mpikernel.interfaces.task.state import TaskState
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Cancelled, Withdraw, Withdrawn


def cancel(state: TaskState, out: Outbox, wanted: set[int], client: int, interrupt: bool, now: float) -> None:
    """What still waits here ends at once; what an engine holds is asked back from it, which then answers."""
    dropped = end_cancelled(state, out, state.take_out(wanted), now)
    held: set[int] = set()
    for seat in state.seats:
        there = wanted & seat.given.keys()
        if there:
            message = Withdraw(tuple(sorted(there)), client, interrupt)
            seat.wishes.append(Wish(message))
            out.send(seat.rank, message)
            held |= there
    if interrupt:
        state.unwanted |= held
    if wanted - held:
        out.send(client, Cancelled(dropped, tuple(wanted.difference(held, dropped))))


def cancelled_there(state: TaskState, out: Outbox, message: Withdrawn, engine: int, now: float) -> None:
    """An engine has answered a client's wish: what it kept ends by itself, unless it had come back before: then it is asked for again."""
    returned = state.seats[engine].wishes.popleft().returned
    dropped = end_cancelled(state, out, [take_back(state, number, engine) for number in message.dropped], now)
    moved = returned.intersection(message.kept)
    kept = sorted({*message.kept, *message.dropped}.difference(dropped, moved))
    out.send(message.client, Cancelled(dropped, tuple(kept)))
    for numbers, interrupt in ((moved & state.unwanted, True), (moved - state.unwanted, False)):
        if numbers:
            cancel(state, out, numbers, message.client, interrupt, now)


def line_up_again(state: TaskState, message: Withdrawn, engine: int, now: float) -> None:
    """Tasks that an engine has not begun wait again, before all others and in the order in which they did."""
    seat, dropped = state.seats[engine], set(message.dropped)
    if next(iter(seat.given), None) in dropped:
        seat.elsewhere += 1
        seat.spared = now + STUCK * seat.elsewhere
    seat.keep(message.kept)
    seat.gave_back(dropped)
    for number in state.unwanted & dropped:  # the client's wish, which crossed with them, is to find them here
        state.resting[number] = take_back(state, number, engine)
        state.resting[number].engine = -1
    for entry in reversed(seat.entries(dropped)):
        if isinstance(entry, Task):
            offer(state, take_back(state, entry.submit.task, engine), now)
        else:
            seat.take_stretch(entry)
            state.line_up_first(entry)


def take_back(state: TaskState, number: int, engine: int) -> Task:
    """A task has left its engine."""
    task = state.seats[engine].take(number)
    task.engine = engine
    return task
