"""What ranks tell each other at boot, before there is a loop.

The waits poll and sleep: MPI's own collectives spin, and while rank 0 opens the ledger the spinning of all the others
would take its cores away.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from mpikernel.errors import LaunchError
from mpikernel.world.communicators import BYTE, Intracomm, Request

#: Bytes each rank may say in `everyone`.
SLOT = 512
#: Between two looks at a request (seconds).
PAUSE = 200e-6
#: So many looks come without a pause: most exchanges are quick.
EAGER = 100


def broadcast(comm: Intracomm, data: bytes | None) -> bytes:
    """What rank 0 says, on every rank. Collective; `data` counts on rank 0 only."""
    own = (data or b"") if comm.Get_rank() == 0 else None
    length = bytearray(len(own or b"").to_bytes(8, "little"))
    _finish(comm.Ibcast([length, BYTE]))
    room = bytearray(own if own is not None else int.from_bytes(length, "little"))
    _finish(comm.Ibcast([room, BYTE]))
    return bytes(room)


def everyone(comm: Intracomm, said: bytes) -> list[bytes]:
    """What each rank says, by rank, on every rank. Collective; what is longer than SLOT is cut."""
    own = said[: SLOT - 2]
    slot = bytearray(len(own).to_bytes(2, "little") + own).ljust(SLOT, b"\0")
    room = bytearray(SLOT * comm.Get_size())
    _finish(comm.Iallgather([slot, BYTE], [room, SLOT, BYTE]))
    slots: Sequence[bytes] = [bytes(room[start : start + SLOT]) for start in range(0, len(room), SLOT)]
    return [slot[2 : 2 + int.from_bytes(slot[:2], "little")] for slot in slots]


def _finish(request: Request) -> None:
    looks = 0
    while not request.Test():
        looks += 1
        if looks > EAGER:
            time.sleep(PAUSE)


def check_same(said: Sequence[str], what: str) -> None:
    """Refuse a world whose ranks differ in something that must be the same."""
    if len(set(said)) > 1:
        groups = {value: [rank for rank, own in enumerate(said) if own == value] for value in sorted(set(said))}
        text = "; ".join(f"{value} on rank{'s' if len(ranks) > 1 else ''} {', '.join(map(str, ranks))}" for value, ranks in groups.items())
        raise LaunchError(f"all ranks of a world need the same {what}, but there is {text}")
