"""Reads the ledger of the cluster directory from a script, a page at a time: the controller has it, and every page is a message.

In order: what this client knows of its direct calls goes to the controller before each question, and what it knows of tasks is
waited for in `settle`, since their records come from the task interface. Knows nothing of what is looked for.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

from mpikernel.client.port import Port
from mpikernel.errors import LedgerError
from mpikernel.ledger.codec import decode_page
from mpikernel.ledger.pages import FIRST
from mpikernel.ledger.query import Entry
from mpikernel.ledger.records import SUBMITTED, Position
from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.messages import Answer, Purge, Query

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

    def _ask(self, make: Callable[[int], Query | Purge]) -> tuple[Answer, Sequence[Frame]]:
        port, questions = self._port, self._port.questions
        port.check_open()
        with port.loop.hold:
            port.state.notes.send(port.loop.out)
            number = questions.ask(port.loop.out, port.state.notes.controller, make)
        port.nudge()
        try:
            port.wait(lambda: questions.open[number] is not None)
        finally:
            with port.loop.hold:
                arrival = questions.open.pop(number)
        assert arrival is not None
        answer = arrival.message
        assert isinstance(answer, Answer)
        lost = next((frame for frame in arrival.frames if isinstance(frame, Missing)), None)
        if answer.error or lost is not None:
            raise LedgerError(answer.error or f"a page of the ledger was lost: {bytes(lost or b'').decode(errors='replace')}")
        return answer, arrival.frames
