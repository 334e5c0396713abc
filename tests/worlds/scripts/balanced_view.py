"""LoadBalancedView: calls, maps, imap, retries, targets. Runs in a world of any size."""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Iterator

import numpy as np
from checks import raises, run_checks

from mpikernel import Client, LoadBalancedView
from mpikernel.errors import CompositeError, NoEnginesError, SerializeError, UsageError

client = Client()
view = client.load_balanced_view()
COUNT = len(client)
APART = client[0].apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own


def square(x: int) -> int:
    return x * x


def engine_id() -> int:
    from mpikernel import engine

    return engine.id


def pick_slowest_first(x: int) -> int:
    import time

    time.sleep(0.3 if x == 0 else 0.0)
    return x


def refuse_odd(x: int) -> int:
    if x % 2:
        raise ValueError(f"{x} is odd")
    return x


def check_calls_give_bare_values() -> None:
    assert view.apply_sync(square, 4) == 16
    assert view.apply(square, 5).get() == 25
    assert view.apply_async(pow, 2, exp=5).get() == 32
    assert client.load_balanced_view(block=True).apply(square, 3) == 9


def check_map() -> None:
    expected = [x * x for x in range(23)]
    assert view.map_sync(square, range(23)) == expected
    assert view.map(square, range(23)).get() == expected
    assert view.map(square, range(23), block=True) == expected
    assert list(view.map_async(square, range(23))) == expected
    assert view.map_sync(pow, [2, 3], [3, 2]) == [8, 9]
    assert view.map_sync(square, []) == []
    assert view.map_sync(square, iter([1, 2])) == [1, 4]
    assert view.map_sync(max, [1, 2, 3], [0, 9]) == [1, 9]  # as Python's map, it stops with the shortest


