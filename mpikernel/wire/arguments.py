"""Arguments that come again: large frames that their sender has named, which go to each receiver once.

A message that names frames has them all the same, or an empty one in the place of each that its receiver has. Sender and
receiver know which those are by the same rule (see mirror.py). What is kept is nobody's to write to.
"""

from __future__ import annotations

from collections.abc import Sequence

from mpikernel.wire.envelope import Frame, Missing
from mpikernel.wire.memory import take
from mpikernel.wire.mirror import Kept, Sent
from mpikernel.wire.payload import size

#: Bytes of them that a receiver keeps.
CACHE = 1 << 28
#: Frames of a call's arguments that have names: the place of each among them, and its name.
Named = tuple[tuple[int, bytes], ...]


def keep_arguments(limit: int = CACHE) -> Kept[Frame]:
    """What a receiver keeps them in."""
    return Kept(heaviest=limit, what="argument")


def remember_arguments(limit: int = CACHE) -> Sent:
    """What a sender knows a receiver by that keeps them."""
    return Sent(heaviest=limit)


def leave_out(sent: Sent, named: Named, frames: Sequence[Frame]) -> Sequence[Frame]:
    """Frames as they are sent now: without those that the receiver has."""
    if not named:
        return frames
    left = list(frames)
    for place, name in named:
        if sent.knows(name, len(left[place])):
            left[place] = b""
    return left


def put_back(kept: Kept[Frame], named: Named, frames: Sequence[Frame]) -> tuple[Sequence[Frame], Sequence[bytes]]:
    """All frames, with those that were left out; and the names of what there was no memory for, which is to be sent again."""
    if not named:
        return frames, ()
    whole = list(frames)
    for place, name in named:
        frame = whole[place]
        whole[place] = kept.put(name, frame, size((frame,))) if frame else kept.get(name)
    return whole, [name for place, name in named if isinstance(frames[place], Missing)]


def of_its_own(named: Named, frames: Sequence[Frame]) -> Sequence[Frame]:
    """Frames for one call, which may write to them: copies of those that others get too.

    Raises:
        SerializeError: there is no memory for a copy.
    """
    if not named:
        return frames
    own = list(frames)
    for place, _ in named:
        own[place] = _copied(own[place])
    return own


def _copied(frame: Frame) -> Frame:
    if isinstance(frame, Missing):
        return frame
    copy = take(len(frame))
    copy[:] = frame
    return copy
