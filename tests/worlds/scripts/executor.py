"""The engines as an executor of concurrent.futures: what the documentation there promises. Runs in a world of any size."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ALL_COMPLETED, FIRST_COMPLETED, FIRST_EXCEPTION, BrokenExecutor, CancelledError, Executor, as_completed, wait
from typing import Any

from called import nap, refuse_odd, square
from checks import raises, run_checks, wait_until

from mpikernel import Client
from mpikernel.errors import UsageError, remote_text

client = Client()
COUNT = len(client)
APART = client[0].apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own


def occupied(seconds: float = 0.4) -> list[Any]:
    """Give each engine something to do; what is submitted now has to wait."""
    view = client.load_balanced_view()
    return [view.apply_async(nap, seconds) for _ in range(3 * COUNT)]


def check_it_is_an_executor() -> None:
    with client.executor() as executor:
        assert isinstance(executor, Executor)
        assert executor.submit(pow, 2, 5).result() == 32
        assert executor.submit(int, "ff", base=16).result(timeout=20) == 255
        assert "engines" in repr(executor)
        assert "shut down" not in repr(executor)


def check_every_keyword_is_the_functions() -> None:
    with client.executor() as executor:
        kwargs = {"function": 1, "self": 2, "fn": 3, "label": 4}
        assert executor.submit(dict, **kwargs).result() == kwargs


def check_exceptions_are_as_they_were() -> None:
    with client.executor() as executor:
        future = executor.submit(refuse_odd, 3)
        error = future.exception(timeout=20)
        assert type(error) is ValueError
        assert error.args == ("3 is odd",)
        assert "refuse_odd" in remote_text(error)
        with raises(ValueError, "3 is odd"):
            future.result()


def check_states() -> None:
    busy = occupied()
    with client.executor() as executor:
        last = executor.submit(square, 3)
        assert last.done() is not APART
        assert not last.running()
        assert not last.cancelled()
        if APART:
            with raises(TimeoutError):
                last.result(timeout=0.01)
            with raises(TimeoutError):
                last.exception(timeout=0.01)
        assert last.result() == 9
        assert last.done()
        assert not last.cancel()  # too late
    client.wait(busy)


def check_callbacks() -> None:
    seen: list[Any] = []
    with client.executor() as executor:
        future = executor.submit(square, 4)
        future.add_done_callback(lambda f: seen.append(f.result()))
        executor.submit(refuse_odd, 1).add_done_callback(lambda f: seen.append(type(f.exception())))
    assert sorted(seen, key=str) == sorted([16, ValueError], key=str)
    future.add_done_callback(lambda f: seen.append(f))  # at once, for it is done
    assert seen[-1] is future


def check_a_callback_may_submit() -> None:
    later: list[Any] = []
    with client.executor() as executor:
        first = executor.submit(square, 2)
        first.add_done_callback(lambda f: later.append(executor.submit(square, f.result())))
        wait_until(lambda: later)
        assert later[0].result() == 16


def check_cancelling_before_it_begins() -> None:
    busy = occupied()
    executor = client.executor()
    future = executor.submit(square, 3)
    told: list[bool] = []
    future.add_done_callback(lambda f: told.append(f.cancelled()))
    cancelled = future.cancel()
    assert cancelled is APART
    if APART:
        assert future.cancelled()
        assert future.done()
        assert future.cancel()
        with raises(CancelledError):
            future.result()
        with raises(CancelledError):
            future.exception()
        assert wait([future], timeout=20).done == {future}
        assert list(as_completed([future], timeout=20)) == [future]
    executor.shutdown()
    assert told == [cancelled]
    client.wait(busy)


def check_wait() -> None:
    with client.executor() as executor:
        futures = [executor.submit(nap, 0.01 * (number % 3)) for number in range(10)]
        done, not_done = wait(futures, timeout=20, return_when=ALL_COMPLETED)
        assert (done, not_done) == (set(futures), set())
        quick, slow = executor.submit(nap, 0.0), [executor.submit(nap, 0.3) for _ in range(COUNT)]
        assert quick in wait([quick, *slow], timeout=20, return_when=FIRST_COMPLETED).done
        bad = executor.submit(refuse_odd, 1)
        assert bad in wait([bad, *slow], timeout=20, return_when=FIRST_EXCEPTION).done
        assert bad.exception()
        if APART:
            late = [executor.submit(nap, 0.3) for _ in range(2 * COUNT)]
            assert wait(late, timeout=0.01).not_done


def check_as_completed() -> None:
    with client.executor() as executor:
        futures = {executor.submit(square, number): number for number in range(50)}
        assert {futures[future]: future.result() for future in as_completed(futures, timeout=20)} == {x: x * x for x in range(50)}
        if APART:
            with raises(TimeoutError):
                list(as_completed([executor.submit(nap, 0.3)], timeout=0.01))


def check_nobody_need_drive_it() -> None:
    """Futures are done although the script is elsewhere, where it makes no call into the client."""
    with client.executor() as executor:
        there = threading.Event()
        executor.submit(nap, 0.05).add_done_callback(lambda _: there.set())
        assert there.wait(20)


def check_map() -> None:
    with client.executor() as executor:
        assert list(executor.map(square, range(30))) == [x * x for x in range(30)]
        assert list(executor.map(pow, [2, 3, 4], [3, 2])) == [8, 9]
        assert list(executor.map(square, [])) == []
        assert list(executor.map(pow, iter([2, 3]), itertools.count(1), chunksize=5)) == [2, 9]
        for chunksize, buffersize, timeout in itertools.product((1, 4, 100, None), (None, 1, 3), (None, 20)):
            values = executor.map(square, iter(range(20)), chunksize=chunksize, buffersize=buffersize, timeout=timeout)
            assert next(values) == 0
            assert list(values) == [x * x for x in range(1, 20)]


def check_a_map_begins_at_once() -> None:
    read: list[int] = []

    def numbers() -> Iterator[int]:
        for number in range(10):
            read.append(number)
            yield number

    with client.executor() as executor:
        executor.map(square, numbers())
        assert len(read) == 10
        read.clear()
        values = executor.map(square, numbers(), buffersize=3)
        assert len(read) == 3
        next(values)
        assert len(read) == 4
        assert list(values) == [x * x for x in range(1, 10)]


def check_a_buffer_makes_endless_maps_possible() -> None:
    with client.executor() as executor:
        values = executor.map(square, itertools.count(), buffersize=2 * COUNT)
        assert list(itertools.islice(values, 20)) == [x * x for x in range(20)]
        values.close()  # type: ignore[attr-defined]


def check_map_takes_no_longer_than_it_may() -> None:
    if not APART:
        return
    for buffersize in (None, 2):
        began = time.monotonic()
        with client.executor() as executor:
            values = executor.map(nap, [0.0, *[1.0] * COUNT, 0.0], timeout=0.2, buffersize=buffersize)
            with raises(TimeoutError):
                list(values)
            assert time.monotonic() - began < 0.9


def check_a_failure_ends_a_map_and_cancels_the_rest() -> None:
    for options in ({}, {"timeout": 20}, {"buffersize": 50}):
        with client.executor() as executor:
            values = executor.map(lambda x: nap(0.1) and refuse_odd(x), [0, 1, *[2] * 40 * COUNT], **options)
            assert next(values) == 0
            began = time.monotonic()
            with raises(ValueError, "1 is odd"):
                next(values)
            assert list(values) == []
        if APART:
            assert time.monotonic() - began < 3  # of four seconds and more


def check_closing_a_map_cancels_the_rest() -> None:
    for options in ({}, {"timeout": 20}, {"buffersize": 50}):
        began = time.monotonic()
        with client.executor() as executor:
            values = executor.map(nap, [0.0, *[0.1] * 40 * COUNT], **options)
            next(values)
            values.close()
        if APART:
            assert time.monotonic() - began < 3


def check_what_reading_the_items_raises() -> None:
    def numbers() -> Iterator[int]:
        yield 1
        yield 2
        raise KeyError("no third")

    with client.executor() as executor:
        with raises(KeyError, "no third"):
            executor.map(square, numbers())
        values = executor.map(square, numbers(), buffersize=5, chunksize=3)
        assert (next(values), next(values)) == (1, 4)  # those that were read have their values
        with raises(KeyError, "no third"):
            next(values)


def fail_because_of_another(x: int) -> int:
    try:
        return {1: 1}[x]
    except KeyError as error:
        raise ValueError(f"nothing for {x}") from error


def check_a_map_keeps_type_and_cause_of_exceptions() -> None:
    for chunksize, buffersize in itertools.product((1, 2, None), (None, 3)):
        with client.executor() as executor:
            values = executor.map(fail_because_of_another, [1, 2, 3], chunksize=chunksize, buffersize=buffersize)
            assert next(values) == 1
            with raises(ValueError, "nothing for 2") as caught:
                next(values)
            assert type(caught.error) is ValueError
            text = remote_text(caught.error)
            assert "KeyError: 2" in text, text


def check_a_callback_that_raises_stops_nothing() -> None:
    seen: list[Any] = []
    with client.executor() as executor:
        future = executor.submit(square, 3)
        future.add_done_callback(lambda _: {}["a callback's own mistake"])
        future.add_done_callback(lambda f: seen.append(f.result()))
        assert future.result() == 9
        assert executor.submit(square, 4).result() == 16
    assert seen == [9]


def check_many_short_calls() -> None:
    with client.executor() as executor:
        expected = [x * x for x in range(20_000)]
        assert list(executor.map(square, range(20_000))) == expected
        assert list(executor.map(square, range(20_000), chunksize=None)) == expected
        assert list(executor.map(square, iter(range(20_000)), buffersize=500)) == expected


def check_a_shutdown_ends_reading_ahead() -> None:
    with client.executor() as executor:
        values = executor.map(square, itertools.count(), buffersize=3)
        assert next(values) == 0
    assert [next(values) for _ in range(3)] == [1, 4, 9]
    with raises(RuntimeError, "shut down"):
        next(values)


def check_after_shutdown() -> None:
    executor = client.executor()
    future = executor.submit(square, 2)
    executor.shutdown()
    executor.shutdown()
    assert future.done()
    assert "shut down" in repr(executor)
    with raises(RuntimeError, "shut down"):
        executor.submit(square, 2)
    for options in ({}, {"buffersize": 1}):
        with raises(RuntimeError, "shut down"):
            executor.map(square, [2], **options)
    assert client[0].apply_sync(square, 2) == 4  # others go on


def check_shutdown_waits_for_what_nobody_holds(tries: int = 3) -> None:
    for _ in range(tries):
        seen: list[float] = []
        with client.executor() as executor:
            for _ in range(2 * COUNT):
                executor.submit(nap, 0.02).add_done_callback(lambda f, seen=seen: seen.append(f.result()))
        assert seen == [0.02] * (2 * COUNT)


def check_shutdown_without_waiting() -> None:
    executor = client.executor()
    futures = [executor.submit(nap, 0.3) for _ in range(2 * COUNT)]
    executor.shutdown(wait=False)
    assert all(future.done() for future in futures) is not APART
    assert [future.result() for future in futures] == [0.3] * len(futures)


def check_shutdown_may_cancel() -> None:
    executor = client.executor()
    futures = [executor.submit(nap, 0.1) for _ in range(20 * COUNT)]
    futures[0].result()  # by then others have begun
    executor.shutdown(cancel_futures=True)
    assert all(future.done() for future in futures)
    assert any(future.cancelled() for future in futures) is APART
    assert not all(future.cancelled() for future in futures)


def remember(value: int) -> None:
    global remembered  # it is what initializers are for
    remembered = [value, *globals().get("remembered", [])]


def recall(_: int) -> list[int]:
    return remembered  # type: ignore[name-defined]


def check_initializer() -> None:
    with client.executor(initializer=remember, initargs=(7,)) as executor:
        assert list(executor.map(recall, range(3 * COUNT))) == [[7]] * (3 * COUNT)
        assert executor.submit(recall, 0).result() == [7]
    with client.executor(initializer=remember, initargs=(8,)) as executor:  # of another executor
        assert executor.submit(recall, 0).result() == [8, 7]
    client[:].clear(block=True)


def check_a_failing_initializer_breaks_the_executor() -> None:
    executor = client.executor(initializer=refuse_odd, initargs=(5,))
    for _ in range(2):
        with raises(BrokenExecutor, "initializer", "5 is odd"):
            executor.submit(square, 2)
    with raises(BrokenExecutor):
        executor.map(square, [2])
    executor.shutdown()
    with raises(UsageError, "initializer=3"):
        client.executor(initializer=3)  # type: ignore[arg-type]


def check_which_engines_it_uses() -> None:
    def where(_: int) -> int:
        from mpikernel import engine

        return engine.id

    with client.executor(targets=[COUNT - 1]) as executor:
        assert set(executor.map(where, range(5))) == {COUNT - 1}
    with client[0].executor as executor:
        assert executor.submit(where, 0).result() == 0
    view = client.load_balanced_view(targets=0)
    view.retries = 2
    assert set(view.executor.map(where, range(5))) == {0}


def check_flags_of_the_view_hold() -> None:
    view = client.load_balanced_view()
    view.retries = COUNT
    name = f"tried-{time.time_ns()}"

    def fail_first() -> bool:
        from mpikernel import engine

        if name not in engine.properties:
            engine.properties[name] = True
            raise OSError("not yet")
        return True

    assert view.executor.submit(fail_first).result()


def check_bad_input_is_told() -> None:
    with client.executor() as executor:
        for call in (lambda: executor.submit(3), lambda: executor.map(3, [1]), lambda: executor.map(3, [1], buffersize=2)):  # type: ignore[arg-type]
            with raises(UsageError, "3 cannot be called"):
                call()
        for name, value in itertools.product(("chunksize", "buffersize"), (0, -1, 1.5, True, "2")):
            with raises(ValueError, name, repr(value)):
                executor.map(square, [1], **{name: value})
        with raises(TypeError, "lock"):
            executor.submit(square, threading.Lock())
        with raises(ValueError, "one sequence"):
            executor.map(square)


def check_threads_may_submit() -> None:
    values: list[int] = []
    with client.executor() as executor:
        threads = [threading.Thread(target=lambda: values.extend(executor.map(square, range(20)))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
    assert sorted(values) == sorted(4 * [x * x for x in range(20)])


run_checks(globals())
