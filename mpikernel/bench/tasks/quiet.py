"""What ranks that have nothing to do take of their cores."""

from __future__ import annotations

import time

from mpikernel.bench.measuring import Effort
from mpikernel.bench.processes import pids_by_rank, processor_time
from mpikernel.bench.sheet import AtMost, Sheet, Unit, summarize
from mpikernel.client.client import Client

SHARE = Unit("% of a core", 100, rate=False)
CASE = "idle world"
LIMIT = 0.01
SETTLE = 1.0  # seconds after which ranks are to be quiet
TIMES = 35.0  # how long is looked, by the seconds of one turn


def measure(client: Client, effort: Effort) -> Sheet:
    """After a second of idleness. The script sleeps, as it does while it waits."""
    pids, seconds = pids_by_rank(), effort.seconds * TIMES
    time.sleep(SETTLE)
    before = {rank: processor_time(pid) for rank, pid in pids.items()}
    begun = time.monotonic()
    time.sleep(seconds)
    passed = time.monotonic() - begun
    shares = {f"rank {rank}": (processor_time(pid) - before[rank]) / passed for rank, pid in pids.items()}
    series = [summarize(CASE, name, [share]) for name, share in shares.items()]
    return Sheet(f"an idle world of {len(pids)} ranks", SHARE, (), series, [], [AtMost(CASE, name, LIMIT) for name in shares])
