"""The task bench for others, each in processes of its own: `python -m mpikernel.bench.peers NAME WORKERS EFFORT`.

Those on MPI have ranks of theirs: the script's rank runs this, and all others are its workers. Prints nothing where one is not installed.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from importlib import import_module
from importlib.util import find_spec
from typing import Any, NamedTuple

import msgspec

from mpikernel.bench.calls import BEST_CHUNK, SINGLE, TaskCase, nothing, task_cases
from mpikernel.bench.measuring import Call, Effort, contest, on_bare_stage, read_effort
from mpikernel.bench.sheet import Series


class Ways(NamedTuple):
    """How a peer does it; None for what it has no way to do."""

    submit: Callable[[Sequence[object]], object] | None  # single calls, and waits for all
    map: Callable[[Sequence[object], int], object]  # with so many items in a chunk


class Peer(NamedTuple):
    """`opened` gives its ways for so many workers. `share`: how much of the work it is given, unless chunks are large."""

    name: str
    module: str
    on_ranks: bool
    share: float
    opened: Callable[[int], Any]


def run(peer: Peer, workers: int, effort: Effort) -> list[Series]:
    """The same cases as in a world of ours."""
    with peer.opened(workers) as ways:
        return [figures for case in task_cases(effort) for figures in _measure(peer, case, ways, effort)]


def _measure(peer: Peer, case: TaskCase, ways: Ways, effort: Effort) -> list[Series]:
    if case.name == SINGLE and ways.submit is None:
        return []
    part = case if case.chunksize is None and peer.share > RARE else case.part(peer.share)
    return contest(case.name, (on_bare_stage(peer.name, _call_of(part, ways)),), effort, part.tasks)


def _call_of(case: TaskCase, ways: Ways) -> Call:
    items, submit, chunk = case.items(), ways.submit, case.chunksize or BEST_CHUNK
    if case.chunksize == 0 and submit is not None:
        return lambda: submit(items)
    return lambda: ways.map(items, chunk)


def _of_executor(pool: Any) -> Ways:
    return Ways(
        lambda items: [future.result() for future in [pool.submit(nothing, item) for item in items]],
        lambda items, chunk: list(pool.map(nothing, items, chunksize=chunk)),
    )


@contextmanager
def _futures(workers: int) -> Iterator[Ways]:
    with import_module("mpi4py.futures").MPICommExecutor() as pool:
        if pool is not None:
            yield _of_executor(pool)
            return
    sys.exit(0)


@contextmanager
def _schwimmbad(workers: int) -> Iterator[Ways]:
    pool = import_module("schwimmbad").MPIPool()  # workers stay in here; it closes itself at exit, and only once is well
    yield Ways(None, lambda items, _: list(pool.map(nothing, items)))


@contextmanager
def _processes(workers: int) -> Iterator[Ways]:
    with ProcessPoolExecutor(workers) as pool:
        yield _of_executor(pool)


@contextmanager
def _joblib(workers: int) -> Iterator[Ways]:
    joblib = import_module("joblib")
    with joblib.Parallel(n_jobs=workers) as parallel:
        yield Ways(None, lambda items, chunk: _joblib_map(joblib, parallel, items, chunk))


def _joblib_map(joblib: Any, parallel: Any, items: Sequence[object], chunk: int) -> object:
    parallel.batch_size = chunk
    return parallel(joblib.delayed(nothing)(item) for item in items)


@contextmanager
def _ipyparallel(workers: int) -> Iterator[Ways]:
    with import_module("ipyparallel").Cluster(n=workers) as client:
        view = client.load_balanced_view()
        yield Ways(
            lambda items: [result.get() for result in [view.apply_async(nothing, item) for item in items]],
            lambda items, chunk: view.map_sync(nothing, items, chunksize=chunk),
        )


#: Who gets so little of the work gets little of the chunks too.
RARE = 0.01
PEERS = (
    Peer("mpi4py.futures", "mpi4py", True, 0.05, _futures),
    Peer("schwimmbad", "schwimmbad", True, 0.2, _schwimmbad),
    Peer("ProcessPoolExecutor", "concurrent.futures", False, 0.05, _processes),
    Peer("joblib", "joblib", False, 0.05, _joblib),
    Peer("ipyparallel", "ipyparallel", False, 0.002, _ipyparallel),
)


def installed() -> list[Peer]:
    """Those that are there, by what Python finds."""
    return [peer for peer in PEERS if find_spec(peer.module) is not None]


if __name__ == "__main__":
    _name, _workers, _effort = sys.argv[1:]
    _peer = next(peer for peer in PEERS if peer.name == _name)
    print(msgspec.json.encode(run(_peer, int(_workers), read_effort(_effort))).decode(), flush=True)
