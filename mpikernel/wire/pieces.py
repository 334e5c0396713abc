"""A pickle stream in pieces, so that what is large in it (bytes, bytearrays) is sent from where it lies, and never joined.

Most streams are short: one frame, which begins with pickle's own PROTO opcode. Any other begins with a head:

    | 1 byte: 1 if it means something else at home on an engine, else 0 | 4 bytes: number of pieces | and a frame for each piece

Python's pickler hands anything of 64 KiB and more to its file as the object itself. At the far end there is one copy: a bytes
object owns its memory.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from itertools import groupby
from pickle import UnpicklingError
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
    """The frames of what a pickler has written: its one piece, or a head and its pieces. It is for home if it mentions one of `marks`."""
    at_home = any(mentions(written, mark) for mark in marks)
    pieces = _join_small(written)
    return pieces if len(pieces) == 1 and not at_home else [_HEAD.pack(at_home, len(pieces)), *pieces]


def mentions(written: Iterable[Frame], mark: bytes) -> bool:
    """Whether a mark stands in what a pickler has written, outside of the user's own large values. No mark is cut in two there."""
    return any(mark in (piece if len(piece) < LARGE else bytes(piece[:EDGE])) for piece in written)


def _join_small(written: Sequence[Frame]) -> list[Frame]:
    pieces: list[Frame] = []
    for large, group in groupby(written, lambda piece: len(piece) >= LARGE):
        if large:
            pieces.extend(memoryview(piece) if isinstance(piece, bytearray) else piece for piece in group)
        else:
            pieces.append(b"".join(group))
    return pieces


def take_out(frames: Sequence[Frame]) -> Stream:
    """The stream that frames begin with, whether or not it has a head.

    Raises:
        UnpicklingError: they begin with something else.
    """
    head = frames[0]
    if head[0] == PICKLE:
        return Stream(False, frames[:1], frames[1:])
    if len(head) != _HEAD.size:
        raise UnpicklingError(f"no pickle begins with {bytes(head[:1])!r}")
    at_home, count = _HEAD.unpack(head)
    return Stream(at_home, frames[1 : 1 + count], frames[1 + count :])


class PiecesFile:
    """Pieces as a file for an unpickler, which reads whole pickle frames and large values with one call each."""

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
        if self._has_more() and len(self._rest) >= size:
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
