"""How much memory a long map costs the ranks between script and engines: it is to be bounded by what is under way."""

from __future__ import annotations

from collections import deque

from mpikernel.bench.calls import nothing
from mpikernel.bench.measuring import Effort
from mpikernel.bench.processes import pids_by_rank, proportional
from mpikernel.bench.sheet import MEBIBYTES, AtMost, Sheet, summarize
from mpikernel.client.client import Client

CASE = "imap of many items"
BETWEEN = "controller and interfaces"
TIMES = 5000  # items, by the tasks of the smallest case
LIMIT = 50 << 20  # bytes


def measure(client: Client, effort: Effort) -> Sheet:
    """Values are taken one after the other, from a generator."""
    view, state = client.load_balanced_view(), client.port.state
    watched = [pid for rank, pid in pids_by_rank().items() if rank not in state.engines]
    deque(view.imap(nothing, iter(range(effort.tasks * 10))), maxlen=0)
    before = sum(map(proportional, watched))
    count = effort.tasks * TIMES
    deque(view.imap(nothing, (item for item in range(count))), maxlen=0)
    grown = max(0, sum(map(proportional, watched)) - before)
    return Sheet(
        f"memory after an imap of {count:,} items", MEBIBYTES, (), [summarize(CASE, BETWEEN, [grown])], [], [AtMost(CASE, BETWEEN, LIMIT)]
    )
