"""What the other side still has: two caches, one at each end, that forget the same thing at the same time.

A sender asks before it sends, the receiver keeps what it is sent. Both see the same keys and weights in the same order,
because mail between two ranks keeps its order, so with the same limits they agree without a message about it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from mpikernel.errors import OurProtocolError

#: Functions, or arguments, that a receiver keeps for each sender.
CAPACITY = 1024
#: Bytes that functions may have together. One that captures more than this is kept alone.
HEAVIEST = 64 * 1024 * 1024

T = TypeVar("T")


class Kept(Generic[T]):
    """The receiver's half: keys and what they stand for."""

    def __init__(self, capacity: int = CAPACITY, heaviest: int = HEAVIEST, what: str = "function") -> None:
        self._entries: OrderedDict[bytes, tuple[T, int]] = OrderedDict()  # values and weights, the one used last at the end
        self._weight = 0
        self._capacity = capacity
        self._heaviest = heaviest
        self._what = what  # they are, in errors

    def __contains__(self, key: bytes) -> bool:
        return key in self._entries

    def put(self, key: bytes, value: T, weight: int) -> T:
        """Keep what came with a message, and forget what was not used for longest if it is too much; never what just came."""
        if key in self._entries:
            self._weight -= self._entries.pop(key)[1]
        self._entries[key] = value, weight
        self._weight += weight
        while len(self._entries) > 1 and (len(self._entries) > self._capacity or self._weight > self._heaviest):
            self._weight -= self._entries.popitem(last=False)[1][1]
        return value

    def get(self, key: bytes) -> T:
        """What a message only names."""
        if key not in self._entries:
            raise OurProtocolError(f"the {self._what} {key.hex()} was named but never sent, or forgotten too early")
        self._entries.move_to_end(key)
        return self._entries[key][0]


class Sent:
    """The sender's half: keys and weights, by the receiver's own rule, and what the sender wants held for just as long."""

    def __init__(self, capacity: int = CAPACITY, heaviest: int = HEAVIEST) -> None:
        self._kept = Kept[object](capacity, heaviest)
        self._lost: set[bytes] = set()  # keys for which the receiver has something that is of no use

    def lost(self, key: bytes) -> None:
        """The receiver could not take what it was sent: it is to be sent once more, unless it has been forgotten since."""
        if key in self._kept:
            self._lost.add(key)

    def __contains__(self, key: bytes) -> bool:
        return key in self._kept and key not in self._lost

    def knows(self, key: bytes, weight: int, held: object = None) -> bool:
        """Whether the receiver has it. If not, it will have it with the message that is sent now.

        Args:
            held: what is to live as long as the receiver has it, if the message brings it.
        """
        if key in self._lost:
            self._lost.discard(key)
        elif key in self._kept:
            self._kept.get(key)
            return True
        self._kept.put(key, held, weight)
        return False
