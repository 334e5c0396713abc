"""Who gets which tasks, and how many: each engine about as much work as keeps it busy until its next report is answered.

Toward the end of what waits it is less, and who runs dry gets what others have not begun. Results of good tasks go from the
engine straight to the client.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import heapify, heappop, heapreplace

from mpikernel.interfaces.task.entries import Entry, Stretch, Task
from mpikernel.interfaces.task.policies import Loads
from mpikernel.interfaces.task.seats import STUCK, Seat
from mpikernel.interfaces.task.state import TaskState
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
    elif 0 <= now - state.recalled < AGAIN:  # a clock may be set back
        return
    state.recalled = now
    _recall(state, out, now)


def _hand_out(state: TaskState, out: Outbox, now: float) -> None:
    """Hand out what waits, in order, while engines have room. Only the first of each queue is looked at, however many wait."""
    if not state.waiting:
        return
    room = {engine: work for engine in range(len(state.seats)) if (work := state.work_beside(engine, now)) is not None}
    loads = Loads(room.__getitem__, state.turn)
    queues = state.waiting.queues
    turns = [(in_turn(queue.first), targets) for targets, queue in queues.items() if not targets or not room.keys().isdisjoint(targets)]
    heapify(turns)
    while room and turns:
        targets = turns[0][1]
        first = queues[targets].first
        engine = best(state, first, room, loads)
        if engine is None:
            heappop(turns)
            _keep_free(first, room)
            continue
        _give_some(state, out, targets, engine, now)
        work = state.work_beside(engine, now)
        if work is None:
            del room[engine]
        else:
            room[engine] = work
        if targets in queues:
            heapreplace(turns, (in_turn(queues[targets].first), targets))
        else:
            heappop(turns)


def _keep_free(entry: Entry, room: dict[int, float]) -> None:
    """What needs an engine that has nothing waits for one; whoever has least to do is given nothing else until then."""
    busy = [engine for engine in entry.targets or room if engine in room]
    if busy:
        del room[min(busy, key=room.__getitem__)]


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
    seat.turn, seat.closed = state.handed, entry.alone
    seat.give(entry)
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
    message = Apply(
        submit.task, task.client, submit.function, carried, task.name, task.attempt, submit.stream, submit.terms.timeout, submit.named
    )  # fmt: skip
    out.send(seat.rank, message, frames)


def _give_stretch(state: TaskState, out: Outbox, stretch: Stretch, engine: int) -> None:
    seat, submit, whole, numbers = state.seats[engine], stretch.submit, stretch.whole, stretch.numbers
    carried = _carried(seat, submit.function, whole.function)
    begin, end = whole.extent(numbers)
    message = RunBatch(
        numbers.start, submit.first, whole.client, submit.function, carried, submit.label, begin, whole.ends_of(numbers),
        submit.terms.timeout
    )  # fmt: skip
    out.send(seat.rank, message, [*whole.function[:carried], whole.data[begin:end]])


def _recall(state: TaskState, out: Outbox, now: float) -> None:
    """Ask for half of what the busiest engines have not begun, one of them for each that has nothing to do."""
    seats = state.seats
    idle = dict.fromkeys(engine for engine, seat in enumerate(seats) if not (seat.given or seat.seized or seat.lost or now < seat.spared))
    if not idle or len(idle) == len(seats):
        return
    busy = [engine for engine, seat in enumerate(seats) if len(seat.given) > len(seat.begun) and _worth_asking(state, seat, now)]
    for engine in sorted(busy, key=state.work, reverse=True):
        taker = _taker(seats[engine], idle)
        if taker is not None:
            del idle[taker]
            numbers = _movable(seats[engine], taker)
            _ask_for(out, seats[engine], numbers[len(numbers) // 2 :])
        if not idle:
            return


def _worth_asking(state: TaskState, seat: Seat, now: float) -> bool:
    """Whether an engine may have something that it has not begun, and will not have done in a moment."""
    if seat.asked or seat.seized:
        return False
    unheard = now - seat.heard
    if seat.count == 1:
        return unheard >= STUCK * (1 + seat.elsewhere)
    return unheard >= WORTHWHILE or state.paces.work(seat.held) >= WORTHWHILE


def _taker(seat: Seat, idle: Mapping[int, object]) -> int | None:
    """The first engine of those that have nothing to do to which a task of this one may go."""
    reach = {entry.targets for number, entry in seat.given.items() if number not in seat.begun} if seat.begun else seat.reach
    if () in reach:
        return next(iter(idle))
    return next((engine for targets in reach for engine in targets if engine in idle), None)


def _movable(seat: Seat, engine: int) -> list[int]:
    """Tasks that another engine may have, in the order in which they begin."""
    return [number for number, entry in seat.given.items() if number not in seat.begun and _may_have(entry.targets, engine)]


def _ask_for(out: Outbox, seat: Seat, numbers: Sequence[int]) -> None:
    seat.asked.update(numbers)
    out.send(seat.rank, Withdraw(tuple(numbers), NOBODY, interrupt=False))


def recall_all(state: TaskState, out: Outbox, engine: int) -> None:
    """Ask an engine for everything that it has not begun."""
    seat = state.seats[engine]
    if seat.given:
        _ask_for(out, seat, tuple(seat.given))


def _may_have(targets: tuple[int, ...], engine: int) -> bool:
    return not targets or engine in targets
