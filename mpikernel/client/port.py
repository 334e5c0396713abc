"""Where clients meet the world: the rank's loop and the client's state, for the threads of the user's script.

Made by boot on the rank that runs the script. It gives numbers to calls, sends commands, and waits.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from mpikernel.client.areas import Areas, tidy
from mpikernel.client.losing import REACTIONS as LOSSES
from mpikernel.client.losing import check_alive
from mpikernel.client.pickled import Pickled, PickledFunctions
from mpikernel.client.questions import REACTIONS as ANSWERS
from mpikernel.client.questions import Questions
from mpikernel.client.reactor import PLACES, REACTIONS, carried, let_singles_leave, record_of, tick
from mpikernel.client.repeats import Known
from mpikernel.client.singles import ends_of, frames_fit
from mpikernel.client.state import TASKS, Call, Cancelling, ClientState, Collector, MapCollector, OpenBatch, SingleCollector
from mpikernel.client.stuck import REACTIONS as SAYINGS
from mpikernel.client.stuck import Watch
from mpikernel.client.stuck import tick as look
from mpikernel.client.terms import TermsThen, bring_recovery, lasting, told
from mpikernel.client.traffic import HeldBy
from mpikernel.errors import ClosedError, NoWorldError
from mpikernel.wire.envelope import Frame, Route
from mpikernel.wire.loop import Loop
from mpikernel.wire.messages import Apply, CancelCalls, CancelTasks, Message, Submit, SubmitBatch
from mpikernel.wire.payload import Frames
from mpikernel.wire.terms import Terms
from mpikernel.wire.tree import tree

if TYPE_CHECKING:
    from mpikernel.client.calls import FutureOfCalls

#: How long `cancel` waits to learn what became of its request (seconds).
CANCEL_PATIENCE = 5.0
#: How long a call waits for room on the way before it says so (seconds).
ROOM_PATIENCE = 30.0


class Port:
    """One for each process that runs a script. `on_an_engine` tells whether the calling thread is inside an engine's call."""

    def __init__(self, state: ClientState, loop: Loop, stream: bool, on_an_engine: Callable[[], bool] = lambda: False) -> None:
        self.state = state
        self.loop = loop
        self.stream = stream  # whether engines' output is shown unless a view says otherwise
        self.functions = PickledFunctions()
        self.areas = Areas()
        self.questions = Questions()
        self.watch = Watch(state, lambda: loop.alone)
        self._on_an_engine = on_an_engine
        self._process = os.getpid()
        loop.transport.hungry = lambda: loop.stop is not None or state.hungry()
        loop.host(state, {**REACTIONS, **LOSSES}, tick, PLACES)
        loop.host(self.areas, {}, tidy)
        loop.host(self.questions, ANSWERS)
        loop.host(self.watch, SAYINGS, look)

    def check_open(self) -> None:
        """Refuse new calls where they could only fail or hang."""
        if os.getpid() != self._process:
            self._check_process()
        if self._on_an_engine():
            raise NoWorldError("a client cannot be used in code that runs on an engine; return the value, and go on in the script")
        if self.loop.stop is not None:
            raise ClosedError(f"the world is ending ({self.loop.stop.reason}); no call can be made any more")

    def _check_process(self) -> None:
        """Refuse a child that the script has forked: MPI does not go with it."""
        if os.getpid() != self._process:
            raise NoWorldError("a client cannot be used in a process that the script has forked; make the calls in the script itself")

    # direct commands ---------------------------------------------------------------------------------------------------

    def command(
        self,
        collector: Collector,
        kind: str,
        label: str,
        targets: Sequence[int],
        make: Callable[[Call, int], tuple[Message, Sequence[Frame]]],
        payloads: Sequence[Frames] = (),
    ) -> list[Call]:
        """Give each target a command of its own, made by `make(call, index)`, and send them.

        Args:
            payloads: of each target, the frames of the user's that go with it; waits until there is room for them on the way.
        """
        self.check_open()
        weights = [self.state.traffic.weigh(frames) for frames in payloads]
        if any(weights):
            self._wait_for_room(dict(zip(targets, weights, strict=True)))
        state, now = self.state, self.loop.clock()
        large = len(targets) > 1 and any(map(state.traffic.any_large, payloads))
        with self.loop.hold:
            check_alive(state, targets)
            busy = self._busy() if large else ()
            calls = [state.new_call(kind, label, engine, now) for engine in targets]
            collector.expecting(calls)
            state.tally.holds(calls, collector)
            self.watch.begins(collector, calls)
            mail = [(call, *make(call, index)) for index, call in enumerate(calls)]
            routes = self._routes([(call.engine, frames) for call, _, frames in mail if call.engine not in busy]) if large else {}
            state.note_parents({call.id: routes[call.engine].parent for call in calls if call.engine in routes})
            for call, message, frames in mail:
                call.collector = collector
                self._send(call, state.engines[call.engine], message, frames, routes.get(call.engine))
                state.notes.write(record_of(state, call), now)
            for call, weight in zip(calls, weights, strict=False):
                state.weigh_down(call, weight)
        return calls

    def _busy(self) -> Collection[int]:
        """Hold: engines with something to do. Which of them have tasks is not known here, so any task keeps all of them busy."""
        if self.state.batches or any(call.is_task for call in self.state.open.values()):
            return range(len(self.state.engines))
        return {call.engine for call in self.state.open.values()}

    def _send(self, call: Call, rank: int, message: Message, frames: Sequence[Frame], route: Route | None = None) -> None:
        """Hold: put a call's message into the outbox. Buffers are sent from the user's memory, so somebody may want to know when."""
        departure = None
        if len(frames) > 1 and call.collector is not None:
            departure = call.collector.departure
            departure.pending += 1
        self.loop.out.send(rank, message, frames, route, departure)

    def _routes(self, targets: Sequence[tuple[int, Sequence[Frame]]]) -> dict[int, Route]:
        """Hold: a tree for engines that get the very same large frames and have nothing else to do; others are sent to directly."""
        state, own = self.state, self.loop.transport.rank
        alike: dict[tuple[int, ...], list[int]] = {}
        for engine, frames in targets:
            if state.engines[engine] != own and state.traffic.any_large(frames):
                alike.setdefault(tuple(map(id, frames)), []).append(engine)
        routes: dict[int, Route] = {}
        for engines in alike.values():
            ranks = sorted({state.engines[engine] for engine in engines}, key=lambda rank: state.hosts[rank] != state.hosts[own])
            if 1 < len(ranks) == len(engines):
                by_rank = tree(own, ranks)
                routes.update((engine, by_rank[state.engines[engine]]) for engine in engines)
        return routes

    def apply_message(self, call: Call, function: Pickled, arguments: Frames, stream: bool) -> tuple[Message, Frames]:
        """The message of a direct call, with the function if the engine does not have it. Called under the loop's lock."""
        count = carried(self.state, call.engine, function)
        frames = [*function.frames[:count], *arguments]
        return Apply(call.id, self.state.rank, function.digest, count, call.label, 0, stream, 0.0), frames

    # tasks -------------------------------------------------------------------------------------------------------------

    def submit(
        self,
        collector: Collector,
        label: str,
        function: Pickled,
        arguments: Sequence[Frames],
        terms: TermsThen,
        stream: bool,
    ) -> list[Call]:
        """Queue one task for each of `arguments`; waits until there is room for them on the way."""
        self.check_open()
        repeats, weigh = self.state.repeats, self.state.traffic.weigh
        known = [repeats.recognise(frames) for frames in arguments]
        weights = [weigh(repeats.to_send(*each)) for each in zip(arguments, known, strict=True)]
        portions = self.state.traffic.portions(weights)
        calls: list[Call] = []
        for start, stop in portions:
            if any(weights[start:stop]):
                self._wait_for_room({TASKS: sum(weights[start:stop])})
            rows = list(zip(arguments[start:stop], known[start:stop], weights[start:stop], strict=True))
            calls += self._submit(collector, label, function, rows, terms, stream)
            if stop < len(arguments):
                self.nudge()
        return calls

    def submit_single(
        self, collector: SingleCollector, label: str, function: Pickled, arguments: Frames, terms: TermsThen, stream: bool
    ) -> bool:
        """Queue one task. False if it waits for others, to leave with them, and nothing need be done to have anything leave soon."""
        state = self.state
        if stream or state.idle or not frames_fit(arguments) or not (type(terms) is Terms or lasting(terms)):
            self.submit(collector, label, function, [arguments], terms, stream)
            return True
        self.check_open()
        singles, loop = state.singles, self.loop
        now = loop.clock()
        with loop.hold:
            number, first = state.next_call, not singles.pickles
            if not first and not singles.fits(function, label, terms, number):
                let_singles_leave(state, loop.out)
                first = True
            if first:
                singles.begin(function, label, terms, number, now)
            call = state.new_call("task", label, -1, now, is_task=True)
            call.collector = collector
            collector.expecting_nothing_but(call)
            state.tally.holds_from(number, collector)
            due = singles.add(arguments[0], now)
        if first and not due:
            loop.remind()
        return due

    def _submit(
        self,
        collector: Collector,
        label: str,
        function: Pickled,
        rows: Sequence[tuple[Frames, Known, int]],
        terms: TermsThen,
        stream: bool,
    ) -> list[Call]:
        """Queue a task for each row: what it is called with, what of that is known, and the weight of the rest."""
        state, now = self.state, self.loop.clock()
        with self.loop.hold:
            let_singles_leave(state, self.loop.out)
            agreed = told(terms)
            calls = [state.new_call("task", label, -1, now, is_task=True) for _ in rows]
            collector.expecting(calls)
            state.tally.holds(calls, collector)
            for call, (frames, known, weight) in zip(calls, rows, strict=True):
                call.collector = collector
                bring_recovery(state, self.loop.out, TASKS, terms)
                count = carried(state, TASKS, function)
                left, named = state.repeats.leave_out(frames, known)
                message = Submit(call.id, function.digest, count, label, now, stream, agreed, state.settled, named)
                self._send(call, state.task, message, [*function.frames[:count], *left])
                state.weigh_down(call, weight)
        return calls

    def submit_batch(self, collector: MapCollector, label: str, function: Pickled, pickles: Sequence[Frame], terms: TermsThen) -> None:
        """Queue one task for each pickle of (args, kwargs); small ones, which all go in one frame."""
        self.check_open()
        state, now, count = self.state, self.loop.clock(), len(pickles)
        ends, data = ends_of(pickles), b"".join(pickles)
        with self.loop.hold:
            let_singles_leave(state, self.loop.out)
            agreed = told(terms)
            numbers = state.new_batch(count, label, now, collector)
            collector.expecting_batch(numbers)
            bring_recovery(state, self.loop.out, TASKS, terms)
            whole = carried(state, TASKS, function)
            message = SubmitBatch(numbers.start, count, function.digest, whole, label, now, ends, agreed, state.settled)
            self.loop.out.send(state.task, message, [*function.frames[:whole], data])

    # waiting and cancelling --------------------------------------------------------------------------------------------

    def nudge(self) -> None:
        """Have what was submitted leave now."""
        self.loop.nudge()

    def _wait_for_room(self, weights: Mapping[int, int]) -> None:
        """Wait until so much may go to each receiver; says so if it takes long."""
        has_room = self.state.traffic.has_room

        def room() -> bool:
            return all(has_room(receiver, weight) for receiver, weight in weights.items())

        if room() or self.wait(room, ROOM_PATIENCE, settle=False):
            return
        warnings.warn(f"waiting for room on the way: {self._congestion()}", RuntimeWarning, stacklevel=5)
        self.wait(room, settle=False)

    def _congestion(self) -> str:
        with self.loop.hold:
            under_way, calls = self.state.traffic.under_way, list(self.state.open.values())
            receiver = max(under_way, key=lambda each: under_way[each])
        who = "tasks that have not ended" if receiver == TASKS else f"engine {receiver}"
        oldest = [f"{call.kind} {call.label}" for call in calls if call.receiver == receiver][:1]
        return f"{under_way[receiver] >> 20} MiB are on their way to {who}; the oldest call there: {' '.join(oldest) or 'none'}"

    def wait(self, condition: Callable[[], Any], timeout: float | None = None, settle: bool = True, held_by: HeldBy | None = None) -> bool:
        """Wait until a condition holds; False if it did not in time.

        Args:
            settle: whether a wait inside of a callback may run other callbacks meanwhile.
            held_by: which calls must end before the script goes on, if it has no other way to.

        Raises:
            ClosedError: the world ends before it could.
        """
        self._check_process()
        loop, waiting = self.loop, self.state.traffic.waiting
        waiting[own := object()] = held_by
        try:
            held = loop.wait(lambda: condition() or loop.stop is not None, timeout, settle)
        finally:
            del waiting[own]
        if settle:
            self.state.screen.catch_up(loop.hold)
        if held and loop.stop is not None and not condition():
            raise ClosedError(f"the world is ending ({loop.stop.reason}); this call will not be finished")
        return held

    def cancel(self, calls: Sequence[Call], batches: Sequence[OpenBatch] = (), interrupt: bool = False) -> bool:
        """Drop calls, and tasks of batches, that have not begun, and wait for the answer. True if every one of them was dropped.

        Args:
            interrupt: have those interrupted that have begun; how they end is not waited for.
        """
        with self.loop.hold:
            let_singles_leave(self.state, self.loop.out)
            open_calls = [call for call in dict.fromkeys(calls) if call.done is None]
            numbers = sorted({number for batch in batches for number in batch.open})
            self.state.cancelling.append(asked := Cancelling(dict.fromkeys([*(call.id for call in open_calls), *numbers])))
            self._ask_to_cancel(open_calls, numbers, interrupt)
            self.watch.cancelled(open_calls if interrupt else (), self.loop.clock())

        def answered() -> bool:
            left = [call.id for call in open_calls if call.done is None] + numbers
            return all(asked.answers[number] is not None for number in left)

        try:
            self.nudge()
            self.wait(answered, CANCEL_PATIENCE)
        finally:
            with self.loop.hold:
                self.state.cancelling.remove(asked)
        dropped = [asked.answers[call.id] or call.aborted for call in open_calls] + [asked.answers[number] for number in numbers]
        return bool(dropped) and all(dropped)

    def cancel_results(self, results: Iterable[FutureOfCalls], interrupt: bool = False) -> None:
        """Drop what has not begun of results, as `cancel`."""
        under_way = [result.under_way() for result in results]
        calls = [call for calls, _ in under_way for call in calls]
        self.cancel(calls, [batch for _, batches in under_way for batch in batches], interrupt)

    def interrupt(self, engines: Sequence[int]) -> None:
        """Have whatever runs on engines interrupted."""
        self.check_open()
        with self.loop.hold:
            self.watch.interrupt(self.loop.out, engines, self.loop.clock())
        self.nudge()

    def _ask_to_cancel(self, calls: Sequence[Call], numbers: Sequence[int], interrupt: bool) -> None:
        tasks = (*(call.id for call in calls if call.is_task), *numbers)
        if tasks:
            self.loop.out.send(self.state.task, CancelTasks(tasks, interrupt))
        for engine in sorted({call.engine for call in calls if not call.is_task}):
            there = tuple(call.id for call in calls if call.engine == engine and not call.is_task)
            self.loop.out.send(self.state.engines[engine], CancelCalls(there, interrupt))
