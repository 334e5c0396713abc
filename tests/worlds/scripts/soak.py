"""So many tasks as the first argument says, in all the ways in which tasks are made and end. Each of them has to be accounted for."""

from __future__ import annotations

import random
import sys
from collections import Counter

from mpikernel import Client
from mpikernel.errors import CompositeError, ImpossibleDependency

COUNT = int(sys.argv[1])
SEED = 20
BAD = 997  # each item that this divides fails


def work(number: int) -> int:
    if number % BAD == 0:
        raise ValueError(number)
    return -number


def outcome(result) -> str:
    """How a single task ended, and whether that is how it may end."""
    result.wait(120)
    if result.cancelled():
        return "aborted"
    error = result.exception(timeout=0)
    if isinstance(error, ImpossibleDependency):
        return "impossible"
    if error is not None:
        assert error.args[0] % BAD == 0, error
        return "error"
    assert isinstance(result.get(), int)
    return "ok"


def check_single_tasks(count: int) -> None:
    """Single ones; some after others, some cancelled, some urgent."""
    rng = random.Random(SEED)
    results, waited_for = [], []
    for number in range(count):
        after = rng.sample(waited_for, 1) if waited_for and rng.random() < 0.05 else None
        with view.temp_flags(after=after, priority=rng.choice((0, 0, 0, 1)), retries=rng.choice((0, 0, 2))):
            results.append(view.apply_async(work, number))
        if rng.random() < 0.02:
            waited_for.append(results[-1])
        if rng.random() < 0.01:
            rng.choice(results[-200:]).cancel()
    ended = Counter(map(outcome, results))
    assert sum(ended.values()) == count
    assert ended["ok"] > count * 0.8
    ids = {number for result in results for number in result.msg_ids}
    assert len(ids) == count
    told.update(ended)


def check_maps(count: int, size: int, chunksize: int | None) -> None:
    """Maps with failures in them; every fifth is cancelled on the way."""
    for number, begin in enumerate(range(0, count, size)):
        items = range(begin, min(begin + size, count))
        result = view.map_async(work, items, chunksize=chunksize)
        if number % 5 == 4:
            result.cancel()
            result.wait(120)
            continue
        bad = [item for item in items if item % BAD == 0]
        error = result.exception(timeout=120)
        if bad:
            assert isinstance(error, CompositeError), error
            assert len(error.exceptions) == len(bad)
        else:
            assert result.get() == [-item for item in items]


told: Counter[str] = Counter()
client = Client()
view = client.load_balanced_view()
check_single_tasks(COUNT // 50)
check_maps(COUNT, COUNT // 20, chunksize=1)
check_maps(COUNT, COUNT // 20, chunksize=None)
assert client.wait(timeout=120)
open_records = client.db_query({"status": "submitted"}, keys=["msg_id"])
assert not open_records, open_records[:10]
status = client.queue_status()
assert status["unassigned"] == 0, status
assert not any(engine["queue"] or engine["tasks"] for engine in status.values() if isinstance(engine, dict)), status
print("all accounted for", dict(told))
