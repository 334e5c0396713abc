"""What tasks call, as the ledger keeps it beside their records: enough to call it again, in a later run too.

Tasks that were submitted together are kept as one. What they are called with, and functions, are frames that nobody opens here.
A function goes beside the calls, and so does a large argument that many have: under a name.
As of records, a field is only ever added at the end and with a default.
"""

from __future__ import annotations

import msgspec


class KeptCall(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What consecutive tasks call, or a single one. Its frames go beside it.

    Attributes:
        first, count: the tasks.
        function: its name, which is its digest.
        label: what they are called.
        terms: on which they were submitted, but for what they depend on; encoded by whoever knows terms.
        stream: whether what they print is shown as it comes.
        ends: of several tasks, which have one frame together, where the piece of each ends in it (native uint32).
        size: bytes of what they are called with.
        parts: how many frames that is; 0 if it was too much to be kept.
        named: the places of frames that are empty here, and by which name they are kept; they do not count in `size`.
    """

    first: int
    count: int
    function: bytes
    label: str
    terms: bytes
    stream: bool = False
    ends: bytes = b""
    size: int = 0
    parts: int = 0
    named: tuple[tuple[int, bytes], ...] = ()

    @property
    def last(self) -> int:
        return self.first + self.count - 1


class KeptShared(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What kept calls have in common, once in a run: a function, or an argument that came again. `size` and `parts` as of a KeptCall."""

    name: bytes
    size: int
    parts: int
