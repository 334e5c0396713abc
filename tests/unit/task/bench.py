"""A task interface with two engines, for tests of what it does."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import chain

from mpikernel.interfaces.task.entries import Entry, Stretch
from mpikernel.interfaces.task.handing import see_to_engines
from mpikernel.interfaces.task.pace import UNKNOWN
from mpikernel.interfaces.task.reactor import REACTIONS, tick
from mpikernel.interfaces.task.seats import Seat
from mpikernel.interfaces.task.state import TaskState
from mpikernel.ledger.records import Record, expand
from mpikernel.testing.clock import ManualClock
from mpikernel.testing.outbox import RecordingOutbox
from mpikernel.wire.messages import Apply, Done, Failed, Message, Note, Released, ReleasedBatch, RunBatch, Submit, SubmitBatch
from mpikernel.wire.notebook import GATHER, Notebook
from mpikernel.wire.terms import Terms
from mpikernel.wire.transport import Arrival

CONTROLLER, CLIENT, FIRST, SECOND = 0, 1, 3, 4
ROOM = 2  # tasks that an engine is given while nobody knows how long they take
RANKS = (FIRST, SECOND)
LATER = 1.0 + UNKNOWN  # when they end, if they begin at 1.0


class Bench:
    """A task interface with two engines."""

    def __init__(self, policy: str = "leastload") -> None:
        self.clock = ManualClock()
        self.out = RecordingOutbox()
        self.state = TaskState(Notebook(CONTROLLER), [Seat(FIRST, "a"), Seat(SECOND, "b")], policy, mortal=True)

    def react(self, sender: int, message: Message, frames: Sequence[bytes] = (), checked: bool = True) -> None:
        """A turn in which a message has come."""
        self.hear(sender, message, frames)
        see_to_engines(self.state, self.out, self.clock())
        if checked:
            self.state.check()

    def hear(self, sender: int, message: Message, frames: Sequence[bytes] = ()) -> None:
        """A message has come; the turn goes on."""
        REACTIONS[type(message)](self.state, self.out, Arrival(sender, message, frames), self.clock())

    def submit(self, *numbers: int, name: bytes = b"f", carried: int = 1, retries: int = 0, targets: tuple[int, ...] = ()) -> None:
        for number in numbers:
            message = Submit(number, name, carried, "f", 5.0, False, Terms(targets, retries), 0)
            self.react(CLIENT, message, [b"code"] * carried + [b"args"])

    def submit_on(self, terms: Terms, *numbers: int, settled: int = 0) -> None:
        """As `submit`, now and on these terms."""
        for number in numbers:
            self.react(CLIENT, Submit(number, b"f", 1, "f", self.clock(), False, terms, settled), [b"code", b"args"])

    def submit_batch_on(self, terms: Terms, first: int, count: int) -> None:
        """Tasks that are called with nothing, now and on these terms."""
        ends = array("I", [0] * count).tobytes()
        self.react(CLIENT, SubmitBatch(first, count, b"f", 1, "f", self.clock(), ends, terms, 0), [b"code", b""])

    def fill(self, *numbers: int) -> None:
        """Give both engines all that they take: tasks that nobody cares for."""
        self.submit(*(numbers or range(900, 900 + 2 * ROOM)))
        self.out.mail.clear()

    def end_well(self, engine: int, number: int) -> None:
        self.react(RANKS[engine], Released(number, 1, 1.0, LATER))

    def end_batches(self) -> None:
        """Engines run all that they have of batches, and what they are given then."""
        while stretches := [(engine, entry) for engine in range(2) for entry in self.held(engine) if isinstance(entry, Stretch)]:
            for engine, stretch in stretches:
                self.end_stretch(engine, stretch)

    def held(self, engine: int) -> list[Entry]:
        """What an engine has, in the order in which it was given it."""
        seat = self.state.seats[engine]
        return seat.entries(seat.given)

    def end_stretch(self, engine: int, stretch: Stretch) -> None:
        times = array("d", [1.0] * stretch.count + [LATER] * stretch.count).tobytes()
        self.react(RANKS[engine], ReleasedBatch(stretch.submit.first, stretch.numbers.start, stretch.count, engine, times))

    def refuse(self, engine: int, number: int, reason: str) -> None:
        """An engine does not take a task."""
        done = Done(number, engine, "error", 1.0, 1.0, "", "", f"TaskReject: {reason}")
        self.react(RANKS[engine], Failed(1, done, rejected=True), [b"description"])

    def pass_time(self, seconds: float) -> None:
        tick(self.state, self.out, self.clock.advance(seconds))
        self.state.check()

    def ends(self) -> dict[int, Done]:
        """How tasks ended that the client was told of since the last time."""
        return {message.call: message for message in self.out.take_messages(CLIENT) if isinstance(message, Done)}

    def given_batches(self, rank: int) -> list[range]:
        """Tasks of batches that an engine has been sent since the last time."""
        sent = [message for message in self.out.take_messages(rank) if isinstance(message, RunBatch)]
        return [range(message.call, message.call + len(message.ends) // 4) for message in sent]

    def given(self, rank: int) -> list[int]:
        """Tasks that an engine has been sent since the last time."""
        return [message.call for message in self.out.take_messages(rank) if isinstance(message, Apply)]

    def fail(self, engine: int, rank: int, number: int) -> Done:
        done = Done(number, engine, "error", 1.0, LATER, "", "", "ValueError: no")
        self.react(rank, Failed(1, done, rejected=False), [b"description"])
        return done

    def recorded(self) -> dict[int, Record]:
        """The latest record of each task since the last time."""
        tick(self.state, self.out, self.clock.advance(GATHER))
        notes = [note for note in self.out.take_messages(CONTROLLER) if isinstance(note, Note)]
        written = [record for note in notes for record in (*chain.from_iterable(map(expand, note.ranges)), *note.records)]
        return {record.task: record for record in written}
