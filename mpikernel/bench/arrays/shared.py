"""How many copies of an array a host has when all its engines have got it, and when they share it.

What is told is the sum of the ranks' proportional set sizes (PSS): a page that several processes have is counted once.
"""

from __future__ import annotations

import time

from mpikernel.bench.arrays.all_engines import SHARED, size_pushed
from mpikernel.bench.arrays.contestants import OURS, data_of, keep, readable
from mpikernel.bench.measuring import LEAST, Effort
from mpikernel.bench.processes import pids_by_rank, proportional
from mpikernel.bench.raw_bytes import Bytes
from mpikernel.bench.sheet import MEBIBYTES, AtMost, Bar, Sheet, summarize
from mpikernel.client.areas import LOOK, SPARE
from mpikernel.client.client import Client
from mpikernel.client.direct import DirectView
from mpikernel.wire.memory import KEPT

ONE_COPY = 1.02  # of the array
VISIBLE = 16 << 20  # bytes; ranks grow and shrink by a mebibyte or two whatever they get


def measure(client: Client, effort: Effort) -> Sheet:
    """A push to all engines, each with memory of its own, and one into memory that they share."""
    view, size, repeats = client[:], max(size_pushed(effort), VISIBLE), effort.rounds * LEAST
    case, data = f"push {readable(size)} to all engines", data_of(size)
    view.apply_sync(keep, 0)
    time.sleep(SPARE + 3 * LOOK)  # until what was shared before has been given up
    series = [summarize(case, name, _held(view, data, share, repeats)) for name, share in ((OURS, False), (SHARED, True))]
    view.apply_sync(keep, KEPT)
    bars: list[Bar] = [AtMost(case, SHARED, ONE_COPY * size)]
    return Sheet("memory of the ranks of this host above that before, once the engines have read it all", MEBIBYTES, (), series, [], bars)


def _held(view: DirectView, data: Bytes, share: bool, repeats: int) -> list[int]:
    """By how many bytes the ranks of this host have grown, each time."""
    before = _all_ranks()
    grown = []
    for _ in range(repeats):
        view.push({"data": data}, block=True, share=share)
        view.execute("data.max()", block=True)
        grown.append(_all_ranks() - before)
        view.clear(block=True)
    return grown


def _all_ranks() -> int:
    return sum(proportional(pid) for pid in pids_by_rank().values())
