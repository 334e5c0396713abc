"""How soon a single task is answered, while the world is busy and after it has been idle; and the same call to one engine by name."""

from __future__ import annotations

from mpikernel.bench import round_trips
from mpikernel.bench.calls import OURS
from mpikernel.bench.measuring import Effort
from mpikernel.bench.round_trips import BUSY, RAW, RESTED
from mpikernel.bench.sheet import MICROSECONDS, AtLeast, AtMost, Bar, Sheet
from mpikernel.client.client import Client

WHAT = "apply_sync"
NAMED = "mpikernel, client[0]"
SHARE = 1 / 20  # of the speed of raw send and recv
SOON = 2e-3  # seconds, although everybody has gone to sleep


def measure(client: Client, effort: Effort) -> Sheet:
    """A load-balanced view and one of the first engine, beside raw calls to that engine."""
    views = {OURS: client.load_balanced_view(), NAMED: client[0]}
    series = round_trips.measure(WHAT, views, client[0], effort)
    bars: list[Bar] = []
    for name in views:
        bars += [AtLeast(f"{WHAT}, {BUSY}", name, SHARE, RAW), AtMost(f"{WHAT}, {RESTED}", name, SOON, usually=True)]
    return Sheet("round trip of a task that does nothing", MICROSECONDS, (RAW,), series, [round_trips.SPINNING], bars)
