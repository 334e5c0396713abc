"""How long a call takes, there and back: `apply_sync` of a function that does nothing, beside raw send and recv of pickled objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from mpikernel.bench import inside, raw
from mpikernel.bench.calls import nothing
from mpikernel.bench.measuring import Call, Contestant, Effort, at_once, contest, on_bare_stage
from mpikernel.bench.sheet import MICROSECONDS, Series, Sheet
from mpikernel.client.client import Client
from mpikernel.client.direct import DirectView

RAW = "raw mpi4py"
SPINNING = (
    "raw mpi4py waits by spinning: its ranks do not rest in idle times, and hinder each other where there are more of them than cores"
)
IDLE = 0.05  # seconds after which every rank has gone to rest


def measure(client: Client, effort: Effort) -> Sheet:
    """One engine and all engines, each while the world is busy and after it has been idle."""
    targets = (("one engine", client[0]), (f"all engines ({len(client)})", client[:]))
    series = [
        figures
        for name, view in targets
        for when, between in (("back to back", at_once), (f"after {IDLE * 1000:.0f} ms idle", _rest))
        for figures in _measure(f"{name}, {when}", view, effort, between)
    ]
    return Sheet("round trip of a call that does nothing", MICROSECONDS, (RAW,), series, [SPINNING])


def _measure(case: str, view: DirectView, effort: Effort, between: Callable[[], object]) -> list[Series]:
    ours = on_bare_stage("mpikernel apply_sync", lambda: view.apply_sync(nothing))
    return contest(case, (ours, Contestant(RAW, lambda: _calling(view))), effort, between=between)


@contextmanager
def _calling(view: DirectView) -> Iterator[Call]:
    with raw.partners(view, raw.answer_calls) as ranks:
        yield lambda: raw.call_all(ranks, (nothing, ()))


def _rest() -> None:
    time.sleep(IDLE)


if __name__ == "__main__":
    inside.run(measure)
