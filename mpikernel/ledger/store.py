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
from mpikernel.ledger.pages import Page
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

    def close(self) -> None:
        self._store.close()

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

    def commit(self) -> None:
        if self._pending:
            self._home.commit(sorted(self._pending.items()))
            self._pending.clear()

    def remove(self, run: int, tasks: Iterable[int]) -> int:
        self._begun()
        keys = [codec.record_key(run, task) for task in tasks]
        removed = self._home.commit(sorted(self._pending.items()), keys)
        self._pending.clear()
        return removed

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
