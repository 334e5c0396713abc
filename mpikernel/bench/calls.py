"""What the benches have engines and workers do, and the cases of the task bench. Imports no MPI: peers have ranks of their own."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from mpikernel.bench.measuring import Effort


def nothing(*_: object) -> None:
    """The call that takes no time itself."""


def each(function: Callable[..., object], items: Sequence[object]) -> list[object]:
    """A chunk of a map, as plain mpi4py programs write it."""
    return [function(item) for item in items]


class TaskCase(Struct, frozen=True):
    """So many calls, submitted in one way."""

    name: str
    tasks: int
    chunksize: int | None  # 0: no map, each is submitted by itself; None: as the contestant likes it
    large: int = 0  # bytes of an array that each is called with, besides its number; always the same

    def part(self, share: float) -> TaskCase:
        """The same with fewer calls, for who is slow: rates are compared."""
        return replace(self, tasks=max(1, int(self.tasks * share)))

    def items(self) -> Sequence[object]:
        """What the calls are called with, each with one of these."""
        numbers = list(range(self.tasks))
        if not self.large:
            return numbers
        array = np.random.default_rng(0).integers(0, 256, self.large, np.uint8)
        return [(array, number) for number in numbers]


#: What our own contestant is called.
OURS = "mpikernel"
#: Items in a chunk where others may choose: the best of those that were tried.
BEST_CHUNK = 10_000

SINGLE = "single submits"
EACH = "map, chunksize 1"
DEFAULT = "map, default chunks"
REPEATED = "map, the same array for each"
#: Bytes of that array.
LARGE = 8 << 20


def task_cases(effort: Effort) -> list[TaskCase]:
    """All cases. With chunks there are more calls, so that every engine gets many chunks."""
    return [
        TaskCase(SINGLE, effort.tasks * 10, 0),
        TaskCase(EACH, effort.tasks * 100, 1),
        TaskCase(DEFAULT, effort.tasks * 1000, None),
        TaskCase(REPEATED, effort.tasks // 40, 1, min(LARGE, effort.largest)),
    ]
