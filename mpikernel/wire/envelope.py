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


class Parcel(NamedTuple):
    """A message and the frames that go with it."""

    message: Message
    frames: Sequence[Frame] = ()


class Headers(msgspec.Struct, frozen=True, array_like=True):
    """`sizes[i]` are the lengths of the frames of message i; absent where no message of the envelope has frames."""

    threshold: int
    messages: list[AnyMessage]
    sizes: list[list[int]]


class Opened(NamedTuple):
    """A message out of an envelope; a frame that still has to come stands as its length."""

    message: Message
    frames: list[Frame | int]


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Headers)


def seal(parcels: Sequence[Parcel], threshold: int) -> tuple[bytes, list[Frame]]:
    """Make an envelope of parcels.

    Returns:
        the envelope, and the frames that have to follow it, in order. They are the parcels' own memory.
    """
    messages: list[Message] = []
    sizes: list[list[int]] = []
    small: list[Frame] = []
    large: list[Frame] = []
    for message, frames in parcels:  # one pass: this is the hot path of every message
        messages.append(message)
        sizes.append([len(frame) for frame in frames])
        for frame in frames:
            (small if len(frame) < threshold else large).append(frame)
    headers = _encoder.encode(Headers(threshold, messages, sizes if small or large else []))  # type: ignore[arg-type]
    return b"".join((len(headers).to_bytes(HEAD, "little"), headers, *small)), large


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
        return [Opened(message, []) for message in headers.messages]
    opened = []
    for message, sizes in zip(headers.messages, headers.sizes, strict=True):
        frames: list[Frame | int] = []
        for index, size in enumerate(sizes):
            if size >= headers.threshold:
                frames.append(size)
                continue
            piece = view[end : end + size]
            frames.append(bytearray(piece) if index else piece)
            end += size
        opened.append(Opened(message, frames))
    return opened


def split(parcels: Sequence[Parcel], threshold: int, limit: int) -> list[list[Parcel]]:
    """Cut a long row of parcels into rows whose small frames stay about under `limit` bytes, so that envelopes stay quick."""
    if len(parcels) == 1:
        return [[parcels[0]]]
    rows: list[list[Parcel]] = [[]]
    filled = 0
    for parcel in parcels:
        weight = ALIGN + sum(len(frame) for frame in parcel.frames if len(frame) < threshold)
        if rows[-1] and filled + weight > limit:
            rows.append([])
            filled = 0
        rows[-1].append(parcel)
        filled += weight
    return rows
