"""The benches, and what has to be started for each. Runs outside of any world."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from mpikernel.bench import startup
from mpikernel.bench.calls import DEFAULT, EACH, OURS, REPEATED, SINGLE
from mpikernel.bench.measuring import Effort
from mpikernel.bench.peers import PEERS, Peer, installed
from mpikernel.bench.sheet import AtLeast, Report, Series
from mpikernel.bench.starting import Starter
from mpikernel.errors import LaunchError

#: Seconds that a peer may take for all cases. Where ranks spin and there are more of them than cores, one may take for ever.
PEER_LIMIT = 300.0
#: How much of a peer's speed ours is to be at least.
BARS = {
    (SINGLE, "mpi4py.futures"): 10.0,
    (EACH, "mpi4py.futures"): 20.0,
    (REPEATED, "mpi4py.futures"): 2.0,
    (EACH, "schwimmbad"): 2.0,
    **{(DEFAULT, peer.name): 1.0 for peer in PEERS},
}


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
    """The bench in a world; then the peers that are installed, which want processes of their own, with as many workers."""
    report = in_world("tasks")(starter, ranks, effort)
    for peer in installed():
        _add_peer(starter, peer, report, effort)
    return report


def _add_peer(starter: Starter, peer: Peer, report: Report, effort: Effort) -> None:
    sheet, workers = report.sheets[0], report.place.engines
    program = ("-m", f"{__package__}.peers", peer.name, str(workers), effort.as_text())
    try:
        series = starter.plain(workers + 1 if peer.on_ranks else 1, program, PEER_LIMIT).read(list[Series])
    except LaunchError as error:
        sheet.notes.append(f"{peer.name} did not run here: {error}")
        return
    sheet.series += series
    sheet.bars += [AtLeast(each.case, OURS, BARS[each.case, peer.name], peer.name) for each in series if (each.case, peer.name) in BARS]


BENCHES = (
    Bench("latency", "how long a call takes, there and back", in_world("latency")),
    Bench("tasks", "how many tasks are done in a second", run_tasks),
    Bench("arrays", "how fast arrays move, and how much memory that takes", in_world("arrays"), ranks=6),
    Bench("startup", "how long it takes until a world is ready", startup.measure),
)
