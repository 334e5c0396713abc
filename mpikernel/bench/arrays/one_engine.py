"""Arrays of several sizes to one engine and back, beside raw Send and Recv. Each transfer is timed with its acknowledgement or request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mpikernel.bench import raw, raw_bytes
from mpikernel.bench.arrays.contestants import (
    MEMORY,
    OURS,
    OURS_FRESH,
    RAW_FRESH,
    RAW_KEPT,
    beside,
    data_of,
    fetching,
    readable,
    sending,
)
from mpikernel.bench.measuring import Call, Contestant, Effort, contest
from mpikernel.bench.raw_bytes import Memory
from mpikernel.bench.sheet import GIGABYTES_PER_SECOND, AtLeast, Sheet
from mpikernel.client.client import Client
from mpikernel.client.direct import DirectView

SIZES = (1 << 10, 64 << 10, 1 << 20, 16 << 20, 256 << 20)  # bytes
#: From these sizes on, this much of the speed of raw mpi4py is to be reached.
SMALL, SHARE_SMALL = 64 << 10, 0.5
LARGE, SHARE_LARGE = 16 << 20, 0.95
#: The same where memory is used again, in a push.
LARGEST, SHARE_REUSED = 256 << 20, 0.85


def measure(client: Client, effort: Effort) -> Sheet:
    """Both directions, and all sizes up to the largest."""
    sheet = Sheet("one array to one engine and back", GIGABYTES_PER_SECOND, (RAW_FRESH, RAW_KEPT), [], [MEMORY])
    sizes = [size for size in SIZES if size <= effort.largest]
    for way, contestants in (("push", _pushes), ("pull", _pulls)):
        for size in sizes:
            case = f"{way} {readable(size)}"
            sheet.series += contest(case, contestants(client[0], size), effort, size)
            sheet.bars += _bars(case, size)
    if LARGEST in sizes:
        sheet.bars.append(AtLeast(f"push {readable(LARGEST)}", OURS, SHARE_REUSED, RAW_KEPT))
    client[0].clear(block=True)
    return sheet


def _bars(case: str, size: int) -> Iterator[AtLeast]:
    if size >= LARGE:
        yield AtLeast(case, OURS_FRESH, SHARE_LARGE, RAW_FRESH)
    elif size >= SMALL:
        yield AtLeast(case, OURS_FRESH, SHARE_SMALL, RAW_FRESH)
        yield AtLeast(case, OURS, SHARE_SMALL, RAW_KEPT)


def _pushes(view: DirectView, size: int) -> tuple[Contestant, ...]:
    data = data_of(size)

    @contextmanager
    def playing(memory: Memory) -> Iterator[Call]:
        with raw.partners(view, raw_bytes.take, size, memory) as (rank,):
            yield lambda: raw_bytes.push(rank, data)

    return (*sending(view, lambda name: view.push({name: data}, block=True)), *beside(playing))


def _pulls(view: DirectView, size: int) -> tuple[Contestant, ...]:
    view.push({"data": data_of(size)}, block=True)

    @contextmanager
    def playing(memory: Memory) -> Iterator[Call]:
        room = memory(size)
        with raw.partners(view, raw_bytes.give, size) as (rank,):
            yield lambda: raw_bytes.pull(rank, room)

    return (*fetching(lambda: view.pull("data", block=True)), *beside(playing))
