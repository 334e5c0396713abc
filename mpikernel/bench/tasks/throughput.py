"""How many calls are done in a second: a load-balanced view, beside master and workers in raw mpi4py, one call at a time for each."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from mpikernel.bench import raw
from mpikernel.bench.calls import BEST_CHUNK, OURS, TaskCase, each, nothing, task_cases
from mpikernel.bench.measuring import Call, Contestant, Effort, contest, on_bare_stage
from mpikernel.bench.sheet import TASKS_PER_SECOND, Series, Sheet
from mpikernel.client.balanced import LoadBalancedView
from mpikernel.client.client import Client

RAW = "raw mpi4py"
#: Of the calls that go one at a time, it makes so many: it is slow, and rates are compared.
SHARE = 0.05


def measure(client: Client, effort: Effort) -> Sheet:
    """Single submits, a map with a task for each item, one with chunks as they are made by default, and calls that share an array."""
    series = [figures for case in task_cases(effort) for figures in _measure(case, client, effort)]
    return Sheet("calls that do nothing", TASKS_PER_SECOND, (RAW,), series)


def _measure(case: TaskCase, client: Client, effort: Effort) -> list[Series]:
    ours = on_bare_stage(OURS, _call_of(case, client.load_balanced_view()))
    part = case if case.chunksize is None or case.large else case.part(SHARE)
    raw_calls = Contestant(RAW, lambda: _sharing(part, client))
    return contest(case.name, (ours,), effort, case.tasks) + contest(case.name, (raw_calls,), effort, part.tasks)


def _call_of(case: TaskCase, view: LoadBalancedView) -> Call:
    items = case.items()
    if case.chunksize == 0:
        return lambda: [result.get() for result in [view.apply_async(nothing, item) for item in items]]
    return lambda: view.map_sync(nothing, items, chunksize=case.chunksize)


@contextmanager
def _sharing(case: TaskCase, client: Client) -> Iterator[Call]:
    with raw.partners(client[:], raw.answer_calls) as ranks:
        yield lambda: raw.share_out(ranks, _works(case))


def _works(case: TaskCase) -> Iterator[raw.Work]:
    """The same calls, made while they are sent."""
    items = case.items()
    if case.chunksize is not None:
        return ((nothing, (item,)) for item in items)
    starts = range(0, case.tasks, BEST_CHUNK)
    return ((each, (nothing, items[start : start + BEST_CHUNK])) for start in starts)
