"""What the other side still has: two caches, one at each end, that forget the same thing at the same time.

A sender asks before it sends, the receiver keeps what it is sent. Both see the same keys in the same order, because mail
between two ranks keeps its order, so with the same capacity they agree without a message about it.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Generic, TypeVar

from mpikernel.errors import OurProtocolError

#: Functions that a receiver keeps for each sender.
CAPACITY = 1024

T = TypeVar("T")


class Sent:
    """The sender's half: keys only."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._keys: OrderedDict[bytes, None] = OrderedDict()
        self._capacity = capacity

    def knows(self, key: bytes) -> bool:
        """Whether the receiver has it. If not, it will have it with the message that is sent now."""
        if key in self._keys:
            self._keys.move_to_end(key)
            return True
        self._keys[key] = None
        if len(self._keys) > self._capacity:
            self._keys.popitem(last=False)
        return False


class Kept(Generic[T]):
    """The receiver's half: keys and what they stand for."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._values: OrderedDict[bytes, T] = OrderedDict()
        self._capacity = capacity

    def put(self, key: bytes, value: T) -> T:
        """Keep what came with a message."""
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._capacity:
            self._values.popitem(last=False)
        return value

    def get(self, key: bytes) -> T:
        """What a message only names."""
        if key not in self._values:
            raise OurProtocolError(f"the function {key.hex()} was named but never sent, or forgotten too early")
        self._values.move_to_end(key)
        return self._values[key]
