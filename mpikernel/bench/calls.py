"""What the benches have engines and workers do, and the cases of the task bench. Imports no MPI: mpi4py.futures has ranks of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from mpikernel.bench.measuring import Effort


def nothing(*_: object) -> None:
    """The call that takes no time itself."""


def each(function: Callable[..., object], items: Sequence[object]) -> list[object]:
    """A chunk of a map, as plain mpi4py programs write it."""
    return [function(item) for item in items]


class TaskCase(Struct, frozen=True):
    """So many tasks, submitted in one way."""

    name: str
    tasks: int
    chunksize: int  # 0: no map, each is submitted by itself


def task_cases(effort: Effort) -> list[TaskCase]:
    """All cases. With chunks there are more tasks, so that every engine gets many chunks."""
    return [
        TaskCase("single submits", effort.tasks, 0),
        TaskCase("map, chunksize 1", effort.tasks, 1),
        TaskCase("map, chunksize 100", effort.tasks * 20, 100),
        TaskCase("map, chunksize 1000", effort.tasks * 100, 1000),
    ]
