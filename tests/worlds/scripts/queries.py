"""What a script learns from the ledger of its calls and of earlier runs. For a world of any size, more than once in a folder."""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

from checks import raises, run_checks

from mpikernel import Client
from mpikernel.errors import UsageError

client = Client()
everybody, one = client[:], client[0]
balanced = client.load_balanced_view()
COUNT = len(client)
RUN = int(sys.argv[1])  # which run of the folder this is
APART = one.apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own, so that they work while we go on


def nap(seconds: float) -> float:
    import time

    time.sleep(seconds)
    return seconds


def fail(text: str = "no") -> None:
    raise ValueError(text)


def mine(**conditions: object) -> dict[str, object]:
    return {"run": RUN, **conditions}


def check_the_number_of_the_run() -> None:
    assert client.run_number == RUN


def check_a_record_is_there_when_the_result_is() -> None:
    for attempt in range(20):
        (number,) = balanced.apply_async(nap, 0).msg_ids
        client.wait()
        (row,) = client.db_query(mine(msg_id=number), keys=["status", "label"])
        assert row == {"status": "ok", "label": "nap"}, (attempt, row)
        result = one.apply_async(abs, -1)
        result.get()
        (row,) = client.db_query(mine(msg_id=result.msg_ids[0]), keys=["status"])
        assert row == {"status": "ok"}, (attempt, row)


def check_what_a_record_tells() -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    result = everybody.apply_async(nap, 0.01)
    result.get()
    rows = client.db_query(mine(msg_id={"$in": result.msg_ids}))
    assert [row["engine_id"] for row in rows] == list(range(COUNT))
    for row in rows:
        assert before <= row["submitted"] <= row["started"] + timedelta(milliseconds=2)
        assert row["completed"] - row["started"] >= timedelta(milliseconds=9)
        assert (row["kind"], row["label"], row["status"], row["error"], row["attempt"]) == ("apply", "nap", "ok", None, 1)
    since = client.db_query({"submitted": {"$gte": before}, "label": re.compile("^nap$")}, keys=["msg_id"])
    assert [row["msg_id"] for row in since] == result.msg_ids
    assert client.db_query({"submitted": {"$gte": datetime.now()}}) == []


def check_failures_of_every_run() -> None:
    one.apply_async(fail, "this one").wait()
    rows = client.db_query({"status": "error", "error": {"$regex": "this one"}}, order="-run")
    assert [row["run"] for row in rows] == list(range(RUN, 0, -1))
    assert {row["error"] for row in rows} == {"ValueError: this one"}


def check_pages_are_put_together() -> None:
    result = balanced.map_async(abs, range(3000), chunksize=1)
    result.get()
    rows = client.db_query(mine(msg_id={"$in": result.msg_ids}), keys=["msg_id", "status"])
    assert [row["msg_id"] for row in rows] == result.msg_ids
    assert {row["status"] for row in rows} == {"ok"}
    assert len(client.db_query(mine(), limit=10)) == 10
    assert client.db_query(mine(), keys=["msg_id"], order="-msg_id", limit=1) == [{"msg_id": client.history[-1]}]


def check_history_and_status() -> None:
    good, bad = one.apply_async(abs, -1), one.apply_async(fail)
    client.wait()
    assert client.history == sorted(client.history)
    assert client.history[-2:] == good.msg_ids + bad.msg_ids
    assert client.result_status([good, bad]) == {"pending": [], "completed": client.history[-2:], "failed": bad.msg_ids}
    late = one.apply_async(nap, 0.3)
    if APART:
        assert client.result_status(late) == {"pending": late.msg_ids, "completed": [], "failed": []}
        assert late.msg_ids[0] in client.history
        with raises(UsageError, f"call {late.msg_ids[0]} has not ended"):
            client.purge_results(late)
    late.get()
    assert client.result_status(late)["completed"] == late.msg_ids
    with raises(UsageError, "no call 123456789 of this run"):
        client.result_status(123456789)


