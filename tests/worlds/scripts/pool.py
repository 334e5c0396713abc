"""The engines as a multiprocessing Pool, and as samplers use one. Runs in a world of any size."""

from __future__ import annotations

import itertools
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import BrokenExecutor, CancelledError
from typing import Any

from called import nap, refuse_odd, square
from checks import raises, run_checks

from mpikernel import Client, Pool
from mpikernel.errors import MpikernelError, PoolTimeoutError, UsageError, remote_text

client = Client()
COUNT = len(client)
APART = client[0].apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own


def add(x: int, y: int, z: int = 0) -> int:
    return x + y + z


def check_apply() -> None:
    with Pool() as pool:
        assert pool.apply(add, (1, 2)) == 3
        assert pool.apply(add, [1], {"y": 2, "z": 3}) == 6
        assert pool.apply(dict, (), {"function": 1, "self": 2}) == {"function": 1, "self": 2}
        with raises(ValueError, "1 is odd"):
            pool.apply(refuse_odd, (1,))


def check_apply_async() -> None:
    seen: list[Any] = []
    with Pool() as pool:
        result = pool.apply_async(add, (1, 2), {"z": 4}, callback=seen.append, error_callback=lambda _: seen.append("never"))
        result.wait()
        assert seen == [7]  # it has run when the wait is over
        assert (result.ready(), result.successful(), result.get()) == (True, True, 7)
        result = pool.apply_async(refuse_odd, (1,), callback=lambda _: seen.append("never"), error_callback=seen.append)
        result.wait(20)
        assert (type(seen[1]), len(seen)) == (ValueError, 2)
        assert not result.successful()
        with raises(ValueError, "1 is odd"):
            result.get()
        assert "refuse_odd" in repr(result)
        assert result.result.msg_ids


def check_what_is_not_there_in_time() -> None:
    if not APART:
        return
    with Pool() as pool:
        result = pool.apply_async(nap, (0.4,))
        for kind in (multiprocessing.TimeoutError, TimeoutError, MpikernelError, PoolTimeoutError):
            with raises(kind, "nap", "0.01 s"):
                result.get(timeout=0.01)
        result.wait(0.01)
        assert not result.ready()
        with raises(ValueError, "not done"):
            result.successful()
        assert result.get(20) == 0.4


def raise_a_timeout(_: int) -> None:
    raise TimeoutError("of the function's own")


def check_a_timeout_of_the_functions_own_stays_what_it_is() -> None:
    with Pool() as pool:
        for call in (lambda: pool.apply(raise_a_timeout, (1,)), lambda: next(pool.imap(raise_a_timeout, [1]))):
            with raises(TimeoutError, "own") as caught:
                call()
            assert type(caught.error) is TimeoutError


def check_map() -> None:
    with Pool() as pool:
        expected = [x * x for x in range(50)]
        for chunksize in (None, 1, 7, 1000):
            assert pool.map(square, range(50), chunksize) == expected
            assert pool.map(square, iter(range(50)), chunksize=chunksize) == expected
        assert pool.map(square, []) == []
        assert pool.map(square, {3}) == [9]
        result = pool.map_async(square, range(50))
        assert result.get(20) == expected
        assert len(result.result) == 50  # items: the chunks are its own choice
        with raises(ValueError, "3 is odd"):
            pool.map(refuse_odd, [2, 3, 4])
        with raises(ValueError, "1 is odd"):
            pool.map_async(refuse_odd, [2, 1, 3]).get()


def check_map_async_calls_back_once() -> None:
    seen: list[Any] = []
    with Pool() as pool:
        pool.map_async(square, range(5), callback=seen.append, error_callback=seen.append).wait()
        pool.map_async(refuse_odd, range(3), callback=seen.append, error_callback=lambda error: seen.append(str(error))).wait()
        pool.starmap_async(add, [(1, 2)], callback=seen.append).wait()
    assert seen == [[0, 1, 4, 9, 16], "1 is odd", [3]]


def check_map_with_a_callback_calls_it_for_each_value() -> None:
    seen: list[int] = []
    with Pool() as pool:
        assert pool.map(square, range(10), callback=seen.append) == [x * x for x in range(10)]
        assert seen == [x * x for x in range(10)]


