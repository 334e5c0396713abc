"""One array to all engines, beside Bcast, and in parts to and from all of them, beside Scatterv and Gatherv.

Raw mpi4py does it in a communicator of the script's rank and the engines'. The script tells them to begin, and waits until all have it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from mpikernel.arrays.partition import bounds
from mpikernel.bench import raw, raw_bytes
from mpikernel.bench.arrays.contestants import (
    OURS,
    OURS_FRESH,
    RAW_FRESH,
    RAW_KEPT,
    beside,
    data_of,
    fetching,
    readable,
    sending,
    under_a_name,
)
from mpikernel.bench.measuring import Call, Contestant, Effort, contest
from mpikernel.bench.raw_bytes import Memory
from mpikernel.bench.sheet import GIGABYTES_PER_SECOND, AtLeast, Sheet
from mpikernel.client.client import Client
from mpikernel.client.direct import DirectView

PUSHED = 64 << 20  # bytes
PART = 0.9  # of the speed of the collective call
SHARED = "mpikernel, share=True"
READ_ONLY = "share=True: the engines of a host have one copy, which none of them may change"


def measure(client: Client, effort: Effort) -> Sheet:
    """Everything that goes to or comes from all engines. Rates are of the array, however many get it."""
    view, whole = client[:], effort.largest
    sheet = Sheet(f"all engines ({len(view)}) at once", GIGABYTES_PER_SECOND, (RAW_FRESH, RAW_KEPT), [], [READ_ONLY])
    pushed = size_pushed(effort)
    even, uneven = _even(whole, len(view)), _uneven(whole, len(view))
    _add(sheet, f"push {readable(pushed)}", _pushes(view, pushed), effort, pushed)
    sheet.bars.append(AtLeast(f"push {readable(pushed)}", SHARED, 1, OURS))
    _add(sheet, f"scatter {readable(whole)}", _scatters(view, even), effort, whole)
    _add(sheet, f"gather {readable(whole)}", _gathers(client, even), effort, whole)
    _add(sheet, f"gather {readable(whole)}, uneven parts", _gathers(client, uneven), effort, whole)
    view.clear(block=True)
    return sheet


def size_pushed(effort: Effort) -> int:
    """Bytes of what all engines get."""
    return min(PUSHED, effort.largest)


def _add(sheet: Sheet, case: str, contestants: tuple[Contestant, ...], effort: Effort, size: int) -> None:
    sheet.series += contest(case, contestants, effort, size)
    sheet.bars += [AtLeast(case, OURS_FRESH, PART, RAW_FRESH), AtLeast(case, OURS, PART, RAW_KEPT)]


def _even(size: int, parts: int) -> list[int]:
    return [stop - start for start, stop in bounds(size, parts)]


def _uneven(size: int, parts: int) -> list[int]:
    """The second part is twice as long as the first, the third three times, and so on."""
    shares = parts * (parts + 1) // 2
    sizes = [size * number // shares for number in range(1, parts)]
    return [*sizes, size - sum(sizes)]


def _pushes(view: DirectView, size: int) -> tuple[Contestant, ...]:
    data = data_of(size)

    @contextmanager
    def playing(memory: Memory) -> Iterator[Call]:
        with _together(view, raw_bytes.take_broadcast, size, memory) as ranks:
            yield lambda: raw_bytes.broadcast(ranks, data)

    def share(name: str) -> None:
        view.push({name: data}, block=True, share=True)

    shared = Contestant(SHARED, lambda: under_a_name(view, share))
    return (*sending(view, lambda name: view.push({name: data}, block=True)), shared, *beside(playing))


def _scatters(view: DirectView, sizes: Sequence[int]) -> tuple[Contestant, ...]:
    data = data_of(sum(sizes))

    @contextmanager
    def playing(memory: Memory) -> Iterator[Call]:
        with _together(view, raw_bytes.take_part, sizes, memory) as ranks:
            yield lambda: raw_bytes.scatter(ranks, sizes, data)

    return (*sending(view, lambda name: view.scatter(name, data, block=True)), *beside(playing))


def _gathers(client: Client, sizes: Sequence[int]) -> tuple[Contestant, ...]:
    view = client[:]
    for engine, size in zip(client, sizes, strict=True):
        engine.push({"data": data_of(size)}, block=True)

    @contextmanager
    def playing(memory: Memory) -> Iterator[Call]:
        room = memory(sum(sizes))
        with _together(view, raw_bytes.give_part, sizes) as ranks:
            yield lambda: raw_bytes.gather(ranks, sizes, room)

    return (*fetching(lambda: view.gather("data", block=True)), *beside(playing))


@contextmanager
def _together(view: DirectView, part: Callable[..., None], *args: object) -> Iterator[tuple[int, ...]]:
    """As raw.partners, and all in one communicator."""
    ranks = tuple(raw.ranks_of(view))
    with raw.partners(view, part, ranks, *args):
        raw_bytes.join(ranks)
        yield ranks
