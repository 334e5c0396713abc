"""Records by the page: what one look into a ledger brings, however much there is, and where the next look begins.

A page is bytes from the row to whoever asked: the writer of a ledger does not open what it only passes on.
"""

from __future__ import annotations

from typing import NamedTuple

from mpikernel.ledger.records import Position

#: Nothing is before or after these.
FIRST: Position = (0, 0)
LAST: Position = (2**32 - 1, 2**64 - 1)


class Page(NamedTuple):
    """Some records in their order."""

    data: bytes  # for `codec.decode_page`
    following: Position | None  # where to go on; None when that was all
