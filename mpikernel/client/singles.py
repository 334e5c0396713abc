"""Tasks that are submitted one by one in quick succession: they leave together, as one batch, and come back so.

Each is a call of its own all the same, with its own result. What there is to send leaves with the next turn of the loop, which
the attendant takes if nobody else does; so a task that comes alone is not kept waiting.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from msgspec import Struct, field

from mpikernel.client.terms import TermsThen, told
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Done, DoneBatch, SubmitBatch
from mpikernel.wire.terms import PLAIN

if TYPE_CHECKING:
    from mpikernel.client.pickled import Pickled
    from mpikernel.client.state import ClientState
    from mpikernel.wire.envelope import Frame

#: So many leave at once at most, and so many bytes; what is larger alone goes by itself.
MOST = 1000
ENOUGH = 1 << 15
SMALL = 1 << 13
#: They wait for each other at most so long (seconds) while more of them come.
EVERY = 8e-3


class Singles(Struct, eq=False):
    """Consecutive tasks that have been submitted and have not left. All of one function, under the same terms."""

    function: Pickled | None = None
    label: str = ""
    terms: TermsThen = PLAIN  # lasting ones
    first: int = 0
    since: float = 0.0  # when the first was submitted
    pickles: list[Frame] = field(default_factory=list)
    weight: int = 0  # bytes in them

    def fits(self, function: Pickled, label: str, terms: TermsThen, number: int) -> bool:
        """Whether a task may leave with those that are here."""
        if function is not self.function or label != self.label or number != self.first + len(self.pickles):
            return False
        return terms is self.terms or terms == self.terms

    def begin(self, function: Pickled, label: str, terms: TermsThen, number: int, now: float) -> None:
        """The next task is the first of a new batch."""
        self.function, self.label, self.terms, self.first, self.since = function, label, terms, number, now

    def add(self, pickle: Frame, now: float) -> bool:
        """The next task is called with this. Whether they should leave before another one comes."""
        self.pickles.append(pickle)
        self.weight += len(pickle)
        return self.weight >= ENOUGH or now - self.since > EVERY or len(self.pickles) >= MOST


def send_singles(state: ClientState, out: Outbox, carried: int) -> None:
    """Have those that are here leave with the next mail; `carried` frames of their function go with them."""
    singles, pickles = state.singles, state.singles.pickles
    assert singles.function is not None
    singles.pickles, singles.weight = [], 0
    message = SubmitBatch(
        singles.first,
        len(pickles),
        singles.function.digest,
        carried,
        singles.label,
        singles.since,
        ends_of(pickles),
        told(singles.terms),
        state.settled,
    )
    out.send(state.task, message, [*singles.function.frames[:carried], b"".join(pickles)])


def ends_of(pickles: Sequence[Frame]) -> bytes:
    """Where each ends when they stand one after the other, as `SubmitBatch` tells it."""
    return array("I", accumulate(map(len, pickles))).tobytes()


def end_singles(state: ClientState, done: DoneBatch, frame: Frame, now: float) -> None:
    """Consecutive ones have ended well: each is told to its result."""
    data, ends, times = bytes(frame), memoryview(done.ends).cast("I").tolist(), memoryview(done.times).cast("d").tolist()
    begins, count = (0, *ends[:-1]), len(ends)
    numbers = range(done.first, done.first + count)
    for index, number in enumerate(numbers):
        call = state.open.pop(number, None)
        if call is None:  # ended before: a task that was run twice
            continue
        its = Done(number, done.engine, "ok", times[index], times[count + index], "", "", "")
        collector = call.end(its, (data[begins[index] : ends[index]],), now)
        if collector is not None:
            collector.arrived(call)
    state.tally.ended_well(done.engine, numbers)


def frames_fit(frames: Sequence[Frame]) -> bool:
    """Whether a task that is called with these may leave with others."""
    return len(frames) == 1 and len(frames[0]) <= SMALL
