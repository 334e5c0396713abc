"""The file under HDF5 while it is written: what the disk refuses is told here, and never to HDF5.

HDF5 keeps what it could not write, tries again when the file is closed, and in the end crashes the process: a full disk would
cost the world. So h5py writes through this object. After the first error it writes nothing more, which leaves the file
as it was then, and lets HDF5 believe that all is well until the file is closed and the error is raised. An exception that a
signal raises in the middle of a write waits too, while writing goes on.
"""

from __future__ import annotations

import fcntl
import os
from types import TracebackType
from typing import Self


def lock(descriptor: int, kind: int) -> None:
    """Lock a file as HDF5 does, where its file system has locks. BlockingIOError if it is locked by somebody else, of this process too."""
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError:  # no locks
        pass


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
