"""mpikernel in two ways, and raw mpi4py in two ways: where what arrives comes into fresh memory, and into memory used before.

mpikernel receives into memory used before by itself, as soon as nobody holds it any more. So it has fresh memory where every array is
kept, and where it is to be fresh from the first array on, what it has put aside is given back before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from itertools import count

import numpy as np

from mpikernel.bench import raw_bytes
from mpikernel.bench.measuring import Call, Contestant
from mpikernel.bench.raw_bytes import Bytes, Memory
from mpikernel.client.direct import DirectView
from mpikernel.wire.memory import MAPPED, pool

RAW_FRESH = "raw, fresh memory"
RAW_KEPT = "raw, kept memory"
NEW_NAMES = "mpikernel, new names"
SAME_NAME = "mpikernel, same name"
HELD = "mpikernel, results held"
DROPPED = "mpikernel, results dropped"

MEMORY = (
    "fresh memory is what mpikernel receives into under new names and while results are held; under the same name, or once results are "
    "dropped, it receives into memory used before, as raw mpi4py does into kept memory"
)


def sending(view: DirectView, send: Callable[[str], object]) -> tuple[Contestant, Contestant]:
    """`send` binds the name that it is given; each time another one, then each time the same."""
    return Contestant(NEW_NAMES, partial(_under_new_names, view, send)), Contestant(SAME_NAME, partial(under_same_name, view, send))


@contextmanager
def _under_new_names(view: DirectView, send: Callable[[str], object]) -> Iterator[Call]:
    view.apply_sync(empty_pool)
    numbers = count()
    try:
        yield lambda: send(f"data_{next(numbers)}")
    finally:
        view.clear(block=True)


@contextmanager
def under_same_name(view: DirectView, send: Callable[[str], object]) -> Iterator[Call]:
    """The stage on which `send` gets the same name each time. Nothing is left of it."""
    try:
        yield lambda: send("data")
    finally:
        view.clear(block=True)


def fetching(fetch: Call) -> tuple[Contestant, Contestant]:
    """What `fetch` gives is held until the turn is over, then dropped each time."""
    return Contestant(HELD, partial(_holding, fetch)), Contestant(DROPPED, partial(_dropping, fetch))


@contextmanager
def _holding(fetch: Call) -> Iterator[Call]:
    empty_pool()
    results: list[object] = []
    try:
        yield lambda: results.append(fetch())
    finally:
        results.clear()


@contextmanager
def _dropping(fetch: Call) -> Iterator[Call]:
    yield fetch


def beside(playing: Callable[[Memory], AbstractContextManager[Call]]) -> tuple[Contestant, Contestant]:
    """Raw mpi4py, with fresh and with kept memory at the end that receives."""
    return Contestant(RAW_FRESH, partial(playing, raw_bytes.fresh)), Contestant(RAW_KEPT, partial(playing, raw_bytes.kept))


def empty_pool() -> None:
    """Give back the memory that this process keeps to receive into."""
    limit, pool.limit = pool.limit, 0
    pool.take(MAPPED)
    pool.limit = limit


def data_of(size: int) -> Bytes:
    """An array of `size` bytes whose memory has been touched."""
    return np.ones(size, np.uint8)


def readable(size: int) -> str:
    """A size, as people write it."""
    for shift, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")):
        if size >= 1 << shift:
            return f"{size >> shift} {unit}"
    return f"{size} B"
