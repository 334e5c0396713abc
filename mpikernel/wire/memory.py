"""Memory to receive into: writable, not touched before the data arrives, and used again when nobody holds it any more.

A large piece is an anonymous mapping. Unlike a bytearray it is not filled with zeros first, and the kernel may back it
with huge pages. Even so fresh pages halve the bandwidth of receiving, so a piece whose last view has gone is kept for the
next one of its size: at most KEPT bytes in a process, and all but the piece that was freed last are the kernel's for the
taking (MADV_FREE): it may have them back at any moment without asking, and who needs memory gets it.
"""

from __future__ import annotations

import mmap
import sys
import threading
import time
import weakref
from collections import OrderedDict, deque
from contextlib import suppress
from pickle import PickleBuffer
from typing import Any

from mpikernel.errors import SerializeError
from mpikernel.wire.available import available_memory

#: From this size on a mapping is cheaper than a bytearray; measured: zero-filling is noise below, half the time above.
MAPPED = 1 << 18
#: Bytes that are kept for the next piece.
KEPT = 1 << 29
#: From this size on it is asked whether there is so much: the kernel promises more than it has, and kills who takes it at its word.
ASKED = 1 << 26
#: How long an answer to that holds, less what has been taken since (seconds).
FRESH = 1.0
#: Where in its first page a piece begins: where numpy's own large arrays do, since a copy whose ends lie alike is half as fast again.
OFFSET = 16
#: Areas come in sizes that leave at most an eighth of their addresses unused (never touched, so no memory), to fit more often.
STEPS = 8


class Pool:
    """The areas of one process that are free, and the means to notice that one is."""

    def __init__(self, limit: int = KEPT) -> None:
        self.limit = limit
        self.kept = 0  # bytes in free areas
        self._free: OrderedDict[int, tuple[int, mmap.mmap]] = OrderedDict()  # by a number; the one freed last at the end
        self._returned: deque[tuple[int, mmap.mmap]] = deque()  # free, but not entered yet
        self._leases: dict[int, Any] = {}  # what watches the areas that are in use
        self._count = 0
        self._lock = threading.Lock()

    def take(self, size: int) -> memoryview:
        """An area of `size` bytes, which comes back when the last view of it has gone."""
        length = rounded(size)
        with self._lock:
            self._enter_returned()
            area = self._reused(length)
            number = self._count = self._count + 1
        self._tidy()
        return self._lease(number, size, length, area if area is not None else _mapped(size, length))

    def _reused(self, length: int) -> mmap.mmap | None:
        for number in reversed(self._free):
            if self._free[number][0] == length:
                self.kept -= length
                return self._free.pop(number)[1]
        return None

    def _lease(self, number: int, size: int, length: int, area: mmap.mmap) -> memoryview:
        import ctypes  # here: ranks that move nothing large start without it

        def back(_: object) -> None:  # comes in any thread at any moment, also while the lock is held: it must not wait for it
            self._leases.pop(number, None)
            if length <= self.limit and not sys.is_finalizing():
                self._returned.append((length, area))
                self._tidy()

        lease = (ctypes.c_ubyte * size).from_buffer(area, OFFSET)
        self._leases[number] = weakref.ref(lease, back)
        return PickleBuffer(lease).raw()

    def _tidy(self) -> None:
        """Enter what has come back; whoever has the lock does it after himself."""
        while self._returned and self._lock.acquire(blocking=False):
            try:
                self._enter_returned()
            finally:
                self._lock.release()

    def _enter_returned(self) -> None:
        while self._returned:
            self._offer_to_the_kernel()
            length, area = self._returned.popleft()
            self._count += 1
            self._free[self._count] = length, area
            self.kept += length
        while self.kept > self.limit:
            self.kept -= self._free.popitem(last=False)[1][0]

    def _offer_to_the_kernel(self) -> None:
        """The area that was freed last is probably the next to be used, and is not offered until another one is freed."""
        if self._free:
            _, area = self._free[next(reversed(self._free))]
            with suppress(OSError):
                area.madvise(mmap.MADV_FREE)


class Room:
    """What the host still has, asked now and then: asking takes half a millisecond."""

    def __init__(self) -> None:
        self._asked = -FRESH  # when (monotonic)
        self._left = 0  # bytes

    def promise(self, size: int) -> None:
        """Count on `size` bytes.

        Raises:
            SerializeError: there are not so many.
        """
        now = time.monotonic()
        if now - self._asked > FRESH or size > self._left:
            self._asked, left = now, available_memory()
            self._left = left if left is not None else sys.maxsize
        if size > self._left:
            raise SerializeError(f"no memory for a buffer of {size} bytes on this rank: {self._left} bytes are available")
        self._left -= size


pool = Pool()
room = Room()


def take(size: int) -> memoryview:
    """Writable memory of `size` bytes, freed or used again when the last view of it goes. What is in it is arbitrary.

    Raises:
        SerializeError: there is not enough memory on this rank.
    """
    return memoryview(bytearray(size)) if size < MAPPED else pool.take(size)


def rounded(size: int) -> int:
    """The size of the area in which `size` bytes are put."""
    step = max(1 << max(0, size.bit_length() - 1), MAPPED) // STEPS
    return -(-size // step) * step


def _mapped(size: int, length: int) -> mmap.mmap:
    """A new area, not touched yet."""
    if size >= ASKED:
        room.promise(size)
    try:
        area = mmap.mmap(-1, length + mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except (OSError, ValueError, OverflowError) as error:
        raise SerializeError(f"no memory for a buffer of {size} bytes on this rank: {error}") from error
    with suppress(OSError):  # a kernel without huge pages: only slower
        area.madvise(mmap.MADV_HUGEPAGE)
    return area
