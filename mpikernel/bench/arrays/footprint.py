"""How much memory a push takes, in all ranks together and in those that are to have nothing to do with it.

What is told is the peak of resident memory above that before. A page that several processes share counts in each that has touched it.
"""

from __future__ import annotations

from collections.abc import Mapping

from mpikernel.bench.arrays.contestants import data_of, keep, readable
from mpikernel.bench.measuring import LEAST, Effort
from mpikernel.bench.processes import forget_peak, peak, pids_by_rank
from mpikernel.bench.raw_bytes import Bytes
from mpikernel.bench.sheet import MEBIBYTES, AtMost, Bar, Sheet, summarize
from mpikernel.client.client import Client
from mpikernel.client.direct import DirectView
from mpikernel.wire.memory import KEPT
from mpikernel.world.layout import Layout
from mpikernel.world.roles import Role

ALL = "all ranks"
TIMES_LARGEST = 4  # the array, by the largest one that is timed
SHARE = 1.02  # of the array, in all ranks together
BYSTANDERS, LITTLE = {Role.CONTROLLER, Role.TASK}, 1 << 20  # bytes in a rank that has no other role
ELSEWHERE = "ranks on other hosts are not counted"


def measure(client: Client, effort: Effort) -> Sheet:
    """A large array into an engine that keeps no memory to receive into."""
    size = effort.largest * TIMES_LARGEST
    case, names = f"push {readable(size)} to one engine", _names(client)
    data = data_of(size)
    client[0].push({"data": data}, block=True)  # MPI's own memory comes with the first transfer
    client[0].apply_sync(keep, 0)
    grown = [_push(client[0], data) for _ in range(effort.rounds * LEAST)]
    series = [summarize(case, ALL, [sum(ranks.values()) for ranks in grown])]
    series += [summarize(case, name, [ranks[rank] for ranks in grown]) for rank, name in names.items() if rank in grown[0]]
    bars: list[Bar] = [AtMost(case, ALL, SHARE * size), *(AtMost(case, names[rank], LITTLE) for rank in _bystanders(client))]
    client[0].apply_sync(keep, KEPT)
    client[0].clear(block=True)
    return Sheet("peak memory above that before", MEBIBYTES, (), series, _notes(client), bars)


def _push(view: DirectView, data: Bytes) -> Mapping[int, int]:
    """By how many bytes each rank has grown at the height of it."""
    view.clear(block=True)
    pids = pids_by_rank()
    for pid in pids.values():
        forget_peak(pid)
    before = {rank: peak(pid) for rank, pid in pids.items()}
    view.push({"data": data}, block=True)
    return {rank: peak(pid) - before[rank] for rank, pid in pids.items()}


def _layout(client: Client) -> Layout:
    state = client.port.state
    return Layout(len(state.hosts), 0, state.rank, state.task, state.engines)


def _names(client: Client) -> dict[int, str]:
    layout = _layout(client)
    return {rank: f"rank {rank}: {', '.join(role.value for role in layout.roles(rank))}" for rank in range(layout.size)}


def _bystanders(client: Client) -> list[int]:
    layout = _layout(client)
    return [rank for rank in range(layout.size) if set(layout.roles(rank)) <= BYSTANDERS]


def _notes(client: Client) -> list[str]:
    return [ELSEWHERE] if len(set(client.port.state.hosts)) > 1 else []
