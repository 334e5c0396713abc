"""A pickle stream in pieces, so that what is large in it (bytes, bytearrays) is sent from where it lies, and never joined.

Most streams are short: one frame, which begins with pickle's own PROTO opcode. Any other begins with a head:

    | 1 byte: 1 if it means something else at home on an engine, else 0 | 4 bytes: number of pieces | and a frame for each piece

Python's pickler hands anything of 64 KiB and more to its file as the object itself. At the far end there is one copy: a bytes
object owns its memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import NamedTuple

from mpikernel.wire.envelope import Frame

#: From this size on a piece is a frame of its own. Above what the pickler writes of small things at a time (64 KiB and a bit).
LARGE = 1 << 18
#: What stands in a large piece behind this is one long value, so nobody need look for names in it.
EDGE = 1 << 17
PICKLE = 0x80
_HEAD = struct.Struct("<?I")


class Stream(NamedTuple):
    """A stream that has a head, taken out of its frames."""

    at_home: bool
    pieces: Sequence[Frame]
    buffers: Sequence[Frame]


def stream_frames(written: Sequence[Frame], marks: Iterable[bytes]) -> list[Frame]:
    """The frames of a stream, from what a pickler has written. It is for home if one of `marks` stands in it."""
    pieces = list(_joined(written))
    at_home = any(_stands_in(piece, mark) for piece in pieces for mark in marks)
    return pieces if len(pieces) == 1 and not at_home else [_HEAD.pack(at_home, len(pieces)), *pieces]


def _joined(written: Sequence[Frame]) -> Iterator[Frame]:
    for large, group in groupby(written, lambda piece: len(piece) >= LARGE):
        if large:
            yield from (memoryview(piece) if isinstance(piece, bytearray) else piece for piece in group)
        else:
            yield b"".join(group)


def _stands_in(piece: Frame, mark: bytes) -> bool:
    return mark in (bytes(piece[:EDGE]) if len(piece) >= LARGE else piece)


def take_out(frames: Sequence[Frame]) -> Stream:
    """The stream that frames begin with, whether or not it has a head."""
    head = frames[0]
    if head[0] == PICKLE:
        return Stream(False, frames[:1], frames[1:])
    at_home, count = _HEAD.unpack(head)
    return Stream(at_home, frames[1 : 1 + count], frames[1 + count :])


class PiecesFile:
    """Pieces as a file for an unpickler, which reads whole pickle frames and large objects with one call each."""

    def __init__(self, pieces: Iterable[Frame]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")  # of the piece that is being read

    def readinto(self, room: memoryview) -> int:
        room = memoryview(room).cast("B")
        done = 0
        while done < len(room) and self._has_more():
            part = self._take(len(room) - done)
            room[done : done + len(part)] = part
            done += len(part)
        return done

    def read(self, size: int) -> bytes:
        if len(self._rest) >= size:
            return bytes(self._take(size))
        room = bytearray(size)
        return bytes(room[: self.readinto(memoryview(room))])

    def readline(self) -> bytes:
        """Only opcodes of old protocols have lines, which no pickler of ours writes."""
        line = bytearray()
        while not line.endswith(b"\n") and self._has_more():
            line += self._take(1)
        return bytes(line)

    def _has_more(self) -> bool:
        while not self._rest:
            piece = next(self._pieces, None)
            if piece is None:
                return False
            self._rest = memoryview(piece)
        return True

    def _take(self, most: int) -> memoryview:
        taken, self._rest = self._rest[:most], self._rest[most:]
        return taken
