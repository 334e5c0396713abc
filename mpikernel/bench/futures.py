"""The task bench for mpi4py.futures, in an mpiexec of its own: `python -m mpi4py.futures -m mpikernel.bench.futures EFFORT`.

Its script's rank runs this, and all others are its workers.
"""

from __future__ import annotations

import sys

import msgspec
from mpi4py.futures import MPIPoolExecutor

from mpikernel.bench.calls import TaskCase, nothing, task_cases
from mpikernel.bench.measuring import Call, Effort, contest, on_bare_stage, read_effort
from mpikernel.bench.sheet import Series


def measure(pool: MPIPoolExecutor, effort: Effort) -> list[Series]:
    """The same cases as in a world of ours."""
    return [
        figures
        for case in task_cases(effort)
        for figures in contest(case.name, (on_bare_stage("mpi4py.futures", _call_of(case, pool)),), effort, case.tasks)
    ]


def _call_of(case: TaskCase, pool: MPIPoolExecutor) -> Call:
    if case.chunksize:
        return lambda: list(pool.map(nothing, range(case.tasks), chunksize=case.chunksize))
    return lambda: [future.result() for future in [pool.submit(nothing, item) for item in range(case.tasks)]]


if __name__ == "__main__":
    with MPIPoolExecutor() as own:
        print(msgspec.json.encode(measure(own, read_effort(sys.argv[1]))).decode(), flush=True)
