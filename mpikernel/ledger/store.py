"""Keeps the promise of a ledger over anything that keeps rows in the order of their keys.

Owns the numbering of runs, the records that are pending and how they cover what is stored. Does not know where the
rows are, nor when it is time to commit.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from itertools import groupby, islice
from operator import itemgetter
from typing import Protocol, TypeVar

import msgspec

from mpikernel.errors import LedgerError
from mpikernel.ledger import codec
from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.ledger.pages import Page
from mpikernel.ledger.promise import Bytes, KeptRow
from mpikernel.ledger.records import Position, Record, Run

T = TypeVar("T")
Row = tuple[bytes, bytes]
_key = itemgetter(0)


class ReadStore(Protocol):
    """Rows that can be read."""

    name: str
    """What errors call it, such as the folder it is in."""

    def scan(self, first: bytes, end: bytes) -> Iterator[Row]:
        """The rows with first <= key < end in order of their keys, read as they are asked for."""

    def find(self, first: bytes, end: bytes) -> Row | None:
        """The first of the rows that `scan` would give, and no other is read."""

    def close(self) -> None:
        """Let go of what was opened. A second time it does nothing."""


class Store(ReadStore, Protocol):
    """Rows that can be added to, replaced and removed."""

    def commit(self, rows: list[Row], removed: Sequence[bytes] = ()) -> int:
        """Make rows, which come in order of their keys, durable, and remove others by their keys: all or, with a LedgerError, nothing.

        Returns how many of `removed` there were, the rows among them.
        """


class StoredReader:
    """A `LedgerReader` over a store."""

    def __init__(self, store: ReadStore, live: bool) -> None:
        self._store = store
        self._live = live  # as it was when the store was opened

    def live(self) -> bool:
        return self._live

    def runs(self) -> list[Run]:
        rows = self._store.scan(*codec.RUNS)
        return [self._decoded(codec.decode_run, data) for _, data in rows]

    def records(self, run: int | None = None) -> Iterator[tuple[int, Record]]:
        for key, data in self._rows(*codec.record_range(run)):
            yield self._decoded(codec.run_of, key), self._decoded(codec.decode_record, data)

    def page(self, first: Position, last: Position, limit: int) -> Page:
        rows = list(islice(self._rows(codec.record_key(*first), codec.record_key(*last) + b"\0"), limit + 1))
        following = codec.position_of(rows.pop()[0]) if len(rows) > limit else None
        return Page(codec.encode_page(rows), following)

    def calls(self, run: int, tasks: Iterable[int]) -> Iterator[KeptRow]:
        return self._calls(run, tasks)

    def shared(self, run: int, name: bytes) -> bytes | None:
        key = codec.shared_key(run, name)
        row = self._store.find(key, key + b"\0")
        return None if row is None else row[1]

    def close(self) -> None:
        self._store.close()

    def _calls(self, run: int, tasks: Iterable[int]) -> Iterator[KeptRow]:
        last = -1
        for task in sorted(tasks):
            if task <= last:
                continue
            row = self._store.find(codec.call_key(run, task), codec.call_range(run)[1])
            if row is None:
                return
            last = self._decoded(codec.position_of, row[0])[1]
            yield KeptRow(last, row[1])

    def _rows(self, first: bytes, end: bytes) -> Iterator[Row]:
        return self._store.scan(first, end)

    def _decoded(self, decode: Callable[[bytes], T], data: bytes) -> T:
        try:
            return decode(data)
        except (msgspec.MsgspecError, struct.error) as error:
            raise LedgerError(f"the ledger in {self._store.name} is damaged: {error}") from error


class StoredLedger(StoredReader):
    """A `Ledger` over a store."""

    def __init__(self, store: Store) -> None:
        super().__init__(store, live=False)
        self._home = store
        self._run: Run | None = None  # the open run
        self._pending: dict[bytes, bytes] = {}  # rows that are not in the store yet

    @property
    def run(self) -> int:
        return self._run.number if self._run is not None else 0

    @property
    def pending(self) -> int:
        return len(self._pending)

    def live(self) -> bool:
        return self._run is not None

    def begin_run(self, run: Run) -> int:
        if self._run is not None:
            raise LedgerError(f"run {self._run.number} is still open in the ledger in {self._store.name}")
        number = max((known.number for known in self.runs()), default=0) + 1
        begun = msgspec.structs.replace(run, number=number)
        self._home.commit([(codec.run_key(number), codec.encode(begun))])
        self._run = begun
        return number

    def write(self, records: Iterable[Record]) -> None:
        number = self._begun().number
        for record in records:
            self._pending[codec.record_key(number, record.task)] = codec.encode(record)

    def keep(self, kept: KeptCall | KeptShared, frames: Sequence[Bytes]) -> None:
        number = self._begun().number
        key = codec.call_key(number, kept.last) if isinstance(kept, KeptCall) else codec.shared_key(number, kept.name)
        self._pending[key] = codec.encode_kept(kept, frames)

    def calls(self, run: int, tasks: Iterable[int]) -> Iterator[KeptRow]:
        self.commit()  # what is pending is not looked at then
        return self._calls(run, tasks)

    def shared(self, run: int, name: bytes) -> bytes | None:
        return self._pending.get(codec.shared_key(run, name)) or super().shared(run, name)

    def commit(self) -> None:
        if self._pending:
            self._home.commit(sorted(self._pending.items()))
            self._pending.clear()

    def remove(self, run: int, tasks: Iterable[int]) -> int:
        self._begun()
        self.commit()
        gone = set(tasks)
        calls = [codec.call_key(run, call.last) for call in self._calls_that_end_with(run, gone)]
        removed = self._home.commit([], [*(codec.record_key(run, task) for task in gone), *calls]) - len(calls)
        if calls and run != self.run and self._home.find(*codec.call_range(run)) is None:
            self._home.commit([], [key for key, _ in self._home.scan(*codec.shared_range(run))])
        return removed

    def _calls_that_end_with(self, run: int, gone: set[int]) -> Iterator[KeptCall]:
        """What is called by some of these tasks, and by no others that are on record."""
        for row in self._calls(run, gone):
            call = self._decoded(codec.header_of_call, row.data)
            keys = codec.record_key(run, call.first), codec.record_key(run, call.last) + b"\0"
            recorded = (codec.position_of(key)[1] for key, _ in self._home.scan(*keys))
            if not gone.isdisjoint(range(call.first, call.last + 1)) and all(task in gone for task in recorded):
                yield call

    def end_run(self, exit_code: int, ended: float) -> None:
        run = msgspec.structs.replace(self._begun(), exit_code=exit_code, ended=ended)
        self._pending[codec.run_key(run.number)] = codec.encode(run)
        self.commit()
        self._run = None

    def close(self) -> None:
        try:
            self.commit()
        finally:
            self._pending.clear()
            self._run = None
            self._store.close()

    def _begun(self) -> Run:
        if self._run is None:
            raise LedgerError(f"no run is open in the ledger in {self._store.name}")
        return self._run

    def _rows(self, first: bytes, end: bytes) -> Iterator[Row]:
        pending = sorted(row for row in self._pending.items() if first <= row[0] < end)
        if not pending:
            yield from super()._rows(first, end)
            return
        for _, versions in groupby(merge(super()._rows(first, end), pending, key=_key), key=_key):
            *_, newest = versions  # merge is stable: what is pending comes after what is stored
            yield newest
