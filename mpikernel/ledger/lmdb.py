"""The ledger on disk: LMDB, written by one run at a time and read by anybody, also when that run was killed.

Every commit is synced. A write transaction lives as long as one commit and a read transaction of the writer as long as one
chunk, so that LMDB can use its pages again and its map can grow. Only this module knows LMDB.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from itertools import islice, takewhile
from pathlib import Path

import lmdb

from mpikernel.errors import LedgerError
from mpikernel.ledger import codec
from mpikernel.ledger.folder import DATA_NAME, FRESH_SPACE, MIB, free_bytes, make_folder, sync_folder
from mpikernel.ledger.lock import Holder, RunLock, find_holder, this_process
from mpikernel.ledger.promise import Ledger, LedgerReader
from mpikernel.ledger.records import FORMAT
from mpikernel.ledger.store import Row, StoredLedger, StoredReader

#: Address space for a new ledger, not memory and not disk. It doubles whenever it is full.
FIRST_MAP = 64 * MIB

#: Rows that the writer reads in one transaction.
CHUNK = 1000

_META_PAGES = 2


def open_ledger(folder: Path, *, fresh_space: int = FRESH_SPACE) -> Ledger:
    """Open the ledger in `folder` for the run that will write it; the folder is made if it is not there.

    Raises LedgerError, before anything in an existing ledger is changed, if it cannot be written (in the way, read-only, fewer than
    `fresh_space` bytes free), if another run has it open, if it is damaged, or if it has another format.
    """
    folder = folder.absolute()
    with _explained(f"the ledger in {folder} cannot be written"), ExitStack() as undo:
        make_folder(folder, fresh_space)
        lock = RunLock(folder)
        undo.callback(lock.release)
        environment = lmdb.open(str(folder), map_size=FIRST_MAP)
        undo.callback(environment.close)
        _check(environment, folder)
        store = LmdbStore(folder, environment, lock)
        store.commit([(codec.FORMAT_KEY, b"%d" % FORMAT), (codec.WRITER_KEY, str(this_process()).encode())])
        sync_folder(folder)
        undo.pop_all()
    return StoredLedger(store)


def read_ledger(folder: Path) -> LedgerReader:
    """Open the ledger in `folder` as it is at this moment. Creates nothing and works on read-only file systems.

    While it is open a run that is writing cannot use its old pages again, so close it soon. Raises LedgerError if there is no ledger,
    if it is damaged or has another format, or if a run on another host is writing it.
    """
    folder = folder.absolute()
    with _explained(f"the ledger in {folder} cannot be read"), ExitStack() as undo:
        _check_there(folder)
        holder = find_holder(folder)  # before the snapshot, which then shows the end of a run that ends in between
        environment = lmdb.open(str(folder), map_size=0, readonly=True, create=False, lock=_takes_part(folder, holder))
        undo.callback(environment.close)
        _check(environment, folder)
        snapshot = LmdbSnapshot(folder, environment)
        undo.pop_all()
    return StoredReader(snapshot, live=holder is not None)


class LmdbStore:
    """A `Store` that one run writes."""

    def __init__(self, folder: Path, environment: lmdb.Environment, lock: RunLock) -> None:
        self.name = str(folder)
        self._folder = folder
        self._environment = environment
        self._lock: RunLock | None = lock  # None once it is closed

    def scan(self, first: bytes, end: bytes) -> Iterator[Row]:
        while chunk := self._chunk(first, end):
            yield from chunk
            first = chunk[-1][0] + b"\0"

    def find(self, first: bytes, end: bytes) -> Row | None:
        with _explained(f"the ledger in {self.name} cannot be read"), self._environment.begin() as transaction:
            return next(_scan(transaction, first, end), None)

    def commit(self, rows: list[Row], removed: Sequence[bytes] = ()) -> int:
        with _explained(f"the ledger in {self.name} cannot be written", self._folder):
            while True:
                try:
                    return self._put(rows, removed)
                except lmdb.MapFullError:
                    self._make_room()

    def close(self) -> None:
        if self._lock is not None:
            self._environment.close()
            self._lock.release()
            self._lock = None

    def _chunk(self, first: bytes, end: bytes) -> list[Row]:
        with _explained(f"the ledger in {self.name} cannot be read"), self._environment.begin() as transaction:
            return list(islice(_scan(transaction, first, end), CHUNK))

    def _put(self, rows: list[Row], removed: Sequence[bytes]) -> int:
        with self._environment.begin(write=True) as transaction, transaction.cursor() as cursor:
            cursor.putmulti(rows)  # new keys in their order fill pages to the brim, as MDB_APPEND would (measured: the same size and time)
            return sum(map(transaction.delete, removed))

    def _make_room(self) -> None:
        """Free the pages that killed readers still hold; if there were none, double the map."""
        if self._environment.reader_check():
            return
        try:
            self._environment.set_mapsize(2 * self._environment.info()["map_size"])
        except lmdb.Error:
            self._environment.close()  # LMDB has lost the old map too and must not be used again
            raise


class LmdbSnapshot:
    """A `ReadStore` that shows what was committed when it was made, and nothing later."""

    def __init__(self, folder: Path, environment: lmdb.Environment) -> None:
        self.name = str(folder)
        self._environment = environment
        self._transaction = _begin_reading(environment)

    def scan(self, first: bytes, end: bytes) -> Iterator[Row]:
        with _explained(f"the ledger in {self.name} cannot be read"):
            yield from _scan(self._transaction, first, end)

    def find(self, first: bytes, end: bytes) -> Row | None:
        with _explained(f"the ledger in {self.name} cannot be read"):
            return next(_scan(self._transaction, first, end), None)

    def close(self) -> None:
        self._environment.close()  # ends the transaction too


def _scan(transaction: lmdb.Transaction[bytes], first: bytes, end: bytes) -> Iterator[Row]:
    cursor = transaction.cursor()
    if cursor.set_range(first):
        yield from takewhile(lambda row: row[0] < end, cursor.iternext())


def _begin_reading(environment: lmdb.Environment) -> lmdb.Transaction[bytes]:
    while True:
        try:
            return environment.begin()
        except lmdb.MapResizedError:  # the run that writes has grown its map since we opened ours
            environment.set_mapsize(0)


def _takes_part(folder: Path, holder: Holder | None) -> bool:
    """Whether a reader can enter itself in LMDB's table of readers, which it must while a run is writing."""
    table = folder / "lock.mdb"
    possible = table.exists() and os.access(table, os.W_OK)
    if holder and holder.host != this_process().host:
        raise LedgerError(f"the ledger in {folder} is being written by {holder}; read it on that host, or when the run has ended")
    if holder and not possible:
        raise LedgerError(
            f"the ledger in {folder} is being written by {holder}; until that has ended only who may write {table} can read it"
        )
    return possible


