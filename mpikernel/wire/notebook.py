"""Records on their way to the controller, and what tasks call, gathered for a moment so that a busy rank sends one message for many calls.

What is gathered is at most GATHER seconds old, much less than the interval of the ledger's commits; a call that ends within
it is recorded once, as ended.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct, field

from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.records import Record, RecordRange
from mpikernel.wire.envelope import Frame
from mpikernel.wire.loop import Outbox
from mpikernel.wire.messages import Note

#: How long records are gathered (seconds), and how many at most.
GATHER = 5e-3
MOST = 1000


class Notebook(Struct, eq=False):
    """One rank's records that the controller has not been sent."""

    controller: int  # its rank
    records: dict[int, Record] = field(default_factory=dict)  # by call, the latest of each
    ranges: list[RecordRange] = field(default_factory=list)  # of other calls, or written before
    shared: list[tuple[KeptShared, Sequence[Frame]]] = field(default_factory=list)  # by calls
    calls: list[tuple[KeptCall, Sequence[Frame]]] = field(default_factory=list)  # of tasks
    since: float = 0.0  # when the oldest was written

    def write(self, record: Record, now: float) -> None:
        """Have the ledger keep a record; it replaces an earlier one of the same call."""
        self._begin(now)
        self.records[record.task] = record

    def write_range(self, records: RecordRange, now: float) -> None:
        """Have the ledger keep records of consecutive tasks, none of which has been told before how it ended."""
        self._begin(now)
        self.ranges.append(records)

    def keep_shared(self, shared: KeptShared, frames: Sequence[Frame], now: float) -> None:
        """Have the ledger keep what calls share."""
        self._begin(now)
        self.shared.append((shared, frames))

    def keep_call(self, call: KeptCall, frames: Sequence[Frame], now: float) -> None:
        """Have the ledger keep what tasks call."""
        self._begin(now)
        self.calls.append((call, frames))

    @property
    def empty(self) -> bool:
        """Whether there is nothing to send."""
        return not (self.records or self.ranges or self.shared or self.calls)

    def _begin(self, now: float) -> None:
        if self.empty:
            self.since = now

    def send_when_due(self, out: Outbox, now: float) -> None:
        """Send what has been gathered long enough, or is enough."""
        if not self.empty and (now - self.since >= GATHER or len(self.records) >= MOST):
            self.send(out)

    def send(self, out: Outbox) -> None:
        """Send everything now."""
        if self.empty:
            return
        kept = [*self.shared, *self.calls]
        shared, calls = tuple(each for each, _ in self.shared), tuple(call for call, _ in self.calls)
        note = Note(tuple(self.records.values()), tuple(self.ranges), shared, calls)
        out.send(self.controller, note, [frame for _, frames in kept for frame in frames])
        for told in (self.records, self.ranges, self.shared, self.calls):
            told.clear()
