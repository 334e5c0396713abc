"""The benches, and what has to be started for each. Runs outside of any world."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from mpikernel.bench import startup
from mpikernel.bench.measuring import Effort
from mpikernel.bench.sheet import Report, Series
from mpikernel.bench.starting import Starter
from mpikernel.errors import LaunchError


class Bench(Struct, frozen=True):
    """`run` is given the number of ranks, and how much is to be done."""

    name: str
    about: str
    run: Callable[[Starter, int, Effort], Report]
    ranks: int = 7  # unless another number is asked for: controller, script, task interface and four engines


def in_world(module: str) -> Callable[[Starter, int, Effort], Report]:
    """Run a module of this package as the script of a world; it prints its report."""

    def run(starter: Starter, ranks: int, effort: Effort) -> Report:
        return starter.world(ranks, ("-m", f"{__package__}.{module}", effort.as_text())).read(Report)

    return run


def run_tasks(starter: Starter, ranks: int, effort: Effort) -> Report:
    """The bench in a world; then mpi4py.futures, which wants ranks of its own, with as many workers."""
    report = in_world("tasks")(starter, ranks, effort)
    try:
        program = ("-m", "mpi4py.futures", "-m", f"{__package__}.futures", effort.as_text())
        report.sheets[0].series += starter.plain(report.place.engines + 1, program).read(list[Series])
    except LaunchError as error:
        report.sheets[0].notes.append(f"mpi4py.futures did not run here: {error}")
    return report


BENCHES = (
    Bench("latency", "how long a call takes, there and back", in_world("latency")),
    Bench("tasks", "how many tasks are done in a second", run_tasks),
    Bench("arrays", "how fast arrays move, and how much memory that takes", in_world("arrays"), ranks=6),
    Bench("startup", "how long it takes until a world is ready", startup.measure),
)