def _check_there(folder: Path) -> None:
    data = folder / DATA_NAME
    if not data.is_file() or not data.stat().st_size:
        raise LedgerError(f"there is no ledger in {folder}")


def _check(environment: lmdb.Environment, folder: Path) -> None:
    """Refuse what is not a whole ledger of our format. An empty one is: its first run was killed at once."""
    pages = environment.stat()
    used = _META_PAGES + pages["branch_pages"] + pages["leaf_pages"] + pages["overflow_pages"]
    if used * pages["psize"] > (folder / DATA_NAME).stat().st_size:  # LMDB would read beyond the end and the system would end us
        raise LedgerError(f"the ledger in {folder} is cut short, as by an unfinished copy; copy it again, or use another cluster directory")
    with _begin_reading(environment) as transaction:
        found = transaction.get(codec.FORMAT_KEY, b"none" if pages["entries"] else b"%d" % FORMAT)
    if found != b"%d" % FORMAT:
        raise LedgerError(
            f"the ledger in {folder} has format {found.decode(errors='replace')} and this mpikernel knows format {FORMAT}; "
            "use the mpikernel that wrote it, or another cluster directory"
        )


@contextmanager
def _explained(what: str, folder: Path | None = None) -> Iterator[None]:
    """Turn what LMDB and the system raise into a LedgerError; with a folder it says how full its file system is."""
    try:
        yield
    except LedgerError:
        raise
    except (lmdb.InvalidError, lmdb.CorruptedError, lmdb.PageNotFoundError, lmdb.VersionMismatchError) as error:
        raise LedgerError(f"{what}: {DATA_NAME} is damaged or no LMDB file ({error}); use another cluster directory") from error
    except (lmdb.Error, OSError) as error:
        free = free_bytes(folder) if folder and folder.exists() else None
        room = "" if free is None else f"; {free / MIB:.1f} MiB are free there"
        raise LedgerError(f"{what}: {error}{room}") from error
