"""Maps of many small tasks: each is a task of its own, whatever becomes of the others. Runs in a world of any size."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator

from checks import raises, run_checks

from mpikernel import Client
from mpikernel.errors import CompositeError, TaskAborted

client = Client()
view = client.load_balanced_view()
COUNT = len(client)
APART = client[0].apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own
MANY = 20_000 if APART else 2_000


def double(x: int) -> int:
    return 2 * x


def fail_sometimes(x: int) -> int:
    if x % 500 == 7:
        raise ValueError(f"{x} is bad")
    return x


def print_sometimes(x: int) -> int:
    if x % 500 == 7:
        print(f"item {x}")
    return x


def sleep(seconds: float) -> float:
    time.sleep(seconds)
    return seconds


def check_every_item_is_a_task() -> None:
    result = view.map_async(double, range(MANY), chunksize=1)
    assert len(result) == MANY
    assert result.get() == list(range(0, 2 * MANY, 2))
    assert result.progress == len(set(result.msg_ids)) == MANY
    rows = result.metadata
    assert [row.msg_id for row in rows] == result.msg_ids
    assert all(row.status == "ok" and row.submitted <= row.completed and row.started <= row.completed for row in rows)
    assert {row.engine_id for row in rows} <= set(range(COUNT))
    assert list(result) == result.get()


def check_values_come_in_any_order_once() -> None:
    assert sorted(view.map_async(double, range(MANY), ordered=False)) == list(range(0, 2 * MANY, 2))
    assert list(view.imap(double, range(MANY))) == list(range(0, 2 * MANY, 2))
    assert sorted(view.imap(double, range(MANY), ordered=False)) == list(range(0, 2 * MANY, 2))


def check_items_that_fail_fail_alone() -> None:
    result = view.map_async(fail_sometimes, range(2000))
    with raises(CompositeError, "4 of 2000"):
        result.get()
    values = view.imap(fail_sometimes, range(2000), return_exceptions=True)
    bad = {index: value for index, value in enumerate(values) if isinstance(value, ValueError)}
    assert {index: str(error) for index, error in bad.items()} == {index: f"{index} is bad" for index in range(7, 2000, 500)}
    assert [row.status for row in result.metadata].count("error") == 4


def check_failed_items_are_tried_again() -> None:
    again = client.load_balanced_view()
    again.retries = 2
    folder = os.getcwd()

    def once_bad(x: int) -> int:
        path = os.path.join(folder, f"tried-{x}")
        if x % 100 == 3 and not os.path.exists(path):
            open(path, "w").close()
            raise OSError("the first time")
        return x

    assert again.map_sync(once_bad, range(1000)) == list(range(1000))


def check_what_an_item_prints_is_its_own() -> None:
    result = view.map_async(print_sometimes, range(2000), chunksize=1)
    result.wait()
    assert {row.msg_id - result.msg_ids[0]: row.stdout for row in result.metadata if row.stdout} == {
        index: f"item {index}\n" for index in range(7, 2000, 500)
    }


def check_a_long_item_holds_up_neither_results_nor_items() -> None:
    if not APART or COUNT < 2:
        return
    began = time.monotonic()
    result = view.map_async(sleep, [0.0] * 50 + [1.0] + [0.0] * 500, ordered=False, chunksize=1)
    values = iter(result)
    quick = [next(values) for _ in range(550)]
    assert set(quick) == {0.0}
    assert time.monotonic() - began < 0.9
    assert next(values) == 1.0


def check_uneven_items_are_spread() -> None:
    if not APART:
        return
    durations = [0.002] * 100 + [0.1] * 4 * COUNT
    began = time.monotonic()
    view.map_sync(sleep, durations)
    assert time.monotonic() - began < 1.8 * sum(durations) / COUNT + 0.3


def check_a_map_that_is_aborted_ends() -> None:
    if not APART:  # there whatever is submitted runs at once
        return
    result = view.map_async(sleep, itertools.repeat(0.01, 100_000))
    result.abort()
    assert result.wait(30)
    assert 0 < len(result) < 100_000
    assert isinstance(result.exception() if not result.cancelled() else None, CompositeError | TaskAborted | None)
    assert not result.successful()
    assert view.apply_sync(double, 4) == 8
    assert client.wait(timeout=30)


def check_the_source_is_read_as_far_as_needed() -> None:
    if not APART:  # there whatever is submitted runs at once
        return
    taken = 0

    def source() -> Iterator[float]:
        nonlocal taken
        for _ in range(100_000):
            taken += 1
            yield 0.01

    result = view.map_async(sleep, source())
    assert taken < 50_000
    result.abort()
    assert result.wait(30)
    assert taken < 50_000


def check_a_source_that_breaks_late_is_the_error_of_the_result() -> None:
    def broken() -> Iterator[int]:
        yield from range(10_000)
        raise LookupError("the source broke")

    with raises(LookupError, "the source broke"):
        view.map_async(double, broken()).get()
    with raises(LookupError, "the source broke"):
        list(view.map_async(double, broken()))


def check_a_map_goes_on_while_nobody_waits() -> None:
    done = threading.Event()
    view.map_async(double, range(MANY)).add_done_callback(lambda _: done.set())
    if APART:
        assert done.wait(30)
    else:
        client.wait()


def check_a_direct_call_does_not_wait_for_a_whole_map() -> None:
    if not APART:
        return
    result = view.map_async(sleep, [0.001] * 3000 * COUNT)
    began = time.monotonic()
    assert client[0].apply_sync(double, 3) == 6
    assert time.monotonic() - began < 1.0
    result.abort()
    result.wait()


def check_large_items_go_among_small_ones() -> None:
    items = [bytes(10) if index % 3 else bytes(200_000) for index in range(60)]
    assert view.map_sync(len, items) == [len(item) for item in items]
    assert [len(value) for value in view.map_sync(bytes, map(len, items))] == [len(item) for item in items]


run_checks(globals())
