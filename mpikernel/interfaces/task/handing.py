"""Who gets which tasks, and how many: each engine about as much work as keeps it busy until its next report is answered.

Toward the end of what waits it is less, and who runs dry gets what others have not begun. Results of good tasks go from the
engine straight to the client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mpikernel.interfaces.task.entries import Entry, Stretch, Task
from mpikernel.interfaces.task.policies import Loads
from mpikernel.interfaces.task.state import Seat, TaskState
from mpikernel.interfaces.task.waiting import Queue, in_turn
from mpikernel.wire.arguments import leave_out
from mpikernel.wire.envelope import Frame
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import NOBODY, Apply, RunBatch, Withdraw
from mpikernel.wire.payload import size

#: Of what waits, an engine is given at most this share at once, divided by the number of engines.
SHARE = 0.5
#: But no less than so much work (seconds), beside which the messages and the waking up that it costs are little.
LEAST = 2e-3
#: Nobody is asked to give back what is done in less than this (seconds), if it has told of a task as recently.
WORTHWHILE = 5e-3
#: Where nothing has changed it is seen so much later (seconds) whether somebody is to be asked by now.
AGAIN = 1e-3


def see_to_engines(state: TaskState, out: Outbox, now: float) -> None:
    """At the end of a turn: give those something that have room, and ask others for those that still have nothing."""
    if state.changed:
        state.changed = False
        _hand_out(state, out, now)
    elif now - state.recalled < AGAIN:
        return
    state.recalled = now
    if state.assigned or state.batches:
        _recall(state, out, now)


def _hand_out(state: TaskState, out: Outbox, now: float) -> None:
    """Hand out what waits, in order, while engines have room. Only the first of each queue is looked at, however many wait."""
    if state.waiting:
        room = {engine: work for engine in range(len(state.seats)) if (work := state.work_beside(engine)) is not None}
        loads = Loads(room.__getitem__, state.turn)
        while room and (chosen := _next(state, room, loads)) is not None:
            targets, engine = chosen
            _give_some(state, out, targets, engine, now)
            work = state.work_beside(engine)
            if work is None:
                del room[engine]
            else:
                room[engine] = work


def _next(state: TaskState, room: Mapping[int, float], loads: Loads) -> tuple[tuple[int, ...], int] | None:
    """The queue whose turn it is of those for which an engine has room, by its targets; and that engine."""
    queues = state.waiting.queues
    for targets in sorted(queues, key=lambda targets: in_turn(queues[targets].first)) if len(queues) > 1 else queues:
        engine = best(state, queues[targets].first, room, loads)
        if engine is not None:
            return targets, engine
    return None


def best(state: TaskState, entry: Entry, room: Mapping[int, float], loads: Loads) -> int | None:
    """The engine that the policy chooses for one of these tasks, of those that have room, in order; or None."""
    free = [engine for engine in entry.targets if engine in room] if entry.targets else list(room)
    if entry.submit.terms.queue_timeout or entry.alone:  # the first is not to wait at an engine, where nobody would look at its limit
        free = [engine for engine in free if not state.seats[engine].held]
    return state.placing.choose(free, loads) if free else None


def _give_some(state: TaskState, out: Outbox, targets: tuple[int, ...], engine: int, now: float) -> None:
    seat, queue = state.seats[engine], state.waiting.queues[targets]
    if not seat.held:
        seat.heard = now
    entry = state.waiting.take_first(targets, 1 if isinstance(queue.first, Task) else _how_many(state, queue, targets, engine))
    state.handed += 1
    seat.turn, seat.barren, seat.closed = state.handed, False, entry.alone
    seat.take(entry.submit.function, targets, entry.count)
    if isinstance(entry, Task):
        _give(state, out, entry, engine)
    else:
        _give_stretch(state, out, entry, engine)


def _how_many(state: TaskState, queue: Queue, targets: tuple[int, ...], engine: int) -> int:
    """How many tasks of a stretch an engine is given."""
    submit = queue.first.submit
    if submit.terms.queue_timeout:
        return 1
    share = int(SHARE * queue.count / len(targets or state.seats))
    least = int(LEAST / state.paces.of(submit.function))
    return min(state.room(engine, submit.function), max(1, share, least))


def _carried(seat: Seat, digest: bytes, function: Sequence[Frame]) -> int:
    """How many frames of a function go with the message that is sent now: all or, where the engine has it, none."""
    return 0 if seat.sent.knows(digest, size(function)) else len(function)


def _give(state: TaskState, out: Outbox, task: Task, engine: int) -> None:
    seat, submit = state.seats[engine], task.submit
    carried = _carried(seat, submit.function, task.function)
    frames = [*task.function[:carried], *leave_out(seat.arguments, submit.named, task.arguments)]
    task.engine = engine
    state.assigned[submit.task] = task
    message = Apply(
        submit.task, task.client, submit.function, carried, task.name, task.attempt, submit.stream, submit.terms.timeout, submit.named
    )  # fmt: skip
    out.send(seat.rank, message, frames)


def _give_stretch(state: TaskState, out: Outbox, stretch: Stretch, engine: int) -> None:
    seat, submit, whole, numbers = state.seats[engine], stretch.submit, stretch.whole, stretch.numbers
    carried = _carried(seat, submit.function, whole.function)
    begin, end = whole.extent(numbers)
    seat.lots.setdefault(submit.first, set()).update(numbers)
    message = RunBatch(
        numbers.start, submit.first, whole.client, submit.function, carried, submit.label, begin, whole.ends_of(numbers),
        submit.terms.timeout
    )  # fmt: skip
    out.send(seat.rank, message, [*whole.function[:carried], whole.data[begin:end]])


def _recall(state: TaskState, out: Outbox, now: float) -> None:
    """Ask for half of what the busiest engine has not begun, for each that has nothing to do."""
    seats = state.seats
    idle = [engine for engine, seat in enumerate(seats) if not (seat.held or seat.seized or seat.lost)]
    if not idle or len(idle) == len(seats):
        return
    busy = [engine for engine, seat in enumerate(seats) if seat.count > 1 and _worth_asking(state, seat, now)]
    reach = set[tuple[int, ...]]().union(*(seats[engine].reach for engine in busy))
    if () not in reach:
        places = set[int]().union(*reach)
        idle = [engine for engine in idle if engine in places]
    busy.sort(key=state.work, reverse=True)
    for engine in idle:
        _recall_for(state, out, busy, engine)


def _worth_asking(state: TaskState, seat: Seat, now: float) -> bool:
    return not (seat.recalls or seat.barren) and (state.paces.work(seat.held) >= WORTHWHILE or now - seat.heard >= WORTHWHILE)


def _recall_for(state: TaskState, out: Outbox, busy: list[int], engine: int) -> None:
    """Ask the first of these that has something for an engine; it is then asked no more."""
    for other in busy:
        numbers = _movable(state, other, engine)
        if numbers:
            seat = state.seats[other]
            seat.recalls += 1
            busy.remove(other)
            out.send(seat.rank, Withdraw(tuple(numbers[len(numbers) // 2 :]), NOBODY, interrupt=False))
            return


def _movable(state: TaskState, here: int, engine: int) -> list[int]:
    """The tasks of one engine that another may have; single ones in the order in which they were given, in which they begin."""
    single = [number for number, task in state.assigned.items() if task.engine == here and _may_have(task.targets, engine)]
    lots = [number for batch, lot in state.seats[here].lots.items() if _may_have(state.batches[batch].allowed, engine) for number in lot]
    return single + sorted(lots)


def recall_all(state: TaskState, out: Outbox, engine: int) -> None:
    """Ask an engine for everything that it has not begun."""
    seat = state.seats[engine]
    numbers = [number for number, task in state.assigned.items() if task.engine == engine]
    numbers += sorted(number for lot in seat.lots.values() for number in lot)
    if numbers:
        seat.recalls += 1
        out.send(seat.rank, Withdraw(tuple(numbers), NOBODY, interrupt=False))


def _may_have(targets: tuple[int, ...], engine: int) -> bool:
    return not targets or engine in targets
