"""What tasks call, on its way to the ledger, so that it can be called again: as it was submitted, and no more than may be kept.

A batch is one call; a function, or a large argument that comes again, is told of once. So this costs a task of a batch next to nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec import Struct, field
from msgspec.structs import replace

from mpikernel.ledger.calls import KeptCall, KeptShared
from mpikernel.wire.envelope import Frame
from mpikernel.wire.messages import Submit, SubmitBatch
from mpikernel.wire.notebook import Notebook
from mpikernel.wire.payload import size
from mpikernel.wire.terms import Terms

_encoder = msgspec.msgpack.Encoder()


class Keeping(Struct, eq=False):
    """How much of it is kept."""

    limit: int  # bytes of one call, or of what calls share; 0 for nothing
    room: int  # bytes that are left
    told: set[bytes] = field(default_factory=set)  # what calls share that was told of, in the whole run: again, it might find no room

    def call(self, notes: Notebook, message: Submit | SubmitBatch, frames: Sequence[Frame], now: float) -> None:
        """Have the ledger keep what tasks are called with; only how much it is, if that is too much."""
        if not self.limit:
            return
        if isinstance(message, Submit):
            frames = self._without_named(notes, message, frames, now)
        weight, terms = size(frames), _on_paper(message.terms)
        kept = frames if self._fits(weight) else ()
        told = (message.function, message.label, terms)
        if isinstance(message, SubmitBatch):
            call = KeptCall(message.first, message.count, *told, ends=message.ends, size=weight, parts=len(kept))
        else:
            call = KeptCall(message.task, 1, *told, message.stream, size=weight, parts=len(kept), named=message.named)
        notes.keep_call(call, kept, now)

    def _without_named(self, notes: Notebook, message: Submit, frames: Sequence[Frame], now: float) -> Sequence[Frame]:
        """The frames of a task's arguments, those that have names told of by themselves."""
        if not message.named:
            return frames
        left = list(frames)
        for place, name in message.named:
            self.shared(notes, name, left[place : place + 1], now)
            left[place] = b""
        return left

    def shared(self, notes: Notebook, name: bytes, frames: Sequence[Frame], now: float) -> None:
        """Have it keep a function that tasks call, or an argument that has a name."""
        if self.limit and name not in self.told:
            self.told.add(name)
            weight = size(frames)
            kept = frames if self._fits(weight) else ()
            notes.keep_shared(KeptShared(name, weight, len(kept)), kept, now)

    def _fits(self, weight: int) -> bool:
        if weight > self.limit or weight > self.room:
            return False
        self.room -= weight
        return True


def _on_paper(terms: Terms) -> bytes:
    """Terms as the ledger keeps them: what they say of other tasks was of that moment."""
    return _encoder.encode(terms if terms.after is terms.follow is None else replace(terms, after=None, follow=None))
