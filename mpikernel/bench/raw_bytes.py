"""Raw mpi4py that moves arrays between the script's rank and engines' ranks: the script's side, and the parts that engines play.

Whoever receives does so into fresh memory, which the kernel has to make while the array comes; or into kept memory, always the
same, which is twice as fast. Fresh memory is mapped here, since malloc gives back what was freed before at all but the largest sizes.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from mpi4py import MPI

from mpikernel.bench.raw import GO, STOP

Bytes = np.ndarray[Any, Any]
#: Gives memory for the next array.
Room = Callable[[], Bytes]
#: Makes what gives memory for arrays of one size.
Memory = Callable[[int], Room]

TOKEN = bytes(16)
#: Nobody maps less, and mpikernel does not either.
MAPPED = 256 << 10


def fresh(size: int) -> Room:
    """New memory for every array, and the old one given back before. What is smaller than MAPPED comes from malloc."""
    rooms: list[Bytes] = []

    def room() -> Bytes:
        rooms.clear()
        rooms.append(np.empty(size, np.uint8) if size < MAPPED else _mapped(size))
        return rooms[0]

    return room


def _mapped(size: int) -> Bytes:
    area = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    area.madvise(mmap.MADV_HUGEPAGE)  # as numpy does
    return np.frombuffer(area, np.uint8)


def kept(size: int) -> Room:
    """The same memory for all arrays."""
    room = np.empty(size, np.uint8)
    return lambda: room


# one partner -------------------------------------------------------------------------------------------------------------------


def push(rank: int, data: Bytes) -> None:
    """Send an array, and wait until the partner says that it has it."""
    MPI.COMM_WORLD.Send([data, MPI.BYTE], rank, GO)
    _await_token(rank)


def pull(rank: int, room: Room) -> None:
    """Ask the partner for an array, and receive it."""
    MPI.COMM_WORLD.Send([TOKEN, MPI.BYTE], rank, GO)
    MPI.COMM_WORLD.Recv([room(), MPI.BYTE], rank)


def take(script: int, size: int, memory: Memory) -> None:
    """The partner of `push`."""
    comm, status, room = MPI.COMM_WORLD, MPI.Status(), memory(size)
    while True:
        comm.Recv([room(), MPI.BYTE], script, MPI.ANY_TAG, status)
        if status.Get_tag() == STOP:
            return
        comm.Send([TOKEN, MPI.BYTE], script)


def give(script: int, size: int) -> None:
    """The partner of `pull`."""
    data = np.ones(size, np.uint8)
    while _asked(script):
        MPI.COMM_WORLD.Send([data, MPI.BYTE], script)


# all partners at once: the script, then they, are the ranks of a communicator --------------------------------------------------


@cache
def group_of(script: int, ranks: tuple[int, ...]) -> MPI.Intracomm:
    """The communicator of the script, its rank 0, and its partners. Collective among them when it is asked for first."""
    world = MPI.COMM_WORLD
    return world.Create_group(world.Get_group().Incl([script, *ranks]))


def join(ranks: tuple[int, ...]) -> MPI.Intracomm:
    """The script's side of `group_of`."""
    return group_of(MPI.COMM_WORLD.Get_rank(), ranks)


def broadcast(ranks: tuple[int, ...], data: Bytes) -> None:
    """Send all partners the same array, and wait until each says that it has it."""
    group = _called(ranks)
    group.Bcast([data, MPI.BYTE], 0)
    _await_tokens(ranks)


def scatter(ranks: tuple[int, ...], sizes: Sequence[int], data: Bytes) -> None:
    """Send each partner its part of an array, and wait until each says that it has it."""
    group = _called(ranks)
    group.Scatterv([data, [0, *sizes], None, MPI.BYTE], [_nothing(), MPI.BYTE], 0)
    _await_tokens(ranks)


def gather(ranks: tuple[int, ...], sizes: Sequence[int], room: Room) -> None:
    """Receive each partner's part of an array."""
    group = _called(ranks)
    group.Gatherv([_nothing(), MPI.BYTE], [room(), [0, *sizes], None, MPI.BYTE], 0)


def take_broadcast(script: int, ranks: tuple[int, ...], size: int, memory: Memory) -> None:
    """The part of all partners of `broadcast`."""
    group, room = group_of(script, ranks), memory(size)
    while _asked(script):
        group.Bcast([room(), MPI.BYTE], 0)
        MPI.COMM_WORLD.Send([TOKEN, MPI.BYTE], script)


def take_part(script: int, ranks: tuple[int, ...], sizes: Sequence[int], memory: Memory) -> None:
    """The part of all partners of `scatter`."""
    group = group_of(script, ranks)
    room = memory(sizes[group.Get_rank() - 1])
    while _asked(script):
        group.Scatterv(None, [room(), MPI.BYTE], 0)
        MPI.COMM_WORLD.Send([TOKEN, MPI.BYTE], script)


def give_part(script: int, ranks: tuple[int, ...], sizes: Sequence[int]) -> None:
    """The part of all partners of `gather`."""
    group = group_of(script, ranks)
    data = np.ones(sizes[group.Get_rank() - 1], np.uint8)
    while _asked(script):
        group.Gatherv([data, MPI.BYTE], None, 0)


def _called(ranks: tuple[int, ...]) -> MPI.Intracomm:
    for rank in ranks:
        MPI.COMM_WORLD.Send([TOKEN, MPI.BYTE], rank, GO)
    return join(ranks)


def _asked(script: int) -> bool:
    status = MPI.Status()
    MPI.COMM_WORLD.Recv([bytearray(len(TOKEN)), MPI.BYTE], script, MPI.ANY_TAG, status)
    return status.Get_tag() != STOP


def _await_tokens(ranks: Sequence[int]) -> None:
    for rank in ranks:
        _await_token(rank)


def _await_token(rank: int) -> None:
    MPI.COMM_WORLD.Recv([bytearray(len(TOKEN)), MPI.BYTE], rank)


def _nothing() -> Bytes:
    return np.empty(0, np.uint8)
