"""AsyncResult: waiting, futures, callbacks, cancelling, metadata, progress. Runs in a world of any size."""

from __future__ import annotations

import asyncio
import concurrent.futures
import io
import os
import socket
import threading
import time
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime, timedelta

from checks import raises, run_checks, wait_until

from mpikernel import AsyncResult, Client, CompositeError
from mpikernel.errors import TaskAborted

client = Client()
everybody = client[:]
one = client[0]
balanced = client.load_balanced_view()
COUNT = len(client)
APART = one.apply_sync(os.getpid) != os.getpid()  # whether engines are processes of their own, so that they work while we go on


def nap(seconds: float) -> float:
    import time

    time.sleep(seconds)
    return seconds


def fail(text: str = "no") -> None:
    raise ValueError(text)


def fail_on_last() -> int:
    from mpikernel import engine

    if engine.id == engine.size - 1:
        raise KeyError("the last one fails")
    return engine.id


def check_get_result_and_r_are_the_same() -> None:
    result = everybody.apply_async(abs, -2)
    assert result.get() == result.result() == result.r == [2] * COUNT
    assert result.get() is result.get()


def check_waiting() -> None:
    result = one.apply_async(nap, 0.3)
    if APART:
        assert result.wait(0.01) is False
        assert not result.ready()
    assert result.wait(20) is True
    assert result.wait() is True
    assert result.ready()
    assert result.done()
    assert result.successful()


def check_a_timeout_is_a_timeout_error_that_tells_how_far_it_is() -> None:
    if not APART:
        return
    result = everybody.apply_async(nap, 0.5)
    for method in (result.get, result.result, result.exception, result.get_dict):
        with raises(TimeoutError, "nap", f"0 of {COUNT}"):
            method(timeout=0.01)
    with raises(TimeoutError):
        result.get(0)
    with raises(ValueError, "not done"):
        result.successful()
    assert result.get(timeout=-1) == [0.5] * COUNT
    assert result.get(timeout=0) == [0.5] * COUNT


def check_failure_of_one() -> None:
    result = one.apply_async(fail)
    result.wait()
    assert not result.successful()
    assert isinstance(result.exception(), ValueError)
    for _ in range(2):
        with raises(ValueError, "no"):
            result.get()
    assert one.apply_async(abs, 1).exception() is None


def check_failure_of_some() -> None:
    result = everybody.apply_async(fail_on_last)
    with raises(CompositeError, "fail_on_last", "the last one fails", f"engine {COUNT - 1}") as caught:
        result.get()
    assert len(caught.error.exceptions) == 1
    values = iter(result)
    assert [next(values) for _ in range(COUNT - 1)] == list(range(COUNT - 1))
    with raises(KeyError, "the last one fails"):
        next(values)


def check_get_dict() -> None:
    assert everybody.apply_async(abs, -1).get_dict() == dict.fromkeys(client.ids, 1)
    assert one.apply_async(abs, -1).get_dict() == {0: 1}
    assert client[::-1].pull("__name__").get_dict() == dict.fromkeys(client.ids, "__main__")


def check_iteration_gives_results_as_they_come() -> None:
    everybody.scatter("pause", [0.0] + [0.4] * (COUNT - 1), flatten=True, block=True)
    result = everybody.execute("import time; time.sleep(pause); pause")
    values = iter(result)
    assert next(values) == 0.0
    if COUNT > 1:
        assert not result.done()
    assert list(values) == [0.4] * (COUNT - 1)


def check_progress_and_times() -> None:
    result = everybody.apply_async(nap, 0.2)
    assert len(result) == COUNT
    if APART:
        assert result.progress == 0
        assert result.elapsed < 0.2
    assert result.wall_time >= 0.2
    assert result.progress == COUNT
    assert 0.2 * COUNT <= result.serial_time < 0.2 * COUNT + 2
    assert result.wall_time == result.elapsed
    if APART and COUNT > 1:
        assert result.wall_time < result.serial_time


def check_metadata() -> None:
    before = datetime.now(UTC)
    result = one.apply_async(nap, 0.05)
    result.wait()
    known = result.metadata
    slack = timedelta(milliseconds=2)
    assert before - slack <= known.submitted <= known.started + slack
    assert known.started + timedelta(seconds=0.05) <= known.completed + slack
    assert known.completed <= known.received + slack
    assert known["engine_id"] == known.engine_id == 0
    assert known.host == socket.gethostname()
    assert known.rank == one.apply_sync(own_rank)
    assert (known.status, known.error) == ("ok", None)
    assert (known.kind, known.label) == ("apply", "nap")
    assert result.engine_id == 0
    assert result.status == "ok"
    with raises(AttributeError, "no_such_thing"):
        known.no_such_thing  # noqa: B018  # reading it is the check
    with raises(AttributeError, "no_such_thing"):
        result.no_such_thing  # noqa: B018