def check_chunks_change_nothing_but_the_number_of_tasks() -> None:
    for chunksize in (1, 2, 7, 23, 100):
        result = view.map_async(square, range(23), chunksize=chunksize)
        assert result.get() == [x * x for x in range(23)]
        assert len(result) == -(-23 // chunksize)


def check_map_over_arrays() -> None:
    assert view.map_sync(lambda row: float(row.sum()), np.ones((6, 50_000))) == [50_000.0] * 6
    assert view.map_sync(square, np.arange(4), chunksize=3) == [0, 1, 4, 9]


def check_unordered_gives_what_is_there_first() -> None:
    values = list(view.map_async(pick_slowest_first, range(6), ordered=False))
    assert sorted(values) == list(range(6))
    if COUNT > 1:
        assert values[0] != 0
    assert list(view.map_async(pick_slowest_first, range(6), ordered=True)) == list(range(6))
    assert view.map_sync(pick_slowest_first, range(6), ordered=False) == list(range(6))  # a list is in order anyway


def check_results_of_a_map_come_while_others_run() -> None:
    began = time.monotonic()
    values = iter(view.map_async(lambda x: __import__("time").sleep(x) or x, [0.0] * 4 + [0.5] * COUNT))
    first = next(values)
    if APART:
        assert time.monotonic() - began < 0.4
    assert [first, *values] == [0.0] * 4 + [0.5] * COUNT


def check_bad_arguments_of_map_are_told_at_once() -> None:
    for bad in (0, -1, 1.5, "2", True):
        with raises(UsageError, "chunksize"):
            view.map(square, [1], chunksize=bad)
    with raises(UsageError, "sequence"):
        view.map(square)
    with raises(UsageError, "max_outstanding"):
        view.imap(square, [1], max_outstanding=0)
    with raises(UsageError, "5"):
        view.apply(5)
    with raises(UsageError, "None"):
        view.map(None, [1])


def check_imap_reads_an_endless_source_only_as_far_as_needed() -> None:
    taken = 0

    def count() -> Iterator[int]:
        nonlocal taken
        while True:
            taken += 1
            yield taken

    values = view.imap(square, count(), max_outstanding=3)
    assert taken == 0
    assert list(itertools.islice(values, 10)) == [x * x for x in range(1, 11)]
    assert 10 <= taken <= 13
    assert list(itertools.islice(view.imap(square, itertools.count()), 50)) == [x * x for x in range(50)]


def check_imap_with_chunks_and_without_order() -> None:
    assert list(view.imap(square, range(20), chunksize=3)) == [x * x for x in range(20)]
    assert sorted(view.imap(pick_slowest_first, range(8), ordered=False)) == list(range(8))
    assert list(view.imap(square, [])) == []


def check_imap_raises_the_original_exception_in_its_turn() -> None:
    values = view.imap(refuse_odd, range(4))
    assert next(values) == 0
    with raises(ValueError, "1 is odd"):
        next(values)


def check_imap_can_give_exceptions_in_place_of_values() -> None:
    values = list(view.imap(refuse_odd, range(4), return_exceptions=True))
    assert values[::2] == [0, 2]
    assert [str(error) for error in values[1::2]] == ["1 is odd", "3 is odd"]


def check_what_the_source_of_imap_raises_comes_through() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("the source broke")

    with raises(LookupError, "the source broke"):
        list(view.imap(square, broken()))
    with raises(LookupError, "the source broke"):
        view.map(square, broken())


def check_failed_items_of_a_map() -> None:
    result = view.map_async(refuse_odd, range(6))
    with raises(CompositeError, "1 is odd", "3 is odd", "5 is odd") as caught:
        result.get()
    assert [type(error) for error in caught.error.exceptions] == [ValueError] * 3
    assert not result.successful()
    values = iter(result)
    assert next(values) == 0
    with raises(ValueError, "1 is odd"):
        next(values)


def check_retries_until_it_works() -> None:
    counter = os.path.abspath("tries")

    def work_the_third_time(path: str) -> int:
        with open(path, "a") as file:
            file.write("x")
        with open(path) as file:
            tries = len(file.read())
        if tries < 3:
            raise OSError(f"try {tries}")
        return tries

    patient = client.load_balanced_view()
    patient.retries = 2
    assert patient.apply_sync(work_the_third_time, counter) == 3
    os.remove(counter)
    with patient.temp_flags(retries=1), raises(OSError, "try 2"):
        patient.apply_sync(work_the_third_time, counter)
    os.remove(counter)
    with raises(OSError, "try 1"):
        view.apply_sync(work_the_third_time, counter)


def check_bad_retries_are_refused() -> None:
    for bad in (-1, 1.5, "1", True, None):
        with raises(UsageError, "retries"):
            view.retries = bad
    with raises(UsageError, "retries"):
        view.set_flags(retries=-1)
    assert view.retries == 0


def check_targets_restrict_where_tasks_run() -> None:
    last = client.load_balanced_view([COUNT - 1])
    assert {last.apply_sync(engine_id) for _ in range(6)} == {COUNT - 1}
    assert set(last.map_sync(lambda _: engine_id(), range(6))) == {COUNT - 1}
    only = client.load_balanced_view(0)
    assert only.apply_sync(engine_id) == 0
    assert len(only) == 1
    assert len(view) == COUNT
    with raises(NoEnginesError, str(COUNT)):
        client.load_balanced_view([COUNT])
    with raises(NoEnginesError):
        client.load_balanced_view([])


def check_all_engines_take_part() -> None:
    def where(_: int) -> int:
        import time

        time.sleep(0.02)
        return engine_id()

    assert set(view.map_sync(where, range(8 * COUNT))) == set(client.ids)


def check_tasks_that_wait_for_one_engine_do_not_hold_up_others() -> None:
    if COUNT < 2:
        return
    slow = client.load_balanced_view([0])
    sleeping = slow.map_async(lambda _: __import__("time").sleep(0.3), range(6))
    began = time.monotonic()
    assert client.load_balanced_view([1]).apply_sync(engine_id) == 1
    assert time.monotonic() - began < 1.0
    assert sleeping.progress < 6
    sleeping.abort()
    sleeping.wait()


def check_many_small_tasks() -> None:
    assert sum(view.map_sync(square, range(2000))) == sum(x * x for x in range(2000))
    assert sum(view.imap(square, range(500))) == sum(x * x for x in range(500))


def check_what_cannot_be_pickled_is_told_before_anything_runs() -> None:
    import threading

    with raises(SerializeError, "square", "lock"):
        view.apply(square, threading.Lock())
    with raises(SerializeError, "square", "lock"):
        view.map(square, [1, threading.Lock()])
    assert view.apply_sync(square, 2) == 4


def check_direct_and_balanced_views_share_the_namespace() -> None:
    client[:].push({"shared": 5}, block=True)
    assert view.apply_sync(lambda: shared + 1) == 6  # noqa: F821  # bound on the engines


def check_views_tell_what_they_are() -> None:
    assert isinstance(view, LoadBalancedView)
    assert "LoadBalancedView" in repr(view)
    with raises(UsageError, "'nothing'", "retries"):
        view.set_flags(nothing=1)


run_checks(globals())
