"""Calls that wait in MPI for what will not come: noticed, told in an error that says who waits for whom, and given up.

Looked for only where there is reason to: a call on several engines has ended on some and not on others, or a call was to be interrupted and
goes on. Then engines are asked what they do, once a second; nothing is asked while all is well. An engine whose call was given up sits
there still: what it is given is refused, until it comes back.

All of it runs under the loop's lock. How it is told from the answers who waits in vain is in deadlock.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from weakref import WeakSet

from msgspec import Struct, field

from mpikernel.client.deadlock import lost
from mpikernel.client.giving_up import give_up, in_vain, interrupted, refuse
from mpikernel.client.state import Call, ClientState, Collector
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Interrupt, There, Where
from mpikernel.wire.sitting import Sitting
from mpikernel.wire.transport import Arrival

#: For so long (seconds) after there is reason to look nobody is asked: most calls end by themselves.
GRACE = 2.0
#: Then all engines are asked every so often (seconds).
EVERY = 1.0
#: A call that has been in one and the same call of MPI for so long (seconds) sits there.
SETTLED = 0.8
#: The same where those that it waits for may have done their part, and data may be on its way still.
IN_DOUBT = 15.0


class Inquiry(Struct, eq=False):
    """What the engines said when they were last asked."""

    number: int
    ended: dict[int, int]  # calls that had ended on each engine when they were asked
    answers: dict[int, There] = field(default_factory=dict)  # by engine


class Watch(Struct, eq=False):
    """What one client knows of calls that may be stuck."""

    state: ClientState
    alone: Callable[[], bool]  # whether the script has no thread but the one that asks, and that is in no callback
    rounds: WeakSet[Collector] = field(default_factory=WeakSet)  # of calls on several engines
    unheard: dict[int, float] = field(default_factory=dict)  # calls that are to be interrupted, since when
    inquiry: Inquiry = field(default_factory=lambda: Inquiry(0, {}))
    looked: float = 0.0

    def begins(self, result: Collector, calls: Sequence[Call]) -> None:
        """These direct calls of a result are about to be sent."""
        if len(calls) > 1:
            self.rounds.add(result)

    def cancelled(self, calls: Sequence[Call], now: float) -> None:
        """Those of these calls that run are to be interrupted, and should end soon."""
        self.unheard.update((call.id, now) for call in calls if not call.is_task)

    def end(self) -> None:
        """This rank says goodbye: from now on nothing is asked or sent."""
        self.rounds.clear()
        self.unheard.clear()
        self.state.seized.clear()
        self.state.given_up.clear()
        self.inquiry = Inquiry(self.inquiry.number + 1, {})

    def interrupt(self, out: Outbox, engines: Sequence[int], now: float) -> None:
        """Have whatever runs on engines interrupted; of their direct calls that is the first, since they run in order."""
        for engine in engines:
            out.send(self.state.engines[engine], Interrupt())
            self.cancelled([call for call in self.state.open.values() if call.engine == engine and not call.is_task][:1], now)


def tick(watch: Watch, out: Outbox, now: float) -> None:
    """Ask the engines, if there is reason to and it is time."""
    if now - watch.looked < EVERY:
        return
    watch.looked = now
    if not (watch.state.seized or watch.unheard or watch.rounds):
        return
    if next(_suspects(watch, now), None) is None:
        return
    if watch.inquiry.answers:  # who has not answered, as C code may keep it from that, works
        _judge(watch, out, now)
    watch.inquiry = Inquiry(watch.inquiry.number + 1, dict(watch.state.tally.completed))
    for engine, rank in enumerate(watch.state.engines):
        if engine not in watch.state.lost:
            out.send(rank, Where(watch.inquiry.number))


def on_there(watch: Watch, out: Outbox, arrival: Arrival, now: float) -> None:
    there, inquiry = arrival.message, watch.inquiry
    assert isinstance(there, There)
    if there.question != inquiry.number:
        return
    inquiry.answers[watch.state.engines.index(arrival.sender)] = there
    if len(inquiry.answers) >= len(watch.state.engines) - len(watch.state.lost):
        _judge(watch, out, now)


def _suspects(watch: Watch, now: float) -> Iterator[Call]:
    """The open calls that there is reason to look at."""
    yield from [call for result in list(watch.rounds) for call in _left_behind(watch, result, now)]
    open_calls = watch.state.open
    watch.unheard = {number: since for number, since in watch.unheard.items() if number in open_calls}
    yield from [open_calls[number] for number, since in watch.unheard.items() if now - since >= GRACE]
    if watch.state.seized:
        yield from [call for call in open_calls.values() if call.engine in watch.state.seized and now - call.submitted >= GRACE]


def _left_behind(watch: Watch, result: Collector, now: float) -> list[Call]:
    """The calls of a result that go on although others of it ended a while ago.

    That some ended well is a reason only where the script waits for one that goes on and can do nothing else: else it may still have them
    do what the others wait for.
    """
    left = [call for call in result.calls if call.done is None]
    if not left:
        watch.rounds.discard(result)
        return []
    ended = [call for call in result.calls if call.done is not None and now - call.received >= GRACE]
    if any(call.failed or call.aborted for call in ended):
        return left
    return _holding(watch, result, left) if ended else []


def _holding(watch: Watch, result: Collector, calls: Sequence[Call]) -> list[Call]:
    """Those of the calls of a result that hold up all that the script does."""
    waits = [held_by for held_by in list(watch.state.traffic.waiting.values()) if held_by is not None]
    if not waits or not watch.alone() or watch.state.feeding or watch.state.will_tell(but=result):
        return []
    return [call for call in calls if any(held_by(call) for held_by in waits)]


def _judge(watch: Watch, out: Outbox, now: float) -> None:
    """Engines have said what they do: give up what waits in vain."""
    state, answers = watch.state, watch.inquiry.answers
    sitting = {engine: there.sitting for engine, there in answers.items() if there.sitting is not None and _settled(there.sitting)}
    gone = _gone(watch)
    dead = lost(gone, {engine: each.waits for engine, each in sitting.items() if _certain(each)}, range(len(state.engines)))
    for call in [call for call in dict.fromkeys(_suspects(watch, now)) if call.engine in sitting]:
        place, running = sitting[call.engine], answers[call.engine].call
        if state.seized.get(call.engine) == running:
            refuse(state, out, call, place)
        elif running == call.id and call.id in watch.unheard:
            give_up(state, out, call, place, interrupted(state, call, place), now)
        elif running == call.id and call.engine in dead:
            give_up(state, out, call, place, in_vain(state, call, place, gone, sitting), now)
    answers.clear()


def _gone(watch: Watch) -> set[int]:
    """Engines that have died, or had nothing to do when they were asked and have been given nothing since."""
    busy = {call.engine for call in watch.state.open.values()}
    completed, before = watch.state.tally.completed, watch.inquiry.ended
    idle = {engine for engine, there in watch.inquiry.answers.items() if there.idle}
    return {engine for engine in idle - busy if completed.get(engine, 0) == before.get(engine, 0)} | watch.state.lost.keys()


def _settled(sitting: Sitting) -> bool:
    return sitting.seconds >= SETTLED


def _certain(sitting: Sitting) -> bool:
    return sitting.waits.sure or sitting.seconds >= IN_DOUBT


REACTIONS = {There: on_there}