def own_rank() -> int:
    from mpikernel import engine

    rank: int = engine.properties["rank"]
    return rank


def check_metadata_of_several() -> None:
    result = everybody.apply_async(abs, 1)
    result.wait()
    assert [known.engine_id for known in result.metadata] == client.ids
    assert result.engine_id == client.ids
    assert len({known.msg_id for known in result.metadata}) == COUNT
    failed = one.apply_async(fail, "two\nlines")
    failed.wait()
    assert (failed.metadata.status, failed.metadata.error) == ("error", "ValueError: two lines")
    task = balanced.apply_async(abs, 1)
    task.wait()
    assert task.metadata.engine_id in client.ids
    assert task.metadata.kind == "task"


def check_metadata_before_it_has_ended() -> None:
    if not APART:
        return
    result = one.apply_async(nap, 0.3)
    known = result.metadata
    assert known.submitted is not None
    assert (known.started, known.completed, known.received, known.status) == (None, None, None, None)
    result.get()


def check_callbacks() -> None:
    told: list[AsyncResult] = []
    result = one.apply_async(nap, 0.1)
    result.add_done_callback(told.append)
    result.wait()
    wait_until(lambda: told == [result])
    result.add_done_callback(told.append)
    assert told == [result, result]
    failed = one.apply_async(fail)
    failed.add_done_callback(lambda done: told.append(done.exception()))
    failed.wait()
    wait_until(lambda: len(told) == 3)
    assert isinstance(told[2], ValueError)


def check_a_callback_may_make_calls() -> None:
    values: list[int] = []
    result = one.apply_async(nap, 0.05)
    result.add_done_callback(lambda done: values.append(one.apply_sync(abs, -5)))
    wait_until(lambda: values == [5])


def check_a_callback_that_raises_harms_nobody() -> None:
    with redirect_stderr(io.StringIO()):
        for error in (ZeroDivisionError, SystemExit):
            result = one.apply_async(nap, 0.05 if APART else 0.0)
            result.add_done_callback(lambda done, error=error: raise_it(error))
            if APART:
                wait_until(result.done)
    assert one.apply_sync(abs, -1) == 1


def raise_it(kind: type[BaseException]) -> None:
    if APART or kind is not SystemExit:  # where the script itself runs the call, it is the script's own exit
        raise kind("from a callback")


def check_results_come_while_the_script_computes() -> None:
    if not APART:
        return
    arrived: list[float] = []
    began = time.monotonic()
    result = one.apply_async(nap, 0.1)
    result.add_done_callback(lambda done: arrived.append(time.monotonic() - began))
    while time.monotonic() - began < 0.6:  # a busy loop that never calls into the client
        sum(range(100))
    assert arrived
    assert arrived[0] < 0.5


def check_results_come_while_the_script_sleeps() -> None:
    result = one.apply_async(nap, 0.05)
    wait_until(result.done)


def check_futures_wait_and_as_completed() -> None:
    results = [one.apply_async(nap, 0.1), balanced.apply_async(nap, 0.01), everybody.apply_async(nap, 0.05)]
    done, pending = concurrent.futures.wait(results, timeout=20)
    assert (len(done), len(pending)) == (3, 0)
    results = [balanced.apply_async(abs, number) for number in range(10)]
    assert sorted(result.result() for result in concurrent.futures.as_completed(results, timeout=20)) == list(range(10))
    slow, quick = one.apply_async(nap, 0.4), client[-1].apply_async(abs, 1)
    if APART and COUNT > 1:
        done, pending = concurrent.futures.wait([slow, quick], timeout=20, return_when=concurrent.futures.FIRST_COMPLETED)
        assert (done, pending) == ({quick}, {slow})
    assert slow.result() == 0.4
    assert isinstance(slow, concurrent.futures.Future)


def check_asyncio() -> None:
    async def ask() -> list[int]:
        return await asyncio.gather(*(asyncio.wrap_future(balanced.apply_async(abs, number)) for number in range(5)))

    assert asyncio.run(ask()) == list(range(5))