def check_queues() -> None:
    client.wait()
    before = client.queue_status()
    assert set(before) == {*range(COUNT), "unassigned"}
    assert all(before[engine]["queue"] == before[engine]["tasks"] == 0 for engine in client.ids)
    results = [one.apply_async(nap, 0.1), one.apply_async(nap, 0.1)]
    if APART:
        assert client.queue_status(0)["queue"] == 2
        assert client.queue_status(0, verbose=True)["queue"] == [*results[0].msg_ids, *results[1].msg_ids]
    client.wait()
    assert client.queue_status(0)["completed"] == before[0]["completed"] + 2
    tasks = balanced.map_async(nap, [0.02] * 20, chunksize=1)
    status = client.queue_status(verbose=True)
    placed = [number for engine in client.ids for number in status[engine]["tasks"]] + status["unassigned"]
    assert set(placed) <= set(tasks.msg_ids), placed
    assert len(set(placed)) == len(placed), placed
    tasks.get()
    after = client.queue_status()
    assert sum(after[engine]["completed"] - before[engine]["completed"] for engine in client.ids) == 22
    assert after["unassigned"] == 0
    assert all(after[engine]["tasks"] == 0 for engine in client.ids)


def check_where_tasks_are() -> None:
    if not APART:
        return
    mine = client.load_balanced_view(targets=[COUNT - 1])
    long, many = mine.apply_async(nap, 0.7), [mine.apply_async(nap, 0.0) for _ in range(10)]
    mine.after = long
    later = mine.apply_async(nap, 0.0)
    last = client.queue_status(verbose=True)[COUNT - 1]
    assert long.msg_ids[0] in last["tasks"], last
    status = client.queue_status(verbose=True)
    assert later.msg_ids[0] in status["unassigned"], status
    placed = {*status[COUNT - 1]["tasks"], *status["unassigned"]}
    assert placed == {number for result in (long, *many, later) for number in result.msg_ids}, status
    assert all(not status[engine]["tasks"] for engine in range(COUNT - 1)), status
    client.wait()


def check_results_are_found_while_they_are_held() -> None:
    result = balanced.map_async(abs, range(-3, 0), chunksize=1)
    numbers = result.msg_ids
    assert client.get_result(numbers[1]) is result
    result.get()
    assert client.get_result(numbers[2]) is result
    del result
    gc.collect()
    with raises(UsageError, f"call {numbers[2]} (abs) ended on engine", "ok", "values are not kept"):
        client.get_result(numbers[2])


def check_purging() -> None:
    numbers = balanced.map_async(abs, range(1500), chunksize=1)
    numbers.get()
    keep, go = numbers.msg_ids[:2], numbers.msg_ids[2:]
    assert client.purge_results(go) == len(go)
    rows = client.db_query(mine(msg_id={"$in": numbers.msg_ids}), keys=["msg_id"])
    assert [row["msg_id"] for row in rows] == keep
    with raises(UsageError, "no calls", "of this run"):
        client.purge_results(go)
    result = one.apply_async(abs, -1)
    result.get()
    assert client.purge_results([result, keep[0]]) == 2
    assert client.purge_results("all", run=RUN + 1) == 0


def check_several_threads_ask_at_once() -> None:
    found: list[int] = []
    threads = [threading.Thread(target=lambda: found.append(len(client.db_query(mine(kind="execute"))))) for _ in range(4)]
    one.execute("x = 1", block=True)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4
    assert len(set(found)) == 1


def check_wrong_questions() -> None:
    with raises(UsageError, "no field 'engine_uuid'", "engine_id"):
        client.db_query({"engine_uuid": 3})
    with raises(UsageError, "no operator '$near'", "$gte"):
        client.db_query({"run": {"$near": 3}})


def check_calls_go_on_while_a_thread_reads() -> None:
    stop = time.monotonic() + 0.3
    reader = threading.Thread(target=lambda: [client.history for _ in iter(lambda: time.monotonic() < stop, False)])
    reader.start()
    while time.monotonic() < stop:
        assert everybody.apply_sync(abs, -1) == [1] * COUNT
    reader.join()


run_checks(globals())
