"""How the bench of tasks goes on where peers cannot run."""

from __future__ import annotations

import msgspec

from mpikernel.bench.benches import run_tasks
from mpikernel.bench.measuring import QUICK
from mpikernel.bench.report import as_table
from mpikernel.bench.sheet import TASKS_PER_SECOND, Place, Report, Sheet, summarize
from mpikernel.bench.starting import Ended, Starter
from mpikernel.errors import LaunchError

PLACE = Place("1.2", "An MPI 5", "4.1", "3.13", ranks=7, engines=4, cores=2, hosts=1, started="2026-01-31 12:00 UTC")


class WithoutPeers(Starter):
    """Starts nothing: worlds have their figures ready, and nothing else can run."""

    def __init__(self) -> None:
        self.asked: list[int] = []

    def world(self, ranks: int, program: tuple[str, ...]) -> Ended:
        series = [summarize("map", "raw mpi4py", [0.5], 100)]
        return Ended(json_of(Report(PLACE, [Sheet("tasks", TASKS_PER_SECOND, ("raw mpi4py",), series)])), 0.0, 1.0)

    def plain(self, ranks: int, program: tuple[str, ...], limit: float = 0.0) -> Ended:
        self.asked.append(ranks)
        raise LaunchError("mpiexec ended with exit code 1")


def json_of(report: Report) -> str:
    return f"a greeting of some library\n{msgspec.json.encode(report).decode()}\n"


def test_the_table_says_so_and_has_the_rest() -> None:
    starter = WithoutPeers()
    table = as_table("tasks", run_tasks(starter, 7, QUICK))
    assert starter.asked[0] == 5  # as many workers as there are engines, and its script's rank
    assert "  raw mpi4py                           200         200         200" in table
    assert "note: mpi4py.futures did not run here: mpiexec ended with exit code 1" in table.splitlines()
