"""Memory that the processes of one host share: files in /dev/shm that have no name, so that nothing is left of them however a process ends.

Who has made one is found by its process and descriptor, as long as it is open there. Whoever maps it holds a lock on it (flock) for
as long as the mapping lives; that is how the maker knows that it may write to it again. Knows nothing of messages.
"""

from __future__ import annotations

import fcntl
import mmap
import os
from collections.abc import Sequence
from itertools import accumulate
from typing import NamedTuple

from mpikernel.errors import SerializeError

#: Where a kernel keeps files in memory; as large as it was mounted.
FOLDER = "/dev/shm"
#: Bytes that are copied at a time, so that other threads get their turn.
PIECE = 1 << 25


class Place(NamedTuple):
    """Where another process of the host finds an area: the maker's id and descriptor, and what file that is."""

    pid: int
    descriptor: int
    device: int
    inode: int


class Area:
    """One such file, in the process that makes it; when it is dropped there, it is gone as soon as nobody has it mapped.

    `size` is as `offsets` says for the frames that are to be in it.
    """

    def __init__(self, size: int) -> None:
        """Make room for so many bytes.

        Raises:
            SerializeError: there is not so much room, or no such place on this host.
        """
        self.size = size
        self._file = -1
        self._mapping: mmap.mmap | None = None  # once all its pages are there; not before, or room that lacks would be a signal
        try:
            self._check_room()
            self._file = os.open(FOLDER, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, size)  # takes no room yet
        except OSError as error:
            raise SerializeError(f"{FOLDER} of this host cannot hold {size} bytes to share: {error.strerror}") from error

    def _check_room(self) -> None:
        room = os.statvfs(FOLDER)
        free = room.f_bavail * room.f_frsize
        if free < self.size:
            raise SerializeError(f"{FOLDER} of this host has no room for {self.size} bytes to share: {free} are free; push without share")

    @property
    def place(self) -> Place:
        file = os.fstat(self._file)
        return Place(os.getpid(), self._file, file.st_dev, file.st_ino)

    @property
    def unused(self) -> bool:
        """Whether nobody has it mapped."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self._file, fcntl.LOCK_UN)
        return True

    def write(self, frames: Sequence[bytes | bytearray | memoryview]) -> None:
        """Copy frames into it, each to where `offsets` says.

        New pages are written and not mapped: where there is no room that is an error, and no signal. Pages that are there already
        are mapped: copying is then all there is to do, which takes half the time.

        Raises:
            SerializeError: there was no room after all.
        """
        copy = self._write if self._mapping is None else self._copy
        for frame, start in zip(frames, offsets([len(frame) for frame in frames]), strict=False):
            view = memoryview(frame)
            for done in range(0, len(view), PIECE):
                copy(view[done : done + PIECE], start + done)
        if self._mapping is None:
            self._mapping = mmap.mmap(self._file, self.size)

    def _write(self, piece: memoryview, offset: int) -> None:
        written = 0
        while written < len(piece):
            try:
                written += os.pwrite(self._file, piece[written:], offset + written)
            except OSError as error:
                raise self._full(error) from error

    def _copy(self, piece: memoryview, offset: int) -> None:
        assert self._mapping is not None
        self._mapping[offset : offset + len(piece)] = piece

    def _full(self, error: OSError) -> SerializeError:
        return SerializeError(f"{FOLDER} of this host has no room for {self.size} bytes to share: {error.strerror}; push without share")

    def landing(self, sizes: Sequence[int]) -> list[memoryview]:
        """Writable memory in it for frames of these sizes. All its room is taken first, so that writing cannot fail.

        Raises:
            SerializeError: there is not so much room.
        """
        try:
            os.posix_fallocate(self._file, 0, self.size)
            return _cut(mmap.mmap(self._file, self.size), sizes)
        except OSError as error:
            raise self._full(error) from error

    def __del__(self) -> None:
        if self._file >= 0:
            os.close(self._file)


def offsets(sizes: Sequence[int]) -> list[int]:
    """Where frames of these sizes lie, each on pages of its own; at the end, how long all of it is."""
    return list(accumulate((-(-size // mmap.PAGESIZE) * mmap.PAGESIZE for size in sizes), initial=0))


def attach(place: Place, sizes: Sequence[int]) -> list[memoryview]:
    """Frames in an area of another process, read-only. They hold its lock until the last view of them is gone.

    Raises:
        SerializeError: it cannot be reached from this process.
    """
    path = f"/proc/{place.pid}/fd/{place.descriptor}"
    try:
        file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            found = os.fstat(file)
            if (found.st_dev, found.st_ino) != (place.device, place.inode):
                raise SerializeError(f"{path} is not the memory to share: do processes of this host not see each other? push without share")
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return _cut(mmap.mmap(file, offsets(sizes)[-1], prot=mmap.PROT_READ), sizes)  # keeps the file, and so the lock
        finally:
            os.close(file)
    except OSError as error:
        raise SerializeError(f"memory to share cannot be reached at {path}: {error.strerror}; push without share") from error


def _cut(mapping: mmap.mmap, sizes: Sequence[int]) -> list[memoryview]:
    whole = memoryview(mapping)
    return [whole[start : start + size] for start, size in zip(offsets(sizes), sizes, strict=False)]