def check_starmap() -> None:
    with Pool() as pool:
        assert pool.starmap(add, [(1, 2), (3, 4, 5), [6, 7]]) == [3, 12, 13]
        assert pool.starmap(add, zip(range(9), range(9), strict=True), 2) == list(range(0, 18, 2))
        assert pool.starmap_async(add, [(1, 2)]).get() == [3]
        assert pool.starmap(add, []) == []
    assert pool.starmap.__name__  # the pool may be looked at when it is closed


def check_starmap_keeps_the_functions_name() -> None:
    with Pool() as pool:
        assert pool.starmap_async(add, [(1, 2)]).result.metadata[0]["label"] == "add"


def check_imap() -> None:
    with Pool() as pool:
        for chunksize in (1, 3, 100):
            assert list(pool.imap(square, range(20), chunksize)) == [x * x for x in range(20)]
            assert sorted(pool.imap_unordered(square, iter(range(20)), chunksize)) == [x * x for x in range(20)]
        assert list(pool.imap(square, [])) == []
        assert list(itertools.islice(pool.imap(square, itertools.count()), 30)) == [x * x for x in range(30)]


def check_imap_unordered_gives_what_is_there_first() -> None:
    if COUNT > 1:
        with Pool() as pool:
            values = list(pool.imap_unordered(nap, [0.3, *[0.0] * 10]))
        assert values[0] == 0.0
        assert sorted(values) == [*[0.0] * 10, 0.3]


def check_imap_goes_on_after_a_failure() -> None:
    with Pool() as pool:
        values = pool.imap(refuse_odd, [0, 1, 2])
        assert next(values) == 0
        with raises(ValueError, "1 is odd"):
            next(values)
        assert next(values) == 2
        with raises(StopIteration):
            next(values)
        with raises(StopIteration):
            values.next(1.0)


def check_imap_goes_on_inside_of_a_chunk() -> None:
    with Pool() as pool:
        values = pool.imap(refuse_odd, range(6), chunksize=3)
        for number in range(6):
            if number % 2:
                with raises(ValueError, f"{number} is odd"):
                    next(values)
            else:
                assert next(values) == number


def check_the_end_of_a_pool_does_not_cut_imap() -> None:
    """As with multiprocessing: close, join, and only then look."""
    for chunksize in (1, 7, None):
        pool = Pool()
        ordered, unordered = pool.imap(square, iter(range(3000)), chunksize), pool.imap_unordered(square, range(3000), chunksize)
        abandoned = pool.imap(square, itertools.count(), chunksize)
        next(abandoned)
        del abandoned
        pool.close()
        pool.join()
        assert list(ordered) == [x * x for x in range(3000)]
        assert sorted(unordered) == [x * x for x in range(3000)]


def check_large_maps() -> None:
    with Pool() as pool:
        assert pool.map(square, range(100_000)) == [x * x for x in range(100_000)]
        assert sum(pool.imap_unordered(square, range(20_000), chunksize=None)) == sum(x * x for x in range(20_000))


def fail_because_of_another(x: int) -> int:
    try:
        return {1: 1}[x]
    except KeyError as error:
        raise ValueError(f"nothing for {x}") from error


def check_exceptions_keep_type_and_cause() -> None:
    with Pool() as pool:
        for call in (
            lambda: pool.apply(fail_because_of_another, (2,)),
            lambda: pool.map(fail_because_of_another, [1, 2]),
            lambda: pool.map(fail_because_of_another, [1, 2], chunksize=2),
            lambda: list(pool.imap(fail_because_of_another, [1, 2])),
        ):
            with raises(ValueError, "nothing for 2") as caught:
                call()
            assert type(caught.error) is ValueError
            text = remote_text(caught.error)
            assert "KeyError: 2" in text, text
            assert "fail_because_of_another" in text, text


def check_next_within_a_time() -> None:
    if not APART:
        return
    with Pool() as pool:
        for imap in (pool.imap, pool.imap_unordered):
            values = imap(nap, [0.3])
            for _ in range(2):
                with raises(multiprocessing.TimeoutError):
                    values.next(timeout=0.01)
            assert values.next(timeout=20) == 0.3


