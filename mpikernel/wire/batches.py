"""The messages that carry many tasks of a map at once: consecutive ones, each with its own number and what is its own."""

from __future__ import annotations

from mpikernel.wire.message import Message
from mpikernel.wire.terms import Terms


class SubmitBatch(Message, frozen=True, array_like=True, tag=22):
    """Queue `count` tasks, numbered from `first` on. Frames: `carried` of the function, then one with what each is called with.

    That frame holds the pickles of (args, kwargs), one after the other; `ends` tells where each ends in it (native uint32).
    `settled` as in Submit.
    """

    first: int
    count: int
    function: bytes
    carried: int
    label: str
    submitted: float
    ends: bytes
    terms: Terms
    settled: int


class RunBatch(Message, frozen=True, array_like=True, tag=25):
    """Run consecutive tasks of a batch, from `call` on, one after the other. Frames as in SubmitBatch, of these tasks alone.

    `batch` is the first task of the whole batch, by which the client and the task interface know it; its frame began `base` bytes
    before the one that comes with this.
    """

    call: int
    batch: int
    client: int
    function: bytes
    carried: int
    label: str
    base: int
    ends: bytes
    timeout: float


class DoneBatch(Message, frozen=True, array_like=True, tag=26):
    """Consecutive tasks of a batch ended well, and printed nothing. Frames: their results' pickles, one after the other.

    `ends` as in SubmitBatch. `times` are when each began, and then when each ended (native float64, seconds since the epoch).
    """

    batch: int
    first: int
    engine: int
    ends: bytes
    times: bytes


class ReleasedBatch(Message, frozen=True, array_like=True, tag=27):
    """Consecutive tasks of a batch ended well; their results went straight to the client. `times` as in DoneBatch."""

    batch: int
    first: int
    count: int
    engine: int
    times: bytes
