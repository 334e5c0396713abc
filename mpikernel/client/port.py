"""Where clients meet the world: the rank's loop and the client's state, for the threads of the user's script.

Made by boot on the rank that runs the script. It gives numbers to calls, sends commands, and waits.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from mpikernel.client.pickled import Pickled, PickledFunctions
from mpikernel.client.reactor import PLACES, REACTIONS, record_of, tick
from mpikernel.client.state import TASKS, Call, ClientState, Collector
from mpikernel.errors import ClosedError, NoWorldError
from mpikernel.wire.loop import Loop
from mpikernel.wire.messages import Apply, CancelCalls, CancelTasks, Message, Submit
from mpikernel.wire.payload import Frames, size

#: How long `cancel` waits to learn what became of its request (seconds).
CANCEL_PATIENCE = 5.0


class Port:
    """One for each process that runs a script. `on_an_engine` tells whether the calling thread is inside an engine's call."""

    def __init__(self, state: ClientState, loop: Loop, stream: bool, on_an_engine: Callable[[], bool] = lambda: False) -> None:
        self.state = state
        self.loop = loop
        self.stream = stream  # whether engines' output is shown unless a view says otherwise
        self.functions = PickledFunctions()
        self._on_an_engine = on_an_engine
        self._process = os.getpid()
        loop.host(state, REACTIONS, tick, PLACES)

    def check_open(self) -> None:
        """Refuse new calls where they could only fail or hang."""
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
        make: Callable[[Call, int], tuple[Message, Sequence[Any]]],
    ) -> list[Call]:
        """Give each target a command of its own, made by `make(call, index)`, and send them."""
        self.check_open()
        state, out = self.state, self.loop.out
        now = self.loop.clock()
        with self.loop.hold:
            calls = [state.new_call(kind, label, engine, now) for engine in targets]
            collector.expecting(calls)
            for index, call in enumerate(calls):
                call.collector = collector
                message, frames = make(call, index)
                out.send(state.engines[call.engine], message, frames)
                state.notes.write(record_of(state, call), now)
        return calls

    def apply_message(self, call: Call, function: Pickled, arguments: Frames, stream: bool) -> tuple[Message, Frames]:
        """The message of a direct call, with the function if the engine does not have it. Called under the loop's lock."""
        known = self.state.knows(call.engine, function.digest, size(function.frames))
        carried = 0 if known else len(function.frames)
        frames = arguments if known else [*function.frames, *arguments]
        return Apply(call.id, self.state.rank, function.digest, carried, call.label, 0, stream), frames

    # tasks -------------------------------------------------------------------------------------------------------------

    def submit(
        self,
        collector: Collector,
        label: str,
        function: Pickled,
        arguments: Sequence[Frames],
        retries: int,
        targets: tuple[int, ...],
        stream: bool,
    ) -> list[Call]:
        """Queue one task for each of `arguments`."""
        self.check_open()
        state, out = self.state, self.loop.out
        now = self.loop.clock()
        with self.loop.hold:
            calls = [state.new_call("task", label, -1, now, is_task=True) for _ in arguments]
            collector.expecting(calls)
            for call, frames in zip(calls, arguments, strict=True):
                call.collector = collector
                carried = 0 if state.knows(TASKS, function.digest, size(function.frames)) else len(function.frames)
                message = Submit(call.id, function.digest, carried, label, retries, targets, now, stream)
                out.send(state.task, message, [*function.frames, *frames] if carried else frames)
        return calls

    # waiting and cancelling --------------------------------------------------------------------------------------------

    def nudge(self) -> None:
        """Have what was submitted leave now."""
        self.loop.nudge()

    def wait(self, condition: Callable[[], Any], timeout: float | None = None) -> bool:
        """Wait until a condition holds; False if it did not in time.

        Raises:
            ClosedError: the world ends before it could.
        """
        self._check_process()
        loop = self.loop
        held = loop.wait(lambda: condition() or loop.stop is not None, timeout)
        if held and not condition():
            assert loop.stop is not None
            raise ClosedError(f"the world is ending ({loop.stop.reason}); this call will not be finished")
        return held

    def cancel(self, calls: Sequence[Call]) -> bool:
        """Drop calls that have not begun, and wait for the answer. True if every one of them was dropped."""
        with self.loop.hold:
            open_calls = [call for call in calls if call.done is None]
            for call in open_calls:
                self.state.answers[call.id] = None
            self._ask_to_cancel(open_calls)
        self.nudge()
        answers = self.state.answers
        self.wait(lambda: all(answers.get(call.id) is not None or call.done is not None for call in open_calls), CANCEL_PATIENCE)
        dropped = [answers.pop(call.id, False) or call.aborted for call in open_calls]
        return bool(open_calls) and all(dropped)

    def _ask_to_cancel(self, calls: Sequence[Call]) -> None:
        tasks = tuple(call.id for call in calls if call.is_task)
        if tasks:
            self.loop.out.send(self.state.task, CancelTasks(tasks))
        for engine in sorted({call.engine for call in calls if not call.is_task}):
            there = tuple(call.id for call in calls if call.engine == engine and not call.is_task)
            self.loop.out.send(self.state.engines[engine], CancelCalls(there))