def check_imap_over_items_that_cannot_be_read_or_sent() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("no third")

    with Pool() as pool:
        for chunksize in (1, 2, 5):
            values = pool.imap(square, numbers(), chunksize)
            assert [next(values), next(values)] == [1, 4]
            with raises(KeyError, "no third"):
                next(values)
            with raises(StopIteration):
                next(values)
        values = pool.imap(square, [1, sys._getframe(), 3])
        assert next(values) == 1
        with raises(TypeError, "square"):
            next(values)
        with raises(KeyError, "no third"):
            pool.map(square, numbers())


def check_a_callback_that_raises_stops_nothing() -> None:
    with Pool() as pool:
        result = pool.apply_async(square, (3,), callback=lambda _: {}["a callback's own mistake"])
        result.wait(20)
        assert result.get() == 9
        assert pool.map(square, [1, 2]) == [1, 4]


def check_close_and_join() -> None:
    seen: list[float] = []
    pool = Pool()
    with raises(ValueError, "still open"):
        pool.join()
    for _ in range(2 * COUNT):
        pool.apply_async(nap, (0.02,), callback=seen.append)
    pool.close()
    for call in (pool.apply_async, pool.apply):
        with raises(ValueError, "closed"):
            call(square, (1,))
    for call in (pool.map, pool.imap, pool.imap_unordered, pool.map_async):
        with raises(ValueError, "closed"):
            call(square, [1])
    with raises(ValueError, "closed"), pool:
        pass
    pool.join()
    assert seen == [0.02] * (2 * COUNT)
    assert "closed" in repr(pool)


def check_leaving_terminates() -> None:
    began = time.monotonic()
    with Pool() as pool:
        results = [pool.apply_async(nap, (0.1,)) for _ in range(40 * COUNT)]
    pool.join()
    assert all(result.ready() for result in results)
    if APART:
        assert time.monotonic() - began < 3  # of four seconds
        with raises(CancelledError, "nap"):
            results[-1].get()
        assert not results[-1].successful()


def set_scale(value: int) -> None:
    global scale  # it is what initializers are for
    scale = value


def scaled(x: int) -> int:
    return scale * x  # type: ignore[name-defined,no-any-return]


def check_initializer() -> None:
    with Pool(initializer=set_scale, initargs=(3,)) as pool:
        assert pool.map(scaled, range(20)) == [3 * x for x in range(20)]
    client[:].clear(block=True)
    with Pool(None, refuse_odd, (1,)) as pool, raises(BrokenExecutor, "1 is odd"):
        pool.map(square, [1])


def check_processes() -> None:
    def where(_: int) -> int:
        from mpikernel import engine

        return engine.id

    with Pool(1) as pool:
        assert pool.size == 1
        assert set(pool.map(where, range(10))) == {0}
    with Pool(processes=COUNT) as pool:
        assert pool.size == COUNT
    with raises(UsageError, f"processes={COUNT + 1}", f"{COUNT} engine"):
        Pool(COUNT + 1)
    for wrong in (0, -1, 1.5, "2", True):
        with raises(ValueError, "processes", repr(wrong)):
            Pool(wrong)  # type: ignore[arg-type]


def check_bad_input_is_told() -> None:
    with Pool() as pool:
        for call in (pool.map, pool.imap, pool.starmap, pool.apply_async):
            with raises(UsageError, "3 cannot be called"):
                call(3, [1])  # type: ignore[operator]
        for wrong in (0, -1, 1.5):
            for call in (pool.map, pool.imap):
                with raises(ValueError, "chunksize", repr(wrong)):
                    call(square, [1], wrong)  # type: ignore[operator]
        with raises(TypeError, "pool", "engines"):
            pool.apply(len, ([pool],))


def log_probability(x: list[float]) -> float:
    return -sum(value * value for value in x)


def check_samplers() -> None:
    """As the documentation of emcee and schwimmbad has it."""
    with Pool() as pool:
        if not pool.is_master():
            pool.wait()
            sys.exit(0)
        assert not pool.is_worker()
        assert pool.size == COUNT
        walkers = [[0.1 * number, 0.2] for number in range(32)]
        assert list(pool.map(log_probability, (walker for walker in walkers))) == [log_probability(walker) for walker in walkers]
        mapped = pool.map
        assert mapped(log_probability, walkers)[0] == log_probability(walkers[0])
        pool.close()


run_checks(globals())
