"""Cancelling, and what engines give back: unasked they keep what they have, so whoever wants a task back asks and is answered."""

from __future__ import annotations

from collections.abc import Sequence

from mpikernel.interfaces.task.ending import end_cancelled
from mpikernel.interfaces.task.entries import Stretch, Task, runs
from mpikernel.interfaces.task.refusals import offer
from mpikernel.interfaces.task.state import TaskState, Wish
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Cancelled, Withdraw, Withdrawn


def cancel(state: TaskState, out: Outbox, wanted: set[int], client: int, interrupt: bool, now: float) -> None:
    """What still waits here ends at once; what an engine holds is asked back from it, which then answers."""
    dropped = end_cancelled(state, out, state.take_out(wanted), now)
    held: set[int] = set()
    for engine, seat in enumerate(state.seats):
        there = {number for number in wanted & state.assigned.keys() if state.assigned[number].engine == engine}
        there.update(*(wanted & lot for lot in seat.lots.values()))
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


def line_up_again(state: TaskState, numbers: Sequence[int], engine: int, now: float) -> None:
    """Tasks that an engine has not begun wait again, before all others."""
    seat = state.seats[engine]
    seat.recalls -= 1
    seat.barren = not numbers  # who had some may have more
    seat.gave_back(numbers)
    for number in state.unwanted.intersection(numbers):  # the client's wish, which crossed with them, is to find them here
        state.resting[number] = take_back(state, number, engine)
        state.resting[number].engine = -1
    for number in sorted(state.assigned.keys() & set(numbers), reverse=True):
        offer(state, take_back(state, number, engine), now)
    for batch, lot in list(seat.lots.items()):
        back = sorted(lot.intersection(numbers))
        whole = state.batches[batch]
        if back:
            seat.take_from_lot(batch, back)
            seat.take(whole.submit.function, whole.allowed, -len(back))
        for run in reversed(list(runs(back))):
            state.line_up_first(Stretch(whole, run))


def take_back(state: TaskState, number: int, engine: int) -> Task:
    """A task has left its engine."""
    task, seat = state.assigned.pop(number, None), state.seats[engine]
    if task is None:
        batch = next(batch for batch, lot in seat.lots.items() if number in lot)
        task = state.batches[batch].single(number)
        task.engine = engine
        seat.take_from_lot(batch, (number,))
    seat.take(task.submit.function, task.targets, -1)
    return task
