"""How well engines are filled with tasks that take their time. They sleep, so that the cores of the machine are not what is measured."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

from mpikernel.bench.calls import OURS
from mpikernel.bench.measuring import Effort, contest, on_bare_stage
from mpikernel.bench.sheet import AtLeast, Bar, Series, Sheet, Unit, summarize
from mpikernel.client.balanced import LoadBalancedView
from mpikernel.client.client import Client

IDEAL = "ideal"
#: The same naps, shared out beforehand: what is left of the ideal where nothing is handed out.
LOOPS = "a loop on each engine"
EFFICIENCY = Unit("of the ideal", 1, rate=True)
SEED = 4


def measure(client: Client, effort: Effort) -> Sheet:
    """Tasks of 1 ms, of 10 ms, and uneven ones, each as soon as an engine is free."""
    view, engines = client.load_balanced_view(), len(client)
    count = max(engines, effort.tasks // 4)
    uneven = random.Random(SEED)
    cases = {
        "tasks of 1 ms": ([1e-3] * (4 * count), 0.9),
        "tasks of 10 ms": ([1e-2] * count, 0.98),
        "uneven tasks of 10 ms": ([uneven.expovariate(100) for _ in range(count)], 0.95),
    }
    series: list[Series] = []
    bars: list[Bar] = []
    for case, (naps, share) in cases.items():
        series += _measure(case, view, naps, engines, effort)
        bars.append(AtLeast(case, OURS, share, IDEAL))
    return Sheet("efficiency", EFFICIENCY, (LOOPS,), series, [], bars)


def _measure(case: str, view: LoadBalancedView, naps: Sequence[float], engines: int, effort: Effort) -> list[Series]:
    """The ideal is that all engines sleep all the time, and longer than that by what the kernel adds to each sleep."""
    ours = on_bare_stage(OURS, lambda: view.map_sync(time.sleep, naps, chunksize=1))
    loops = on_bare_stage(LOOPS, lambda: view.map_sync(doze, [naps[engine::engines] for engine in range(engines)], chunksize=1))
    ideal = max(sum(naps) / engines, max(naps))
    return [*contest(case, (ours, loops), effort, ideal), summarize(case, IDEAL, [ideal], ideal)]


def doze(naps: Sequence[float]) -> None:
    """Sleep again and again."""
    for nap in naps:
        time.sleep(nap)
