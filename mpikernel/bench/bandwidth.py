"""How fast arrays are pushed to one engine and pulled from it, beside raw Send and Recv of the same bytes.

mpikernel gives every array memory of its own, as raw mpi4py does where it receives into a fresh np.empty. Receiving into the same memory
again and again is what a program can do that keeps it. Every transfer is timed with its acknowledgement or its request.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np

from mpikernel.bench import inside, raw
from mpikernel.bench.measuring import Call, Contestant, Effort, contest, on_bare_stage
from mpikernel.bench.sheet import MEGABYTES_PER_SECOND, Sheet
from mpikernel.client.client import Client
from mpikernel.client.direct import DirectView

FRESH = "raw, fresh memory"
KEPT = "raw, kept memory"
SMALLEST = 1 << 10  # bytes
STEP = 8  # 1 KiB, 8 KiB, 64 KiB ... 32 MiB, 256 MiB


def measure(client: Client, effort: Effort) -> Sheet:
    """Both directions, and all sizes up to the largest."""
    view = client[0]
    series = [
        figures
        for name, contestants in (("push", _pushes), ("pull", _pulls))
        for size in _sizes(effort.largest)
        for figures in contest(f"{name} {_readable(size)}", contestants(view, size), effort, size)
    ]
    return Sheet("arrays to one engine and back", MEGABYTES_PER_SECOND, (FRESH, KEPT), series)


def _sizes(largest: int) -> Iterator[int]:
    size = SMALLEST
    while size <= largest:
        yield size
        size *= STEP


def _readable(size: int) -> str:
    return f"{size >> 20} MiB" if size >= 1 << 20 else f"{size >> 10} KiB"


def _pushes(view: DirectView, size: int) -> tuple[Contestant, ...]:
    data = _data(size)

    @contextmanager
    def beside(part: Callable[[int, int], None]) -> Iterator[Call]:
        with raw.partners(view, part, size) as (rank,):
            yield lambda: raw.push(rank, data)

    return (
        on_bare_stage("mpikernel", lambda: view.push({"data": data}, block=True)),
        Contestant(FRESH, lambda: beside(raw.take_into_fresh)),
        Contestant(KEPT, lambda: beside(raw.take_into_kept)),
    )


def _pulls(view: DirectView, size: int) -> tuple[Contestant, ...]:
    view.push({"data": _data(size)}, block=True)
    kept = _room(size)

    @contextmanager
    def beside(room: Callable[[], raw.Bytes]) -> Iterator[Call]:
        with raw.partners(view, raw.give, size) as (rank,):
            yield lambda: raw.pull(rank, room())

    return (
        on_bare_stage("mpikernel", lambda: view.pull("data", block=True)),
        Contestant(FRESH, lambda: beside(lambda: _room(size))),
        Contestant(KEPT, lambda: beside(lambda: kept)),
    )


def _data(size: int) -> raw.Bytes:
    return np.ones(size, np.uint8)


def _room(size: int) -> raw.Bytes:
    return np.empty(size, np.uint8)


if __name__ == "__main__":
    inside.run(measure)
