"""The file under HDF5 while it is written: whose turn it is, and what the disk refuses, which is told here and never to HDF5.

A file that is to be replaced is built beside it. Who does so has its turn as long as it has the lock of a third file, in which its
name stands; so the next one, of this job or another, knows whom it waits for, and after a kill what to remove.

HDF5 keeps what it could not write, tries again when the file is closed, and in the end crashes the process: a full disk would
cost the world. So h5py writes through this object. After the first error it writes nothing more, which leaves the file
as it was then, and lets HDF5 believe that all is well until the file is closed and the error is raised. An exception that a
signal raises in the middle of a write waits too, while writing goes on.
"""

from __future__ import annotations

import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from itertools import count
from types import TracebackType
from typing import NamedTuple, Self

from mpikernel.errors import ArrayFileError

#: Seconds that a saver waits for one of another process. It waits for those of its own for as long as they take.
PATIENCE = 60.0
#: Seconds between two tries.
LOOK = 0.02

_numbers = count()


def lock(descriptor: int, kind: int) -> bool:
    """Lock a file as HDF5 does. BlockingIOError if it is locked by somebody else, of this process too.

    Returns:
        whether it is locked now; there are file systems without locks.
    """
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:
        return False
    return True


# whose turn it is -------------------------------------------------------------------------------------------------------


class Saver(NamedTuple):
    """Who builds a file that is to take the place of another. No two are the same."""

    pid: int
    number: int
    host: str

    @classmethod
    def new(cls) -> Self:
        return cls(os.getpid(), next(_numbers), os.uname().nodename)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The saver whose text it is; None if it is none."""
        found = re.fullmatch(r"(\d+)-(\d+)@(.+)", text)
        return cls(int(found[1]), int(found[2]), found[3]) if found else None

    def __str__(self) -> str:
        return f"{self.pid}-{self.number}@{self.host}"

    @property
    def is_of_this_process(self) -> bool:
        return (self.pid, self.host) == (os.getpid(), os.uname().nodename)

    def partial(self, target: str) -> str:
        """Where it builds the file."""
        return f"{target}.{self}.partial"


@contextmanager
def turn(target: str, saver: Saver) -> Iterator[None]:
    """Inside, no other saver is at a file, and HDF5 lets nobody write to it.

    Raises:
        ArrayFileError: a saver of another process does not come to its end.
        OSError: the file is open for writing (BlockingIOError), or cannot be read, or nothing can be written beside it.
    """
    place = f"{target}.saving"
    with ExitStack() as held:
        descriptor, certain = _when_free(place, target)
        held.callback(os.close, descriptor)
        held.callback(_remove, place)  # before it is closed: afterwards it may be another one's
        before = _written_in(descriptor)
        if before is not None and certain and before.host == saver.host:  # it has been killed
            _remove(before.partial(target))
        with open(place, "w") as file:  # which by closing it is seen on other hosts too
            file.write(str(saver))
        with suppress(FileNotFoundError):
            lock(held.enter_context(open(target, "rb")).fileno(), fcntl.LOCK_SH)
        yield


def _when_free(place: str, target: str) -> tuple[int, bool]:
    """Wait for the lock of a file: its descriptor, and whether there are locks at all."""
    limit = time.monotonic() + PATIENCE
    while True:
        with ExitStack() as held:
            descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            held.callback(os.close, descriptor)
            try:
                certain = lock(descriptor, fcntl.LOCK_EX)
            except BlockingIOError:
                other = _written_in(descriptor)
                if other is not None and not other.is_of_this_process and time.monotonic() > limit:
                    raise ArrayFileError(f"{target} is being saved to by process {other.pid} on {other.host}") from None
            else:
                if _is_at(place, descriptor):
                    held.pop_all()
                    return descriptor, certain
                continue  # who had it has removed it meanwhile
        time.sleep(LOOK)


def _is_at(place: str, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(place))
    except FileNotFoundError:
        return False


def _written_in(descriptor: int) -> Saver | None:
    """Who has written its name there; None if who has the lock is just about to."""
    return Saver.parse(os.pread(descriptor, 1000, 0).decode(errors="replace"))


def _remove(path: str) -> None:
    with suppress(OSError):
        os.remove(path)


# writing ----------------------------------------------------------------------------------------------------------------


class Disk:
    """A file as h5py wants one, locked as HDF5 locks: nobody else may write to it or read it meanwhile.

    Raises:
        OSError: the file cannot be opened, or is open elsewhere (BlockingIOError).
    """

    def __init__(self, path: str, new: bool) -> None:
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if new else 0), 0o666)
        self._position = 0
        self._error: OSError | None = None  # the first one
        self._interrupt: BaseException | None = None  # what a signal has raised
        try:
            lock(self._descriptor, fcntl.LOCK_EX)
        except BlockingIOError:
            os.close(self._descriptor)
            raise
        if new:
            os.ftruncate(self._descriptor, 0)

    def check(self) -> None:
        """Raise what HDF5 was not told, if there is anything."""
        untold = self._error or self._interrupt
        if untold is not None:
            raise untold

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        os.close(self._descriptor)
        self.check()

    # what h5py calls ---------------------------------------------------------------------------------------------------

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = os.fstat(self._descriptor).st_size + offset if whence == os.SEEK_END else offset
        return self._position

    def tell(self) -> int:
        return self._position

    def readinto(self, buffer: memoryview) -> int:
        rest = memoryview(buffer).cast("B")
        while rest and (count := os.preadv(self._descriptor, [rest], self._position)):
            self._position += count
            rest = rest[count:]
        return len(buffer) - len(rest)

    def read(self, size: int) -> bytes:
        """By this h5py knows a file; it uses `readinto`."""
        data = bytearray(size)
        return bytes(data[: self.readinto(memoryview(data))])

    def write(self, data: memoryview) -> int:
        rest = memoryview(data).cast("B")
        while rest and self._error is None:
            try:
                count = os.pwrite(self._descriptor, rest, self._position)  # at most 2 GiB at a time
                self._position += count
                rest = rest[count:]
            except OSError as error:
                self._error = error
            except BaseException as interrupt:
                self._interrupt = interrupt
        return len(data)

    def truncate(self, size: int) -> None:
        try:
            if self._error is None:
                os.ftruncate(self._descriptor, size)
        except OSError as error:
            self._error = error

    def flush(self) -> None:
        """Nothing is kept here."""
