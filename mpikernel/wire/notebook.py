"""Records on their way to the controller, gathered for a moment so that a busy rank sends one message for many calls.

What is gathered is at most GATHER seconds old, much less than the interval of the ledger's commits; a call that ends within
it is recorded once, as ended.
"""

from __future__ import annotations

from msgspec import Struct, field

from mpikernel.ledger.records import Record, RecordRange
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
    since: float = 0.0  # when the oldest was written

    def write(self, record: Record, now: float) -> None:
        """Have the ledger keep a record; it replaces an earlier one of the same call."""
        if not (self.records or self.ranges):
            self.since = now
        self.records[record.task] = record

    def write_range(self, records: RecordRange, now: float) -> None:
        """Have the ledger keep records of consecutive tasks, none of which has been told before how it ended."""
        if not (self.records or self.ranges):
            self.since = now
        self.ranges.append(records)

    def send_when_due(self, out: Outbox, now: float) -> None:
        """Send what has been gathered long enough, or is enough."""
        if (self.records or self.ranges) and (now - self.since >= GATHER or len(self.records) >= MOST):
            self.send(out)

    def send(self, out: Outbox) -> None:
        """Send everything now."""
        if self.records or self.ranges:
            out.send(self.controller, Note(tuple(self.records.values()), tuple(self.ranges)))
            self.records.clear()
            self.ranges.clear()
