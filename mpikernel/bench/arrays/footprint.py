"""How much memory it takes to move an array, in all ranks together and in those that are to have nothing to do with it.

What is told is the peak of resident memory above that before. A page that several processes share counts in each that has touched it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

from mpikernel.bench.arrays import from_file
from mpikernel.bench.arrays.contestants import data_of, keep, readable
from mpikernel.bench.measuring import LEAST, Effort
from mpikernel.bench.processes import forget_peak, peak, pids_by_rank
from mpikernel.bench.sheet import MEBIBYTES, AtMost, Sheet, summarize
from mpikernel.client.client import Client
from mpikernel.client.direct import DirectView
from mpikernel.wire.memory import KEPT
from mpikernel.world.layout import Layout
from mpikernel.world.roles import Role

ALL = "all ranks"
TIMES_LARGEST = 4  # the array that is pushed, by the largest one that is timed
SHARE = 1.02  # of it, in all ranks together
BYSTANDERS = {Role.CONTROLLER, Role.TASK}
LITTLE = 1 << 20  # bytes, in a rank that is to have nothing to do with it
ELSEWHERE = "ranks on other hosts are not counted"

Grown = Sequence[Mapping[int, int]]  # bytes by rank, for each repeat


def measure(client: Client, effort: Effort) -> Sheet:
    """A push into an engine that keeps no memory to receive into; and a file, of which the script is to see nothing."""
    layout, repeats = _layout(client), effort.rounds * LEAST
    names = {rank: f"rank {rank}: {', '.join(role.value for role in layout.roles(rank))}" for rank in range(layout.size)}
    sheet = Sheet("peak memory above that before", MEBIBYTES, (), [], _notes(client))

    size = effort.largest * TIMES_LARGEST
    case = f"push {readable(size)} to one engine"
    _add(sheet, case, names, _push(client[0], size, repeats))
    sheet.bars.append(AtMost(case, ALL, SHARE * size))
    sheet.bars += [AtMost(case, name, LITTLE) for rank, name in names.items() if set(layout.roles(rank)) <= BYSTANDERS]

    size = from_file.size_of_file(effort)
    case = f"scatter {readable(size)} from a file"
    _add(sheet, case, names, _scatter(client[:], size, repeats))
    sheet.bars.append(AtMost(case, names[layout.script], LITTLE))
    return sheet


def _push(view: DirectView, size: int, repeats: int) -> Grown:
    data = data_of(size)
    view.apply_sync(keep, 0)
    grown = _grown(view, lambda: view.push({"data": data}, block=True), repeats)
    view.apply_sync(keep, KEPT)
    return grown


def _scatter(view: DirectView, size: int, repeats: int) -> Grown:
    with from_file.array_file(view, size) as source:
        return _grown(view, partial(from_file.scatter, view, source), repeats)


def _grown(view: DirectView, move: Callable[[], object], repeats: int) -> Grown:
    """By how much each rank has grown at the height of each repeat. What is not MPI's own has gone before the next."""
    move()  # MPI's own memory comes with the first
    grown = []
    for _ in range(repeats):
        view.clear(block=True)
        pids = pids_by_rank()
        for pid in pids.values():
            forget_peak(pid)
        before = {rank: peak(pid) for rank, pid in pids.items()}
        move()
        grown.append({rank: peak(pid) - before[rank] for rank, pid in pids.items()})
    view.clear(block=True)
    return grown


def _add(sheet: Sheet, case: str, names: Mapping[int, str], grown: Grown) -> None:
    sheet.series.append(summarize(case, ALL, [sum(ranks.values()) for ranks in grown]))
    sheet.series += [summarize(case, names[rank], [ranks[rank] for ranks in grown]) for rank in grown[0]]


def _layout(client: Client) -> Layout:
    state = client.port.state
    return Layout(len(state.hosts), 0, state.rank, state.task, state.engines)


def _notes(client: Client) -> list[str]:
    return [ELSEWHERE] if len(set(client.port.state.hosts)) > 1 else []