def check_several_threads_at_once() -> None:
    sums: list[int] = []

    def work(number: int) -> None:
        sums.append(sum(balanced.map_sync(abs, range(number))) + one.apply_sync(abs, number))

    for _ in range(10):  # in a world of one they run each other's calls, and hand over between them
        sums.clear()
        threads = [threading.Thread(target=work, args=(number,)) for number in range(1, 7)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert sorted(sums) == sorted(number * (number + 1) // 2 for number in range(1, 7))


def check_client_wait() -> None:
    results = [everybody.apply_async(nap, 0.1) for _ in range(2)]
    if APART:
        assert client.wait(results, timeout=0.01) is False
        assert client.wait(timeout=0.01) is False
    assert client.wait(results, timeout=20) is True
    assert all(result.done() for result in results)
    assert client.wait(results[0]) is True
    assert client.wait() is True
    assert everybody.wait(timeout=1) is True


def check_cancel_drops_what_has_not_begun() -> None:
    if not APART:
        return
    running, waiting = one.apply_async(nap, 0.5), one.apply_async(nap, 0.0)
    wait_until(lambda: one_is_busy(running))
    assert waiting.cancel() is True
    assert waiting.cancelled()
    assert waiting.done()
    assert not waiting.successful()
    assert waiting.status == "aborted"
    with raises(TaskAborted, "nap"):
        waiting.get()
    with raises(concurrent.futures.CancelledError):
        waiting.result()
    assert running.cancel() is False
    assert not running.cancelled()
    assert running.get() == 0.5
    assert running.cancel() is False


def one_is_busy(result: AsyncResult) -> bool:
    """Give the engine the time to begin its first call."""
    return result.elapsed > 0.1


def check_cancel_of_several_is_true_only_if_none_had_begun() -> None:
    if not APART or COUNT < 2:
        return
    busy = one.apply_async(nap, 0.5)
    wait_until(lambda: one_is_busy(busy))
    some = everybody.apply_async(nap, 0.2)
    wait_until(lambda: some.elapsed > 0.05)
    assert some.cancel() is False
    with raises(CompositeError, "cancelled", "engine 0") as caught:
        some.get()
    assert [type(error) for error in caught.error.exceptions] == [TaskAborted]
    assert busy.get() == 0.5


def check_cancel_of_tasks() -> None:
    if not APART:
        return
    result = balanced.map_async(nap, [0.3] * (6 * COUNT))
    wait_until(lambda: result.elapsed > 0.1)
    result.abort()
    assert client.wait(timeout=20)
    assert result.done()
    statuses = result.status
    assert statuses.count("aborted") >= 2 * COUNT
    assert set(statuses) <= {"ok", "aborted"}
    assert balanced.map_sync(abs, range(3)) == [0, 1, 2]


def check_a_cancelled_task_never_runs() -> None:
    if not APART:
        return
    busy = [client[engine].apply_async(nap, 0.4) for engine in client.ids]
    wait_until(lambda: one_is_busy(busy[0]))
    path = os.path.abspath("ran")
    waiting = [balanced.apply_async(os.mkdir, f"{path}-{number}") for number in range(4 * COUNT)]
    assert all(result.cancel() for result in waiting)
    assert client.wait(busy, timeout=20)
    assert balanced.map_sync(abs, range(20)) == list(range(20))
    assert not [name for name in os.listdir() if name.startswith("ran-")]


def check_abort_of_everything() -> None:
    if not APART:
        return
    first = everybody.apply_async(nap, 0.3)
    wait_until(lambda: one_is_busy(first))
    queued = [everybody.apply_async(nap, 0.1), balanced.map_async(nap, [0.1] * 4)]
    client.abort()
    assert client.wait(timeout=20)
    assert [result.cancelled() for result in (first, *queued)] == [True] * 3
    view_aborted = one.apply_async(abs, 1)
    one.abort(view_aborted)
    assert view_aborted.wait(20)


def check_callbacks_of_what_was_cancelled_run() -> None:
    if not APART:
        return
    told: list[AsyncResult] = []
    busy, waiting = one.apply_async(nap, 0.3), one.apply_async(nap, 0.0)
    wait_until(lambda: one_is_busy(busy))
    waiting.add_done_callback(told.append)
    assert waiting.cancel()
    wait_until(lambda: told == [waiting])
    assert busy.get() == 0.3


def check_wait_interactive_shows_how_far_it_is() -> None:
    shown = io.StringIO()
    with redirect_stderr(shown):
        assert balanced.map_async(nap, [0.02] * 10).wait_interactive(interval=0.02) is True
        if APART:
            assert one.apply_async(nap, 0.5).wait_interactive(interval=0.02, timeout=0.1) is False
    lines = shown.getvalue().splitlines()
    assert any("10/10" in line and "100%" in line for line in lines), lines
    assert all("\r" not in line and "\x1b" not in line for line in lines)
    assert client.wait(timeout=20)


def check_results_tell_what_they_are() -> None:
    result = everybody.apply_async(nap, 0.1)
    assert "nap" in repr(result)
    result.wait()
    assert "done" in repr(result)
    assert bool(result)


def check_display_outputs() -> None:
    result = everybody.execute("import sys; print('to stdout'); print('to stderr', file=sys.stderr)")
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        result.display_outputs()
    assert out.getvalue() == "".join(f"[stdout:{engine}] to stdout\n" for engine in client.ids)
    assert err.getvalue() == "".join(f"[stderr:{engine}] to stderr\n" for engine in client.ids)


run_checks(globals())
