"""A ledger in memory, for tests and for worlds that keep none on disk. It grows with every record and ends with the process."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mpikernel.ledger.store import Row, StoredLedger


class MemoryStore:
    """Rows in a dict."""

    name = "memory"

    def __init__(self, rows: dict[bytes, bytes]) -> None:
        self._rows = rows

    def scan(self, first: bytes, end: bytes) -> Iterator[Row]:
        for key in sorted(key for key in self._rows if first <= key < end):
            yield key, self._rows[key]

    def find(self, first: bytes, end: bytes) -> Row | None:
        key = min((key for key in self._rows if first <= key < end), default=None)
        return None if key is None else (key, self._rows[key])

    def commit(self, rows: list[Row], removed: Sequence[bytes] = ()) -> int:
        self._rows.update(rows)
        return sum(self._rows.pop(key, None) is not None for key in removed)

    def close(self) -> None:
        """Nothing was opened."""


class MemoryLedger(StoredLedger):
    """A `Ledger` whose committed rows are in `rows`: what a disk would be to a process that dies."""

    def __init__(self, rows: dict[bytes, bytes] | None = None) -> None:
        self.rows = {} if rows is None else rows
        super().__init__(MemoryStore(self.rows))
