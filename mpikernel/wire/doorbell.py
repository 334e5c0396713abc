"""How ranks of one host wake each other, so that an idle one need not look for mail a thousand times a second.

Each rank has a bell: a pipe, and a byte of shared memory that says whether somebody sleeps at it. Who has posted something
to a rank looks at the byte, and rings if it is set. Neither has a name: mates open them through /proc/PID/fd, and nothing
is left of them when the process ends. A sleeper sets the byte, looks for mail once more, and only then sleeps; so what was
posted before is seen, and who posts later sees the byte. For safety nobody sleeps for longer than LONGEST.
"""

from __future__ import annotations

import mmap
import os
import select
from collections.abc import Mapping
from contextlib import suppress
from typing import NamedTuple

#: The longest sleep (seconds): what bounds the harm where a ring is missed.
LONGEST = 0.2
#: What is read from the pipe at once; more rings than that say nothing new.
RINGS = 4096


class Address(NamedTuple):
    """Where a rank's bell is, for processes of its host."""

    pid: int
    page: int  # descriptors of that process
    pipe: int


class Doorbell:
    """This rank's bell, and its mates'."""

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        page = os.memfd_create("mpikernel-doorbell", os.MFD_CLOEXEC)
        os.ftruncate(page, mmap.PAGESIZE)
        self._page = mmap.mmap(page, mmap.PAGESIZE)
        self._mates: dict[int, tuple[mmap.mmap, int]] = {}  # page and pipe, by rank
        self._sleepers: set[object] = set()  # one for each thread of this process that sleeps
        self.address = Address(os.getpid(), page, self._write)

    def meet(self, mates: Mapping[int, Address]) -> bool:
        """Find the bells of all other ranks. False if one of them cannot be had: then nobody may sleep at his own."""
        try:
            for rank, address in mates.items():
                self._mates[rank] = _open(address)
        except OSError:
            self._mates.clear()
            return False
        return True

    def ring(self, rank: int) -> None:
        """Wake a mate, if he sleeps."""
        mate = self._mates.get(rank)
        if mate is not None and mate[0][0]:
            mate[0][0] = 0
            _write(mate[1])

    def ring_here(self) -> None:
        """Wake the threads of this process that sleep here, or are about to."""
        if self._sleepers or self._page[0]:
            self._page[0] = 0
            _write(self._write)

    def arm(self) -> None:
        """From now on mates ring. Look for mail once more before `sleep`."""
        with suppress(BlockingIOError):
            os.read(self._read, RINGS)
        self._page[0] = 1

    def sleep(self, seconds: float) -> None:
        """Wait for a ring; no longer than so many seconds."""
        pipe = select.poll()  # of its own: no two threads may use one at a time
        pipe.register(self._read, select.POLLIN)
        own = object()
        self._sleepers.add(own)
        try:
            pipe.poll(1000 * min(seconds, LONGEST))
        finally:
            self._sleepers.discard(own)


def _open(address: Address) -> tuple[mmap.mmap, int]:
    folder = f"/proc/{address.pid}/fd"
    page = os.open(f"{folder}/{address.page}", os.O_RDWR | os.O_CLOEXEC)
    try:
        return mmap.mmap(page, mmap.PAGESIZE), os.open(f"{folder}/{address.pipe}", os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    finally:
        os.close(page)


def _write(pipe: int) -> None:
    with suppress(BlockingIOError, BrokenPipeError):  # it is full of rings, or nobody is there any more
        os.write(pipe, b"!")
