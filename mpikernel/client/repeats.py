"""Large arguments of tasks that come again, by content: from the second time on they have a name, and go to each receiver once.

Whether content came before is told by comparing it with a copy, which is exact, and several times as quick as any digest that
can be trusted. What comes once costs a look at some of its bytes: only content that seems to come again is copied. The copy is
what is sent, so that nothing else is ever known by its name, and it lives as long as its receiver has it.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from itertools import count
from weakref import WeakValueDictionary

from mpikernel.wire.arguments import CACHE, Named, remember_arguments
from mpikernel.wire.envelope import Frame

#: Bytes that are looked at where content is seen for the first time: so many in all, and this many at either end.
SAMPLES = 256
EDGE = 64
#: Contents that are remembered to have been seen.
SEEN = 4096
#: Below this many bytes content is not looked at, unless a run has another threshold for what is sent by itself.
LEAST = 1 << 16


class Content(bytearray):
    """A copy of what came again."""

    name = b""


class Seen:
    """Content that was seen: how often it has to be seen again before it is copied, and how often if that was in vain."""

    __slots__ = ("patience", "wait")

    def __init__(self) -> None:
        self.wait = 0
        self.patience = 1

    def disappoint(self) -> None:
        """What came only looked like it: content changes where nobody looks."""
        self.wait, self.patience = self.patience, 2 * self.patience


#: Those of a call's frames that are known, by their place.
Known = Mapping[int, Content]


class Repeats:
    """What one client has sent to the task interface. `rank` makes its names different from those of others.

    `limit` is how many bytes a receiver keeps; larger frames are not looked at, nor are those of less than `least`.
    """

    def __init__(self, rank: int = 0, limit: int = CACHE, least: int = LEAST) -> None:
        self.sent = remember_arguments(limit)
        self._rank = rank
        self._limit = limit
        self._least = least
        self._seen: OrderedDict[int, Seen] = OrderedDict()  # by what was looked at
        self._contents: WeakValueDictionary[int, Content] = WeakValueDictionary()  # by the same
        self._numbers = count()

    def recognise(self, frames: Sequence[Frame]) -> Known:
        """Those frames of a call whose content came before. Any thread may ask."""
        found: dict[int, Content] = {}
        for place, frame in enumerate(frames):
            if self._least <= len(frame) <= self._limit:
                content = self._recognise(frame)
                if content is not None:
                    found[place] = content
        return found

    def _recognise(self, frame: Frame) -> Content | None:
        look = glance(frame)
        seen, content = self._seen.get(look), self._contents.get(look)
        if seen is None:
            self._remember(look)
            return None
        if content is not None:
            if content == frame:  # a bytearray compares memory, whatever the other side is
                seen.patience = 1
                return content
            self._contents.pop(look, None)
            seen.disappoint()
        if seen.wait:
            seen.wait -= 1
            return None
        return self._take_in(look, frame)

    def _remember(self, look: int) -> None:
        self._seen[look] = Seen()
        if len(self._seen) > SEEN:
            self._seen.popitem(last=False)

    def _take_in(self, look: int, frame: Frame) -> Content | None:
        try:
            content = Content(frame)
        except MemoryError:  # it goes as it is
            return None
        content.name = b"%d:%d" % (self._rank, next(self._numbers))
        self._contents[look] = content
        return content

    def to_send(self, frames: Sequence[Frame], known: Known) -> Sequence[Frame]:
        """The frames that the receiver does not have, as far as can be told before others have left."""
        there = {place for place, content in known.items() if content.name in self.sent}
        return [frame for place, frame in enumerate(frames) if place not in there] if there else frames

    def leave_out(self, frames: Sequence[Frame], known: Known) -> tuple[Sequence[Frame], Named]:
        """Frames as they are sent now, and which of them have names. In the order in which their messages leave."""
        if not known:
            return frames, ()
        left = list(frames)
        for place, content in known.items():
            left[place] = b"" if self.sent.knows(content.name, len(content), content) else content
        return left, tuple((place, content.name) for place, content in known.items())


def glance(frame: Frame) -> int:
    """What content looks like: its length and some of its bytes. An odd step sees all bytes of numbers."""
    view = memoryview(frame)
    return hash((len(view), bytes(view[:: len(view) // SAMPLES | 1]), bytes(view[:EDGE]), bytes(view[-EDGE:])))
