"""mpikernel in two ways, and raw mpi4py in two ways: where what arrives comes into memory used before, and into fresh memory.

mpikernel keeps memory that nobody holds any more, and receives into it again. What it does without is seen by telling it to keep none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

import numpy as np

from mpikernel.bench import raw_bytes
from mpikernel.bench.measuring import Call, Contestant, on_bare_stage
from mpikernel.bench.raw_bytes import Bytes, Memory
from mpikernel.client.direct import DirectView
from mpikernel.wire.memory import KEPT, MAPPED, pool

OURS = "mpikernel"
OURS_FRESH = "mpikernel, fresh memory"
RAW_KEPT = "raw, kept memory"
RAW_FRESH = "raw, fresh memory"

MEMORY = (
    "what is pushed gets the same name each time, and what comes back is dropped, so that mpikernel receives into memory used before, as "
    "raw mpi4py does into kept memory; to see it with fresh memory it is told to keep none"
)


def sending(view: DirectView, send: Callable[[str], object]) -> tuple[Contestant, Contestant]:
    """`send` binds the name that it is given on the engines of a view, where the memory is that counts."""
    return Contestant(OURS, partial(under_a_name, view, send)), Contestant(OURS_FRESH, partial(_sending_fresh, view, send))


@contextmanager
def under_a_name(view: DirectView, send: Callable[[str], object]) -> Iterator[Call]:
    """The stage on which `send` gets the same name each time. Nothing is left of it."""
    try:
        yield lambda: send("data")
    finally:
        view.clear(block=True)


@contextmanager
def _sending_fresh(view: DirectView, send: Callable[[str], object]) -> Iterator[Call]:
    view.apply_sync(keep, 0)
    try:
        with under_a_name(view, send) as call:
            yield call
    finally:
        view.apply_sync(keep, KEPT)


def fetching(fetch: Call) -> tuple[Contestant, Contestant]:
    """`fetch` receives here."""
    return on_bare_stage(OURS, fetch), Contestant(OURS_FRESH, partial(_fetching_fresh, fetch))


@contextmanager
def _fetching_fresh(fetch: Call) -> Iterator[Call]:
    keep(0)
    try:
        yield fetch
    finally:
        keep(KEPT)


def beside(playing: Callable[[Memory], AbstractContextManager[Call]]) -> tuple[Contestant, Contestant]:
    """Raw mpi4py, with kept and with fresh memory at the end that receives."""
    return Contestant(RAW_KEPT, partial(playing, raw_bytes.kept)), Contestant(RAW_FRESH, partial(playing, raw_bytes.fresh))


def keep(limit: int) -> None:
    """Let this process keep so many bytes of memory to receive into, and no more than that from now on."""
    pool.limit = limit
    pool.take(MAPPED)


def data_of(size: int) -> Bytes:
    """An array of `size` bytes whose memory has been touched."""
    return np.ones(size, np.uint8)


def readable(size: int) -> str:
    """A size, as people write it."""
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << shift:
            return f"{size >> shift} {unit}"
    return f"{size} B"
