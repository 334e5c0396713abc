"""What a ledger promises. The controller writes through `Ledger`; whoever only looks holds a `LedgerReader`.

When to commit is not decided here: the loop that owns a ledger knows the clock and looks at `pending`.
Every method may raise LedgerError; its text names the folder and says what to do.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, Protocol

from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.pages import Page
from mpikernel.ledger.records import Position, Record, Run

#: What a frame may be.
Bytes = bytes | bytearray | memoryview


class KeptRow(NamedTuple):
    """What some tasks call, as it is stored."""

    last: int  # of the tasks
    data: bytes


class LedgerReader(Protocol):
    """Looks into a ledger."""

    def live(self) -> bool:
        """Whether the newest run is still going on, so that its open records may yet end."""

    def runs(self) -> list[Run]:
        """Every run, the oldest first. One that neither ended nor is live was killed."""

    def records(self, run: int | None = None) -> Iterator[tuple[int, Record]]:
        """(run number, record) of one run, or of all; in order of run and id, each id once, as it was written last.

        Reads as it goes, in memory that does not depend on how many there are. What is written meanwhile may be missing.
        An unknown run has no records.
        """

    def page(self, first: Position, last: Position, limit: int) -> Page:
        """The first `limit` records (at least one) from `first` to `last`, both included; in the order of `records`."""

    def calls(self, run: int, tasks: Iterable[int]) -> Iterator[KeptRow]:
        """What these tasks call, for `codec.decode_call`: in order of id, of tasks that were submitted together once.

        Of a task of which it is not kept nothing comes, or what the next task calls.
        """

    def shared(self, run: int, name: bytes) -> bytes | None:
        """What calls name, for `codec.decode_shared`; None if it is not kept."""

    def close(self) -> None:
        """Let go of what was opened. A second time it does nothing."""


class Ledger(LedgerReader, Protocol):
    """Keeps records. One thread at a time uses it."""

    @property
    def run(self) -> int:
        """The number of the open run, 0 if there is none."""

    @property
    def pending(self) -> int:
        """How many records and calls are written and not yet committed."""

    def begin_run(self, run: Run) -> int:
        """Open a run and return its number, which is one more than the last one's; `run.number` is ignored.

        Durable before it returns. A ledger has one open run at a time.
        """

    def write(self, records: Iterable[Record]) -> None:
        """Take records of the open run. Reads of this ledger see them at once; they are durable after the next commit.

        A record replaces the one of the same task in the same run.
        """

    def keep(self, kept: KeptCall | KeptShared, frames: Sequence[Bytes]) -> None:
        """Take what tasks of the open run call, or what calls share. It is seen and durable like a record.

        It stays as long as there is a record of one of these tasks; and what is shared as long as the run is open, or has a call.
        """

    def commit(self) -> None:
        """Make everything that is pending durable, all of it or nothing. With nothing pending it costs nothing.

        After an error everything is still pending, what was committed before is untouched, and it may be tried again.
        """

    def remove(self, run: int, tasks: Iterable[int]) -> int:
        """Remove the records of these calls, and return how many there were; what is not there is passed over.

        Durable before it returns, together with what was pending. A call that has not ended is written again when it does.
        """

    def end_run(self, exit_code: int, ended: float) -> None:
        """Commit what is pending together with the end of the open run."""

    def close(self) -> None:
        """Commit what is pending and let go. A run that was not ended stays open for ever, like one that was killed."""
