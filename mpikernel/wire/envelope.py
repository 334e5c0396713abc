"""What travels as one MPI message: the headers of many messages, and their small frames behind them.

    | 4 bytes: length of the headers | headers (msgpack) | small frames, one after the other |

Frames of `threshold` bytes and more are not in it; they follow on their own, in the order in which the headers name them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from mpikernel.errors import PeerProtocolError
from mpikernel.wire.messages import AnyMessage, Message

Frame = bytes | bytearray | memoryview

HEAD = 4
ALIGN = 64


class Missing(bytes):
    """Stands for a frame of `size` bytes that there was no memory for where it arrived; its content says why."""

    size = 0


class Route(NamedTuple):
    """How the large frames of a message to many come to one of them: from `parent`, and from there on to `children` (ranks)."""

    parent: int
    children: tuple[int, ...] = ()


class Departure:
    """Tells when memory that is sent from may change: once nothing is `pending`, neither in an outbox nor under way."""

    __slots__ = ("pending",)

    def __init__(self, pending: int) -> None:
        self.pending = pending  # parcels


class Parcel(NamedTuple):
    """A message and the frames that go with it. With a `route` only the message and its small frames go from here straight to there."""

    message: Message
    frames: Sequence[Frame] = ()
    route: Route | None = None
    departure: Departure | None = None


class Headers(msgspec.Struct, frozen=True, array_like=True):
    """`sizes[i]` are the lengths of the frames of message i; absent where no message of the envelope has frames. `routes` by message."""

    threshold: int
    messages: list[AnyMessage]
    sizes: list[list[int]]
    routes: dict[int, Route]


class Opened(NamedTuple):
    """A message out of an envelope; a frame that still has to come stands as its length."""

    message: Message
    frames: list[Frame | int]
    route: Route | None


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Headers)


def seal(parcels: Sequence[Parcel], threshold: int) -> tuple[bytes, list[Parcel]]:
    """Make an envelope of parcels.

    Returns:
        the envelope, and in order the parcels whose large frames have to follow it: their frames are those, in their own memory.
    """
    messages: list[Message] = []
    sizes: list[list[int]] = []
    small: list[Frame] = []
    following: list[Parcel] = []
    routes: dict[int, Route] = {}
    for parcel in parcels:  # one pass: this is the hot path of every message
        message, frames, route, departure = parcel
        if route is not None:
            routes[len(messages)] = route
        messages.append(message)
        sizes.append([len(frame) for frame in frames])
        large: list[Frame] = []
        for frame in frames:
            (small if len(frame) < threshold else large).append(frame)
        if large:
            following.append(Parcel(message, large, route, departure))
        elif departure is not None:
            departure.pending -= 1
    headers = _encoder.encode(Headers(threshold, messages, sizes if small or following else [], routes))  # type: ignore[arg-type]
    return b"".join((len(headers).to_bytes(HEAD, "little"), headers, *small)), following


def open_envelope(data: bytearray, sender: int) -> list[Opened]:
    """Take an envelope apart. First frames are views into it; buffers get memory of their own, aligned and writable.

    Raises:
        PeerProtocolError: it is not an envelope of this protocol.
    """
    view = memoryview(data)
    end = HEAD + int.from_bytes(view[:HEAD], "little")
    try:
        headers = _decoder.decode(view[HEAD:end])
    except msgspec.MsgspecError as error:
        raise PeerProtocolError(sender, f"sent an envelope that cannot be read: {error}") from error
    if not headers.sizes:
        return [Opened(message, [], None) for message in headers.messages]
    opened = []
    for number, (message, sizes) in enumerate(zip(headers.messages, headers.sizes, strict=True)):
        frames: list[Frame | int] = []
        for index, size in enumerate(sizes):
            if size >= headers.threshold:
                frames.append(size)
                continue
            piece = view[end : end + size]
            frames.append(bytearray(piece) if index else piece)
            end += size
        opened.append(Opened(message, frames, headers.routes.get(number)))
    return opened


def small_bytes(parcel: Parcel, threshold: int) -> int:
    """Bytes of a parcel that go in its envelope."""
    return sum(len(frame) for frame in parcel.frames if len(frame) < threshold)


def split(parcels: Sequence[Parcel], threshold: int, limit: int) -> list[list[Parcel]]:
    """Cut a long row of parcels into rows whose small frames stay about under `limit` bytes, so that envelopes stay quick."""
    if len(parcels) == 1:
        return [[parcels[0]]]
    rows: list[list[Parcel]] = [[]]
    filled = 0
    for parcel in parcels:
        weight = ALIGN + small_bytes(parcel, threshold)
        if rows[-1] and filled + weight > limit:
            rows.append([])
            filled = 0
        rows[-1].append(parcel)
        filled += weight
    return rows
