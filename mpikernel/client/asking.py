"""Reads the ledger of the cluster directory from a script, a page at a time: the controller has it, and every page is a message.

In order: what this client knows of its direct calls goes to the controller before each question, and what it knows of tasks is
waited for in `settle`, since their records come from the task interface. Knows nothing of what is looked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence

from mpikernel.client.port import Port
from mpikernel.client.questions import Question
from mpikernel.client.reactor import let_singles_leave
from mpikernel.errors import LedgerError
from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.codec import decode_call, decode_page, decode_shared
from mpikernel.ledger.pages import FIRST
from mpikernel.ledger.query import Entry
from mpikernel.ledger.records import SUBMITTED, Position
from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.messages import Answer, AskStanding, FetchCalls, FetchShared, Purge, Query, Standing
from mpikernel.wire.transport import Arrival

#: Records of one page; some 60 KiB, so that a page travels in its envelope.
PAGE = 500
#: How long `settle` waits for records that are on their way (seconds), and how often it looks.
PATIENCE = 1.0
PAUSE = 2e-3


class RemoteLedger:
    """The ledger as a script sees it."""

    def __init__(self, port: Port) -> None:
        self._port = port

    @property
    def run(self) -> int:
        """The number of this run."""
        questions = self._port.questions
        if not questions.run:
            self._ask(lambda number: Query(number, FIRST, FIRST, 1))
        return questions.run

    def entries(self, first: Position, last: Position) -> Iterator[Entry]:
        """The records from one position to another, in order, read as they are asked for.

        Raises:
            LedgerError: the controller cannot read them.
            ClosedError: the world ends before it has.
        """
        position: Position | None = first
        while position is not None and position <= last:
            answer, data = self._page(position, last)
            position = answer.following
            for run, record in decode_page(data):
                yield Entry(run, record, run == answer.run)

    def remove(self, run: int, calls: Sequence[int]) -> int:
        """Remove the records of calls that have ended; how many there were. Errors as in `entries`."""
        answer, _ = self._ask(lambda number: Purge(number, run, tuple(calls)))
        return answer.removed

    def calls(self, run: int, tasks: Iterable[int]) -> Iterator[tuple[KeptCall, list[bytes]]]:
        """What tasks of a run call, and its frames; in order, of tasks that were submitted together once. Errors as in `entries`.

        Of a task of which it is not kept nothing comes.
        """
        left = sorted(set(tasks))
        while left:
            asked, answered = tuple(left[:PAGE]), 0
            answer, frames = self._ask(lambda number, asked=asked: FetchCalls(number, run, asked))  # type: ignore[misc]  # a lambda's default
            yield from (decode_call(frame) for frame in frames)
            answered = asked[-1] + 1 if answer.following is None else answer.following[1]
            left = [task for task in left if task >= answered]

    def shared(self, run: int, name: bytes) -> tuple[KeptShared, list[bytes]] | None:
        """What calls of a run name, and its frames; None if it is not kept. Errors as in `entries`."""
        _, frames = self._ask(lambda number: FetchShared(number, run, name))
        return decode_shared(frames[0]) if frames else None

    def settle(self) -> None:
        """Wait until the ledger knows of every task's end that this script knows of; records of one engine's tasks come in order."""
        tally, hold = self._port.state.tally, self._port.loop.hold
        with hold:
            latest = dict(tally.latest)
        deadline = time.monotonic() + PATIENCE
        for engine, call in latest.items():
            while not self._has_ended(call) and time.monotonic() < deadline:
                self._port.wait(lambda: False, PAUSE)
            with hold:
                if tally.latest.get(engine) == call:
                    del tally.latest[engine]

    def _has_ended(self, call: int) -> bool:
        position = (self.run, call)
        return any(entry.record.status != SUBMITTED for entry in self.entries(position, position))

    def _page(self, first: Position, last: Position) -> tuple[Answer, Frame]:
        answer, frames = self._ask(lambda number: Query(number, first, last, PAGE))
        return answer, frames[0]

    def _ask(self, make: Callable[[int], Question]) -> tuple[Answer, Sequence[Frame]]:
        port = self._port
        with port.loop.hold:
            port.state.notes.send(port.loop.out)
        arrival = ask(port, port.state.notes.controller, make)
        answer = arrival.message
        assert isinstance(answer, Answer)
        lost = next((frame for frame in arrival.frames if isinstance(frame, Missing)), None)
        if answer.error or lost is not None:
            raise LedgerError(answer.error or f"a page of the ledger was lost: {bytes(lost or b'').decode(errors='replace')}")
        return answer, arrival.frames


def tasks_at_engines(port: Port) -> Standing:
    """Which tasks each engine has at this moment, and which none has, as the task interface knows it.

    Raises:
        ClosedError: the world ends before it has answered.
    """
    with port.loop.hold:
        let_singles_leave(port.state, port.loop.out)
    standing = ask(port, port.state.task, AskStanding).message
    assert isinstance(standing, Standing)
    return standing


def ask(port: Port, receiver: int, make: Callable[[int], Question]) -> Arrival:
    """Send a question that is made with its number, and wait for the answer."""
    port.check_open()
    questions = port.questions
    with port.loop.hold:
        number = questions.ask(port.loop.out, receiver, make)
    port.nudge()
    try:
        port.wait(lambda: questions.open[number] is not None)
    finally:
        with port.loop.hold:
            arrival = questions.open.pop(number)
    assert arrival is not None
    return arrival
