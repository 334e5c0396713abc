"""What ranks tell each other at boot: who they are, and, from rank 0, what is to be done."""

from __future__ import annotations

import msgspec

from mpikernel.config.launch import Launch
from mpikernel.wire.doorbell import Address
from mpikernel.world.layout import Layout


class Member(msgspec.Struct, frozen=True, array_like=True):
    """What a rank says of itself at boot."""

    host: str
    pid: int
    version: str  # of mpikernel and its protocol
    threads: str  # the level that its MPI grants, by its name in the standard
    bell: Address


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """Either a launch and a layout, or a text to say (an error unless `code` is 0)."""

    launch: Launch | None
    layout: Layout | None
    text: str = ""
    code: int = 0
