"""Tasks are made again from the ledger: in the run in which they failed, and in the next one. Twice in a folder."""

from __future__ import annotations

import os
import sys

import numpy as np
from checks import raises, run_checks

from mpikernel import Client
from mpikernel.errors import CompositeError, UsageError

client = Client()
view = client.load_balanced_view()
RUN = int(sys.argv[1])  # which run of the folder this is
FACTOR = 10 * RUN  # functions of the first run have its own
FLAG = os.path.abspath("healed")


def heal(item: int) -> int:
    """Fails for odd items as long as there is no flag."""
    import os

    if item % 2 and not os.path.exists(FLAG):
        raise OSError(f"{item} is ill")
    return FACTOR * item


def total(array: np.ndarray, more: float) -> float:
    if not os.path.exists(FLAG):
        raise OSError("not yet")
    return float(array.sum()) + more


def failed_in(run: int, label: str) -> list[dict[str, object]]:
    return client.db_query({"run": run, "status": "error", "label": label})


def check_tasks_that_failed() -> None:
    if RUN != 1:
        return
    single = view.apply_async(heal, 3)
    mapped, chunks = view.map_async(heal, range(100, 150), chunksize=1), view.map_async(heal, range(200, 206), chunksize=3)
    many = [view.apply_async(heal, item) for item in range(300, 400)]
    large = [view.apply_async(total, np.full(50_000, number), more=1.0) for number in (1, 2, 2)]
    client.wait()
    open(FLAG, "w").close()
    assert client.resubmit(single).get() == 30
    rows = failed_in(1, "heal")
    assert len(rows) == 1 + 25 + 2 + 50, len(rows)
    expected = [30, *range(1010, 1500, 20), [2000, 2010, 2020], [2030, 2040, 2050], *range(3010, 4000, 20)]
    assert client.resubmit(rows).get() == expected
    assert client.resubmit([result.msg_ids[0] for result in large]).get() == [50_001.0, 100_001.0, 100_001.0]
    assert client.resubmit(mapped).get() == [10 * item for item in range(100, 150)]
    os.remove(FLAG)
    with raises(CompositeError, "failed in 1 of 3 items", "201 is ill"):
        client.resubmit(chunks.msg_ids[0]).get()
    assert sum(result.successful() for result in many) == 50


def check_tasks_of_the_run_before() -> None:
    if RUN != 2:
        return
    with raises(CompositeError, "101 is ill"):
        client.resubmit([row["msg_id"] for row in failed_in(1, "heal")], run=1).get()
    open(FLAG, "w").close()
    values = client.resubmit(failed_in(1, "heal")).get()
    assert values[:4] == [30, 1010, 1030, 1050], values[:4]  # with the factor of then
    assert sorted(client.resubmit(failed_in(1, "total")).get()) == [50_001.0, 100_001.0, 100_001.0]
    new = view.apply_async(heal, 3)
    assert new.get() == 60
    assert client.resubmit(new).get() == 60
    removed = client.purge_results("all", run=1)
    assert removed > 200, removed
    with raises(UsageError, "no call 0 of run 1"):
        client.resubmit(0, run=1)


def check_what_cannot_be_made_again() -> None:
    direct = client[0].apply_async(abs, -1)
    direct.get()
    with raises(UsageError, "direct call", "a view makes them again"):
        client.resubmit(direct)
    huge = view.apply_async(len, b"x" * (2 << 20))
    assert huge.get() == 2 << 20
    with raises(UsageError, "2.0 MiB", "keep_calls"):
        client.resubmit(huge)
    with raises(UsageError, "never made, or purged"):
        client.resubmit(10**9)


run_checks(globals())
