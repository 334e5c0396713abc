"""How long a call takes, there and back: `apply_sync` of a function that does nothing, beside raw send and recv of pickled objects."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from mpikernel.bench import raw
from mpikernel.bench.calls import nothing
from mpikernel.bench.measuring import Contestant, Effort, at_once, contest, on_bare_stage
from mpikernel.bench.sheet import Series
from mpikernel.client.direct import DirectView
from mpikernel.client.view import View

RAW = "raw mpi4py"
SPINNING = (
    "raw mpi4py waits by spinning: its ranks do not rest in idle times, and hinder each other where there are more of them than cores"
)
IDLE = 0.05  # seconds after which every rank has gone to rest
BUSY, RESTED = "back to back", f"after {IDLE * 1000:.0f} ms idle"


def measure(what: str, views: Mapping[str, View], partners: DirectView, effort: Effort) -> list[Series]:
    """Cases `what, BUSY` and `what, RESTED`: the views by their contestants' names, and raw calls to all engines of another view."""
    ours = [on_bare_stage(name, _call_of(view)) for name, view in views.items()]
    contestants = [*ours, Contestant(RAW, lambda: _calling(partners))]
    moments = ((BUSY, at_once), (RESTED, _rest))
    return [series for when, between in moments for series in contest(f"{what}, {when}", contestants, effort, between=between)]


def _call_of(view: View) -> Callable[[], object]:
    return lambda: view.apply_sync(nothing)


@contextmanager
def _calling(view: DirectView) -> Iterator[Callable[[], object]]:
    with raw.partners(view, raw.answer_calls) as ranks:
        yield lambda: raw.call_all(ranks, (nothing, ()))


def _rest() -> None:
    time.sleep(IDLE)
